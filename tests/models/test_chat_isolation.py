"""Raw tokens of a chat model reach no stream, no event and no tracer."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langsmith.utils import get_env_var, tracing_is_enabled
from typing_extensions import TypedDict

from tests.models.scripted import SECRET, chat, scripted, stream


class Text(TypedDict):
    text: str


def graph_around(write: Callable[[BaseChatModel], str]) -> Any:
    model = GenericFakeChatModel(messages=iter([AIMessage("raw tokens never leave")]))
    builder = StateGraph(Text)
    builder.add_node("generate", lambda state: {"text": write(model)})
    builder.add_edge(START, "generate")
    builder.add_edge("generate", END)
    return builder.compile()


def hidden(model: BaseChatModel) -> str:
    return "".join(stream(chat(model)))


def in_the_open(model: BaseChatModel) -> str:
    return str(model.invoke([HumanMessage(SECRET)]).text)


def stream_modes(graph: Any) -> set[str]:
    modes = ["messages", "custom", "updates"]
    return {mode for mode, _ in graph.stream({"text": ""}, stream_mode=modes)}


def event_names(graph: Any) -> set[str]:
    async def collect() -> set[str]:
        return {e["event"] async for e in graph.astream_events({"text": ""}, version="v2")}

    return asyncio.run(collect())


def test_raw_tokens_reach_no_stream_mode() -> None:
    assert stream_modes(graph_around(hidden)) == {"updates"}
    # The same model called without the wrapper does leak, so the line above means something.
    assert "messages" in stream_modes(graph_around(in_the_open))


def test_raw_tokens_reach_no_event() -> None:
    assert not [name for name in event_names(graph_around(hidden)) if "chat_model" in name]
    assert "on_chat_model_stream" in event_names(graph_around(in_the_open))


def test_raw_tokens_reach_no_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    get_env_var.cache_clear()
    seen: list[Any] = []

    def script() -> Iterator[str]:
        seen.append(tracing_is_enabled())
        yield "one"

    try:
        assert tracing_is_enabled()
        assert list(stream(scripted(script))) == ["one"]
    finally:
        monkeypatch.undo()
        get_env_var.cache_clear()
    assert seen == [False]
