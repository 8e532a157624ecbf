"""Fault injection: whatever breaks, the person gets a safe reply and no model writes in danger."""

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph.session import Session
from nodes.escalation.constant import CONSTANT_REPLY
from tests.fakes import FakeEncoder, fake_graph, fake_perception, fake_reader

DANGER = "I want to kill myself tonight"
CALM = "my cat ran away"


class Broken:
    """Raises whatever is asked of it, however it is used."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        raise self.error


class Garbage:
    """Answers everything with something of the wrong kind."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: object()


ERRORS = [RuntimeError("I want to kill myself"), TimeoutError(), MemoryError(), KeyError("x")]
BAD: list[Any] = [*(Broken(error) for error in ERRORS), Garbage(), None]
NAMES = [*(type(error).__name__ for error in ERRORS), "garbage", "missing"]

PARTS = (
    "emotion_head",
    "intent_head",
    "crisis_reader",
    "reader",
    "registry",
    "protocol_texts",
    "protocol_answers",
    "contraindications",
    "store",
)


@pytest.mark.parametrize("bad", BAD, ids=NAMES)
@pytest.mark.parametrize("part", PARTS)
def test_danger_is_answered_safely_whatever_part_is_broken(
    part: str, bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # The chat model of the fakes allows no call at all.
    graph = fake_graph(**{part: bad})

    state = graph.invoke({"messages": [("user", DANGER)]}, {"configurable": {"thread_id": "t"}})

    assert state["reply_source"] == "protocol"
    reply = state["messages"][-1].content
    assert "emergency number" in reply
    assert "findahelpline.com" in reply
    assert "kill" not in caplog.text


@pytest.mark.parametrize("bad", BAD, ids=NAMES)
@pytest.mark.parametrize("part", ["crisis_reader", "reader"])
def test_what_cannot_be_read_is_not_let_through(part: str, bad: Any) -> None:
    state = fake_graph(**{part: bad}).invoke({"messages": [("user", CALM)]})

    assert state["crisis"]["level"] == "unknown"
    assert state["reply_source"] == "protocol"


@pytest.mark.parametrize("bad", BAD, ids=NAMES)
@pytest.mark.parametrize("part", ["contraindications", "store"])
def test_a_calm_message_is_answered_without_strategies(
    part: str, bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    state = fake_graph(**{part: bad}, chat=None).invoke({"messages": [("user", CALM)]})

    assert state["reply_source"] == "composed"
    assert state["messages"][-1].content
    assert "cat" not in caplog.text
    assert "kill" not in caplog.text


def test_a_broken_encoder_is_not_let_through() -> None:
    reader = fake_reader(FakeEncoder(error=RuntimeError("I want to kill myself")))
    seen = fake_perception(reader=reader)

    state = fake_graph(perception=seen).invoke({"messages": [("user", CALM)]})

    assert state["reply_source"] == "protocol"


class BrokenSaver(InMemorySaver):
    """A store of threads that fails where it is told to."""

    def __init__(self, method: str) -> None:
        super().__init__()
        setattr(self, method, self._fail)

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise OSError("I want to kill myself")


@pytest.mark.parametrize("text", [DANGER, CALM])
@pytest.mark.parametrize("method", ["get_tuple", "put", "put_writes"])
def test_a_store_of_threads_that_fails_leaves_nobody_without_an_answer(
    method: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(fake_graph(checkpointer=BrokenSaver(method), chat=None))

    *sentences, turn = session.say(text)

    assert sentences[-1] == CONSTANT_REPLY
    assert turn.reply == CONSTANT_REPLY
    assert turn.public()["crisis"]["level"] == "unknown"
    assert turn.public()["reply_source"] == "protocol"
    assert "OSError" in caplog.text
    assert "kill" not in caplog.text
