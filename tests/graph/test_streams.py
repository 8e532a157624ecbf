"""Nothing unreviewed leaves: every way to watch a run shows reviewed sentences only."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps

from tests.fakes import Fail, FakeChat, fake_graph

SECRET = "xyzzy"
"""A marker that the model writes in sentences that cannot pass review."""

SAID = "I lost my job today and I feel so small"
GOOD = ("No wonder you feel small.", "Losing a job hurts.")
BAD = f"I promise you that everything will be fine, {SECRET}."
HELD = f"What is {SECRET}?"
CUT = f"Then {SECRET} and"

DRAFTS: dict[str, list[Any]] = {
    "fault first": [f"{BAD} {GOOD[0]} {GOOD[1]}", f"{BAD} More."],
    "fault third": [f"{GOOD[0]} {GOOD[1]} {BAD} More."],
    "only a question": [HELD, HELD],
    "question, then a fault": [f"{HELD} {BAD}", f"{HELD} {BAD}"],
    "cut off": [f"{GOOD[0]} {GOOD[1]} {CUT}"],
    "raises": [Fail(RuntimeError(SECRET), f"{GOOD[0]} {CUT}")],
    "number": [f"{GOOD[0]} {GOOD[1]} Call {SECRET} on 555-867-5309. It is free."],
}

MODES = ["values", "updates", "messages", "custom", "debug", "checkpoints", "tasks"]


def graph(drafts: list[Any]) -> Any:
    return fake_graph(chat=FakeChat(*drafts))


def content() -> Any:
    return {"messages": [("user", SAID)]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("drafts", DRAFTS.values(), ids=DRAFTS)
def test_no_stream_mode_shows_what_was_not_reviewed(drafts: list[Any], mode: Any) -> None:
    config: Any = {"configurable": {"thread_id": "t"}}

    events = list(graph(drafts).stream(content(), config, stream_mode=mode, subgraphs=True))

    assert events or mode == "messages"
    assert SECRET not in repr(events)
    assert SECRET not in dumps(events)


@pytest.mark.parametrize("drafts", DRAFTS.values(), ids=DRAFTS)
async def test_events_show_no_more(drafts: list[Any]) -> None:
    run = graph(drafts)

    events = [event async for event in run.astream_events(content(), version="v2")]

    assert {event["event"] for event in events} >= {"on_chain_start", "on_chain_stream"}
    assert SECRET not in repr(events)


class Watcher(BaseCallbackHandler):
    """Notes whatever a tracer would be shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **kwargs: self.seen.append(repr((name, args, kwargs)))
        return super().__getattribute__(name)


@pytest.mark.parametrize("drafts", DRAFTS.values(), ids=DRAFTS)
def test_callbacks_and_logs_show_no_more(
    drafts: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    watcher = Watcher()

    with caplog.at_level(logging.DEBUG):
        graph(drafts).invoke(content(), {"callbacks": [watcher]})

    assert watcher.seen
    assert not [seen for seen in watcher.seen if SECRET in seen]
    assert SECRET not in caplog.text
    assert "lost my job" not in caplog.text


@pytest.mark.parametrize("drafts", DRAFTS.values(), ids=DRAFTS)
def test_no_checkpoint_keeps_more(drafts: list[Any]) -> None:
    run = graph(drafts)
    config: Any = {"configurable": {"thread_id": "t"}}

    run.invoke(content(), config)

    history = list(run.get_state_history(config))
    assert len(history) > 5
    assert SECRET not in repr(history)


@pytest.mark.parametrize("drafts", DRAFTS.values(), ids=DRAFTS)
def test_the_released_sentences_are_the_reply(drafts: list[Any]) -> None:
    parts = list(graph(drafts).stream(content(), stream_mode=["custom", "values"]))

    sentences = [part["text"] for mode, part in parts if mode == "custom"]
    final: Any = [part for mode, part in parts if mode == "values"][-1]
    assert " ".join(sentences) == final["messages"][-1].text
    json.dumps(sentences)


@pytest.mark.parametrize("text", ["I want to kill myself", "", "мне плохо"])
def test_what_the_protocol_and_the_composer_say_is_streamed_too(text: str) -> None:
    run = fake_graph()

    parts = list(run.stream({"messages": [("user", text)]}, stream_mode=["custom", "values"]))

    sentences = [part["text"] for mode, part in parts if mode == "custom"]
    final: Any = [part for mode, part in parts if mode == "values"][-1]
    assert " ".join(sentences) == final["messages"][-1].text


def test_a_sentence_is_out_before_the_model_is_done() -> None:
    chat = FakeChat(" ".join((*GOOD, "What has it been like since then?")))
    consumed: list[int] = []
    stream: Callable[..., Iterator[str]] = chat.stream

    def counting(*args: Any, **kwargs: Any) -> Iterator[str]:
        for number, piece in enumerate(stream(*args, **kwargs)):
            consumed.append(number)
            yield piece

    chat.stream = counting  # type: ignore[method-assign]
    run = fake_graph(chat=chat)

    at: list[int] = []
    for _ in run.stream(content(), stream_mode="custom"):
        at.append(len(consumed))

    assert len(at) == 3
    assert at[0] <= at[1] <= at[2] == len(consumed)
