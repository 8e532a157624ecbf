"""Chat models: the settings choose the weights and what runs them.

Every engine is a LangChain chat model that takes `max_tokens` and `temperature` with a call, so
the pipeline never asks which one it talks to.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import queue
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from langsmith.run_helpers import tracing_context

from graph.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage

Engine = Literal["huggingface", "llamacpp", "openai"]

EMBEDDED: Final = "embedded"
"""The setting that names the weights that come with the software."""

LLAMA: Final = "meta-llama/Llama-3.1-8B-Instruct"
"""What `auto` takes where a GPU and these weights are already there (Llama Team 2024)."""

TOO_LONG: Final = (
    "the conversation is longer than the chat model can read; lower EMPATHY_HISTORY_TOKENS"
)
_EXIT_PATIENCE: Final = 2.0


class ChatError(RuntimeError):
    """The chat model cannot be loaded or did not answer; the message says what to do.

    It never holds the text of an underlying error, which can quote what a person wrote.
    """


@dataclass(frozen=True)
class ChatModel:
    """A loaded chat model and what the pipeline has to know about it."""

    name: str
    engine: Engine
    device: str
    model: BaseChatModel
    count_tokens: Callable[[str], int]

    def stream(
        self,
        messages: Sequence[BaseMessage],
        *,
        max_new_tokens: int,
        temperature: float,
        timeout: float,
    ) -> Iterator[str]:
        """Yield the reply piece by piece, out of sight of callbacks and tracers.

        Closing the iterator stops the model at its next token.

        Raises:
            ChatError: the model failed, said nothing, or took more than `timeout` seconds in all.
        """
        run = _Run(self.model, messages, max_new_tokens, temperature, timeout)
        try:
            yield from run.pieces()
        finally:
            run.given_up.set()


def load_chat(settings: Settings, *, progress: bool = False) -> ChatModel | None:
    """Load the chat model that the settings name; None where they name none.

    Raises:
        ChatError: it cannot be loaded.
    """
    if settings.chat_model == "none":
        return None
    engine, weights = choose(settings)
    # Each engine's library is heavy or optional, so only the chosen one is imported.
    if engine == "openai":
        try:
            from models.chat_openai import load_openai
        except ImportError as exc:
            raise ChatError(
                "a chat server needs an extra; run `pip install langchain-openai`"
            ) from exc
        return load_openai(weights, settings)
    if engine == "llamacpp":
        from models.chat_llamacpp import load_llamacpp

        return load_llamacpp(weights, settings, progress=progress)
    from models.chat_huggingface import load_huggingface

    return load_huggingface(weights, settings, progress=progress)


def choose(settings: Settings) -> tuple[Engine, str]:
    """Return the engine and the weights that the settings mean; nothing is loaded.

    Raises:
        ChatError: the two settings contradict each other.
    """
    engine, weights = settings.chat_engine, settings.chat_model
    if engine == "openai" or (engine == "auto" and settings.chat_url):
        return "openai", weights
    gguf = weights.lower().endswith(".gguf")
    if weights == "auto":
        weights = LLAMA if engine != "llamacpp" and _llama_is_here(settings) else EMBEDDED
    if engine == "auto":
        fast = gguf or (weights == EMBEDDED and importlib.util.find_spec("llama_cpp") is not None)
        engine = "llamacpp" if fast else "huggingface"
    if engine == "huggingface" and gguf:
        raise ChatError(
            "a GGUF file runs on llama.cpp; set EMPATHY_CHAT_ENGINE=llamacpp (`make fast` adds it)"
        )
    if engine == "llamacpp" and not gguf and weights != EMBEDDED:
        raise ChatError(
            "llama.cpp reads GGUF files; set EMPATHY_CHAT_MODEL to one, or to "
            "`owner/repository:file.gguf` of the Hugging Face hub"
        )
    return engine, weights


def given_up() -> threading.Event:
    """Return the event that is set when nobody waits any longer for this thread's answer."""
    return _given_up.get() or threading.Event()


def _llama_is_here(settings: Settings) -> bool:
    if settings.device not in ("auto", "cuda") and not settings.device.startswith("cuda:"):
        return False
    from models.chat_hub import cached_folder

    # The cache is asked first: importing torch takes seconds.
    if cached_folder(LLAMA) is None:
        return False
    import torch

    return torch.cuda.is_available()


_given_up: ContextVar[threading.Event | None] = ContextVar("given_up", default=None)
_running: weakref.WeakSet[_Run] = weakref.WeakSet()


class _Run:
    """One answer, written by a thread of its own and read through a queue.

    The thread is what lets a model that hangs be given up, and what hides the call: LangGraph's
    callbacks travel in context variables, which a new thread does not inherit.
    """

    def __init__(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        max_tokens: int,
        temperature: float,
        timeout: float,
    ) -> None:
        self.given_up = threading.Event()
        self._model = model
        self._messages = list(messages)
        self._options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._queue: queue.SimpleQueue[str | ChatError | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._write, name="chat-model", daemon=True)

    def pieces(self) -> Iterator[str]:
        """Start the model and yield what it says, without empty pieces."""
        _running.add(self)
        try:
            self.thread.start()
        except RuntimeError:
            raise ChatError("this machine is too busy for another reply; try again") from None
        said = False
        while True:
            try:
                piece = self._queue.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except queue.Empty:
                raise self._late() from None
            if isinstance(piece, ChatError):
                raise piece
            if piece is None:
                break
            said = said or not piece.isspace()
            yield piece
        if not said:
            raise ChatError("the chat model gave an empty answer; try again, or another model")

    def _write(self) -> None:
        _given_up.set(self.given_up)
        end: ChatError | None = None
        try:
            self._stream()
        except ChatError as exc:
            # A new error, since the old one drags the model's exception along as its context.
            end = ChatError(str(exc))
        # Whatever ends this thread must reach the reader at once, and its text must not.
        except BaseException as exc:
            end = ChatError(
                f"the chat model failed ({type(exc).__name__}); `empathy doctor` looks for the "
                "cause, and EMPATHY_CHAT_MODEL=none goes on without a model"
            )
        finally:
            self._queue.put(end)

    def _stream(self) -> None:
        chunks = cast(
            "Generator[AIMessageChunk]",
            self._model.stream(self._messages, config={"callbacks": []}, **self._options),
        )
        # LangSmith can also be switched on by an environment variable, which threads do see.
        with tracing_context(enabled=False), contextlib.closing(chunks):
            for chunk in chunks:
                if self.given_up.is_set():
                    return
                # A reader that went away without closing must not keep the model busy.
                if time.monotonic() > self._deadline:
                    raise self._late()
                if text := str(chunk.text):
                    self._queue.put(text)

    def _late(self) -> ChatError:
        return ChatError(
            f"the chat model took longer than {self._timeout:g} s; raise "
            "EMPATHY_GENERATION_TIMEOUT, or use a smaller or faster model"
        )


@atexit.register
def _stop_all() -> None:
    # A daemon thread inside torch or llama.cpp crashes an interpreter that shuts down under it,
    # and a model that hangs must not keep the process alive: ask all to stop, wait a little.
    runs = list(_running)
    for run in runs:
        run.given_up.set()
    deadline = time.monotonic() + _EXIT_PATIENCE
    for run in runs:
        if run.thread.is_alive():
            run.thread.join(max(0.0, deadline - time.monotonic()))
