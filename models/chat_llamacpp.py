"""Chat models run by llama.cpp, from GGUF files; several times faster than torch on a CPU."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from graph.settings import Settings
from models.chat import EMBEDDED, TOO_LONG, ChatError, ChatModel, given_up
from models.chat_hub import fetch_file
from models.embedded import EMBEDDED_NAME, gguf_path

EMBEDDED_REPEAT_PENALTY: Final = 1.1
"""The small model repeats itself without one."""

_PROMPT_ROOM: Final = 1200
"""Tokens kept for the instructions and coping cards beside the conversation."""


class LlamaCppChat(BaseChatModel):
    """A llama.cpp model behind a lock: two calls at once would crash the process."""

    llama: Any
    """A `llama_cpp.Llama`."""
    repeat_penalty: float = 1.0

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "llama.cpp"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        options = {key: kwargs[key] for key in ("max_tokens", "temperature") if key in kwargs}
        abandoned = given_up()
        with self._lock:
            # The wait for the lock may have outlasted the reader.
            if abandoned.is_set():
                return
            try:
                answer = self.llama.create_chat_completion(
                    messages=convert_to_openai_messages(messages),
                    stream=True,
                    stop=stop or [],
                    repeat_penalty=self.repeat_penalty,
                    **options,
                )
                # Closed before the lock is free, since an open answer still holds the model.
                with closing(answer) as parts:
                    for part in parts:
                        text = part["choices"][0]["delta"].get("content") or ""
                        yield ChatGenerationChunk(message=AIMessageChunk(content=text))
            except ValueError as exc:
                if "context window" in str(exc):
                    raise ChatError(TOO_LONG) from None
                raise


def load_llamacpp(weights: str, settings: Settings, *, progress: bool = False) -> ChatModel:
    """Load the embedded weights, a GGUF file, or `owner/repository:file.gguf` of the hub.

    Raises:
        ChatError: llama.cpp is not installed, or the file cannot be found, fetched or read.
    """
    try:
        # Imported by name: it is an extra, and type checkers would miss it where it is not there.
        llama_cpp: Any = importlib.import_module("llama_cpp")
    except ImportError as exc:
        raise ChatError(
            "llama.cpp is not installed; run `make fast`, or set EMPATHY_CHAT_ENGINE=huggingface"
        ) from exc
    embedded = weights == EMBEDDED
    path = gguf_path() if embedded else fetch_file(weights, progress=progress)
    on_gpu = settings.device != "cpu" and llama_cpp.llama_supports_gpu_offload()
    try:
        llama = llama_cpp.Llama(
            model_path=str(path),
            # The default window is small, and the model's own can need more memory than there is.
            n_ctx=max(2048, settings.history_tokens + settings.max_new_tokens + _PROMPT_ROOM),
            n_threads=settings.threads,
            n_threads_batch=settings.threads,
            n_gpu_layers=-1 if on_gpu else 0,
            verbose=False,
        )
    except (ValueError, OSError, RuntimeError, MemoryError) as exc:
        raise ChatError(
            f"llama.cpp could not read {path.name} ({type(exc).__name__}); the file may be "
            "damaged or too large for this machine's memory"
        ) from exc
    model = LlamaCppChat(llama=llama, repeat_penalty=EMBEDDED_REPEAT_PENALTY if embedded else 1.0)
    return ChatModel(
        name=f"{EMBEDDED_NAME} (embedded)" if embedded else weights,
        engine="llamacpp",
        device="gpu" if on_gpu else "cpu",
        model=model,
        # Without the lock: the tokenizer only reads the vocabulary, never the model's state.
        count_tokens=lambda text: len(
            llama.tokenize(text.encode("utf-8"), add_bos=False, special=False)
        ),
    )
