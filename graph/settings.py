"""Settings, read once from the environment (`EMPATHY_…`) and passed down explicitly."""

from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ChatEngine = Literal["auto", "huggingface", "llamacpp", "openai"]
Prompting = Literal["empathy", "cognitive", "emotion_intent", "emotion", "plain"]


class Settings(BaseSettings):
    """How one process runs; the variable of a field is `EMPATHY_` plus its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="EMPATHY_", env_file=".env", extra="ignore", frozen=True
    )

    chat_model: str = Field(
        default="auto",
        description=(
            "Which weights write the reply: `auto` (Llama 3.1 8B Instruct where a GPU and its "
            "weights are found, else `embedded`), `embedded`, `none` (composed replies only), a "
            "model of the Hugging Face hub, a folder, a GGUF file, `repo/name:file.gguf`, or the "
            "name under which a server serves it."
        ),
    )
    chat_engine: ChatEngine = Field(
        default="auto",
        description=(
            "What runs the weights: `huggingface`, `llamacpp` (extra), `openai` (a server), or "
            "`auto` (a server if `chat_url` is set, llama.cpp for GGUF files and, if installed, "
            "for the embedded weights, else huggingface)."
        ),
    )
    chat_url: str = Field(
        default="", description="Base URL of an OpenAI-compatible server, such as vLLM's `/v1`."
    )
    chat_api_key: SecretStr = Field(
        default=SecretStr(""), description="Key for that server, if it wants one."
    )
    device: str = Field(default="auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`.")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="Number format of the weights on the huggingface engine."
    )
    quantization: Literal["none", "8bit", "4bit"] = Field(
        default="none", description="bitsandbytes quantization (extra, NVIDIA GPU)."
    )
    threads: int = Field(
        default=1,
        ge=1,
        description="CPU threads of the models; more than one is slower when cores are shared.",
    )
    max_new_tokens: int = Field(
        default=120, ge=16, le=2048, description="Longest draft, in tokens."
    )
    temperature: float = Field(
        default=0.6, ge=0, le=2, description="Sampling temperature; 0: greedy."
    )
    history_tokens: int = Field(
        default=700, ge=64, description="Most tokens of earlier messages sent to the model."
    )
    generation_timeout: float = Field(
        default=60, gt=0, description="Seconds after which a draft is given up."
    )
    prompting: Prompting = Field(
        default="empathy",
        description=(
            "Prompting strategy; a call can choose another: `empathy` (the EMPATHY steps of the "
            "stage, and coping steps), `cognitive` (emotion, intent and the three mechanisms of "
            "EPITOME), `emotion_intent`, `emotion`, or `plain`."
        ),
    )
    encoder: str = Field(
        default="embedded",
        description="`embedded` (all-MiniLM-L6-v2) or the name of a sentence-transformers model.",
    )
    max_message_chars: int = Field(
        default=20_000,
        ge=100,
        description="Longest message that is read; a longer one counts as unreadable.",
    )
    weights_dir: Path | None = Field(
        default=None, description="Folder of the trained heads; default: those shipped."
    )
    cards_dir: Path | None = Field(
        default=None, description="Folder of coping cards; default: those shipped."
    )
    helplines_file: Path | None = Field(
        default=None, description="The registry of helplines; default: the one shipped."
    )
    collections: dict[str, float] = Field(
        default={"strategies": 1.0},
        description=(
            "What replies draw on, with weights, as JSON: `strategies` are the coping cards; name "
            'others after `empathy knowledge ingest`, such as `{"strategies": 1, '
            '"counsel_chat": 0.8}`.'
        ),
    )
    chroma_url: str = Field(
        default="",
        description="A Chroma server, such as http://localhost:8000; default: inside the process.",
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("empathy-graph"),
        description="Where indexes, one's own cards and ingested texts are kept.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("empathy-graph"),
        description="Where converted weights are kept; safe to delete.",
    )
    audit: bool = Field(
        default=True,
        description=(
            "Whether each escalation is written to `escalations.jsonl` in the data folder: level, "
            "signals, ids of the texts said; never what the person wrote, unless asked below."
        ),
    )
    webhook_url: str = Field(
        default="",
        description="Where escalations are posted, signed after the Standard Webhooks standard.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Shared with the receiver: `whsec_…` or any text."
    )
    escalation_text: bool = Field(
        default=False,
        description="Whether an escalation event holds the person's message. Ask them first.",
    )
    takeover: Literal["off", "concern", "high", "imminent"] = Field(
        default="off",
        description=(
            "Least level of danger at which a thread waits at an interrupt, so that a counsellor "
            "can take it over from Studio or the API. The protocol's reply is not held back."
        ),
    )
    host: str = Field(default="127.0.0.1", description="Address that `empathy serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Its port.")

    def measuring(self) -> "Settings":
        """Return the same without sinks: what is measured or replayed alarms nobody."""
        return self.model_copy(update={"audit": False, "webhook_url": "", "takeover": "off"})
