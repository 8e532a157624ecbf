"""Chat models that follow a script, and what waits for them."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from models.chat import ChatModel

SECRET: Final = "I have not slept since the funeral"


class ScriptedChat(BaseChatModel):
    """Streams whatever `script` yields, and keeps what it was called with."""

    script: Callable[[], Iterator[str]]
    calls: list[dict[str, Any]] = []

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise AssertionError("only streamed")

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.calls.append(kwargs)
        for text in self.script():
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def chat(model: BaseChatModel) -> ChatModel:
    return ChatModel("fake", "huggingface", "cpu", model, len)


def scripted(script: Callable[[], Iterator[str]]) -> ChatModel:
    return chat(ScriptedChat(script=script, calls=[]))


def stream(model: ChatModel, *, timeout: float = 5) -> Iterator[str]:
    return model.stream([HumanMessage(SECRET)], max_new_tokens=9, temperature=0.3, timeout=timeout)


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def chat_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "chat-model"]
