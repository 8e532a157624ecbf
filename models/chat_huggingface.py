"""Chat models run by transformers, through langchain-huggingface."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult, GenerationChunk
from langchain_huggingface import ChatHuggingFace, HuggingFacePipeline

from graph.settings import Settings
from models.chat import EMBEDDED, TOO_LONG, ChatError, ChatModel, given_up
from models.chat_hub import fetch_folder
from models.embedded import EMBEDDED_NAME, converted

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED_REPETITION_PENALTY: Final = 1.1
"""Keller et al. (CTRL, 2019) use 1.2; a model this small repeats itself without any."""

_NO_MEMORY: Final = (
    "does not fit into memory; set EMPATHY_QUANTIZATION=4bit (NVIDIA GPU), or choose a smaller "
    "model with EMPATHY_CHAT_MODEL"
)


class StoppablePipeline(HuggingFacePipeline):
    """A text-generation pipeline whose stream can be stopped and shows its failures.

    Only `_stream` differs. The library's own loses what its thread raises and shows a timeout a
    minute later, generates on after its reader has left, and lets the tokenizer add a second
    beginning-of-text token to a prompt whose chat template has one.
    """

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        from torch import OutOfMemoryError
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        if stop:
            raise ValueError("stop sequences are not supported")
        options = _generation_options(kwargs)
        self._check_length(prompt, options.get("max_new_tokens", 0))
        closed, abandoned = threading.Event(), given_up()

        class Stop(StoppingCriteria):
            def __call__(self, *_: Any, **__: Any) -> Any:
                return closed.is_set() or abandoned.is_set()

        streamer = TextIteratorStreamer(
            self.pipeline.tokenizer, skip_prompt=True, skip_special_tokens=True
        )
        failures: list[BaseException] = []

        def generate() -> None:
            try:
                self.pipeline(
                    prompt,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([Stop()]),
                    add_special_tokens=False,
                    return_full_text=False,
                    **options,
                )
            # Raised again below, in the thread that waits.
            except BaseException as exc:
                failures.append(exc)
            finally:
                streamer.text_queue.put(streamer.stop_signal)

        thread = threading.Thread(target=generate, name="generate", daemon=True)
        thread.start()
        try:
            for text in streamer:
                # Empty ones too: each is a token, at which the caller can stop.
                yield GenerationChunk(text=text)
        finally:
            closed.set()
            thread.join()
        if failures:
            if isinstance(failures[0], (OutOfMemoryError, MemoryError)):
                raise ChatError(f"the conversation with {self.model_id} {_NO_MEMORY}")
            raise failures[0]

    def _check_length(self, prompt: str, new_tokens: int) -> None:
        # Past its positions a model does not fail, it rambles.
        window = getattr(self.pipeline.model.config, "max_position_embeddings", None)
        tokens = len(self.pipeline.tokenizer.encode(prompt, add_special_tokens=False))
        if window is not None and tokens + new_tokens > window:
            raise ChatError(TOO_LONG)


class LocalChat(ChatHuggingFace):
    """ChatHuggingFace over a pipeline, with one way to generate, also when awaited.

    The library's own `_agenerate` and `_astream` only know remote endpoints.
    """

    _agenerate = BaseChatModel._agenerate  # type: ignore[assignment]
    _astream = BaseChatModel._astream

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        stream: bool | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, **kwargs))


class _UnreadableError(ChatError):
    """The files are there and no model comes out of them."""


def load_huggingface(weights: str, settings: Settings, *, progress: bool = False) -> ChatModel:
    """Load the embedded weights, a folder, or a model of the hub.

    Raises:
        ChatError: the weights cannot be found, fetched, or held in memory.
    """
    # OpenMP reads it once, when torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.threads))
    import torch
    from transformers.utils import logging as transformers_logging

    torch.set_num_threads(settings.threads)
    if progress:
        transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    else:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = pick_device(settings.device)
    _check_quantization(settings, device)
    if weights != EMBEDDED:
        folder = fetch_folder(weights, progress=progress)
        return _chat(weights, _load(weights, folder, settings, device))
    folder = converted(settings.cache_dir, progress=progress)
    # Once converted they load in a second: a bar at each start would only be noise.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded = _load(EMBEDDED_NAME, folder, settings, device)
    except _UnreadableError:
        # The cache has the right sizes and is damaged all the same.
        folder = converted(settings.cache_dir, progress=progress, renew=True)
        loaded = _load(EMBEDDED_NAME, folder, settings, device)
    loaded[0].generation_config.repetition_penalty = EMBEDDED_REPETITION_PENALTY
    return _chat(f"{EMBEDDED_NAME} (embedded)", loaded)


def pick_device(wanted: str) -> torch.device:
    """Return the device that the setting means; `auto` prefers an NVIDIA GPU, then Apple's.

    Raises:
        ChatError: the machine has no such device.
    """
    import torch

    if wanted == "auto":
        best = "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device("cuda:0" if torch.cuda.is_available() else best)
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ChatError(
            f"EMPATHY_DEVICE={wanted} is no device; use auto, cpu, cuda, cuda:1 or mps"
        ) from None
    there = {
        "cuda": torch.cuda.device_count() > (device.index or 0),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, device.type == "cpu"):
        raise ChatError(f"EMPATHY_DEVICE={wanted}, but PyTorch finds no such device; use auto")
    return torch.device("cuda:0") if wanted == "cuda" else device


def _check_quantization(settings: Settings, device: torch.device) -> None:
    if settings.quantization == "none":
        return
    wish = f"EMPATHY_QUANTIZATION={settings.quantization}"
    if device.type != "cuda":
        raise ChatError(f"{wish} needs an NVIDIA GPU and none is in use; set it to none")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ChatError(f"{wish} needs bitsandbytes; run `pip install bitsandbytes`")


def _dtype(settings: Settings, device: torch.device) -> torch.dtype:
    import torch

    if settings.dtype != "auto":
        chosen: torch.dtype = getattr(torch, settings.dtype)
        return chosen
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.float16 if device.type == "mps" else torch.float32


def _load(
    name: str, folder: Path, settings: Settings, device: torch.device
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    options: dict[str, Any] = {"dtype": _dtype(settings, device)}
    if device.type == "cuda":
        # A large model may need every GPU; a named one, or the tiny model, takes one.
        spread = settings.device == "auto" and name != EMBEDDED_NAME
        options["device_map"] = "auto" if spread else {"": str(device)}
    if settings.quantization != "none":
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_8bit=settings.quantization == "8bit",
            load_in_4bit=settings.quantization == "4bit",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=options["dtype"],
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, **options
        )
        if device.type == "mps":
            model.to(device)  # type: ignore[arg-type]
    except (torch.OutOfMemoryError, MemoryError) as exc:
        raise ChatError(f"{name} {_NO_MEMORY}") from exc
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as exc:
        raise _UnreadableError(
            f"the weights of {name} could not be read ({type(exc).__name__}); delete them and "
            "fetch them again, or choose another model with EMPATHY_CHAT_MODEL"
        ) from exc
    # Accelerate moves what does not fit to the CPU or the disk, where a word takes seconds.
    if {"cpu", "disk"} & {str(place) for place in getattr(model, "hf_device_map", {}).values()}:
        raise ChatError(f"{name} {_NO_MEMORY}")
    _check_template(name, tokenizer)
    return model, tokenizer


def _check_template(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    from jinja2 import TemplateError

    chat = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    try:
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    except (ValueError, TemplateError) as exc:
        raise ChatError(
            f"{name} has no chat template that takes a system message; choose an Instruct model"
        ) from exc


def _chat(name: str, loaded: tuple[PreTrainedModel, PreTrainedTokenizerBase]) -> ChatModel:
    from transformers import TextGenerationPipeline

    model, tokenizer = loaded
    # One chat at a time is never padded; named so that transformers does not warn on each call.
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # The tokenizer warns above its own limit; `_check_length` knows the model's.
    tokenizer.model_max_length = int(1e9)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.max_length = None
    generator = TextGenerationPipeline(model=model, tokenizer=tokenizer)  # type: ignore[no-untyped-call]
    pipe = StoppablePipeline(pipeline=generator, model_id=name)
    return ChatModel(
        name=name,
        engine="huggingface",
        device=str(model.device),
        model=LocalChat(llm=pipe, tokenizer=tokenizer, model_id=name),
        count_tokens=lambda text: len(tokenizer.encode(text, add_special_tokens=False)),
    )


def _generation_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if kwargs.get("max_tokens") is not None:
        options["max_new_tokens"] = kwargs["max_tokens"]
    temperature = kwargs.get("temperature")
    if temperature is not None:
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        options |= {"do_sample": True, "temperature": temperature} if temperature else greedy
    return options
