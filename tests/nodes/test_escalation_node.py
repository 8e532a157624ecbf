"""The node escalate: its plan and its slots, and an answer whatever fails."""

import logging
import time
from dataclasses import replace
from typing import Any, Literal

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph

from graph.state import CrisisLevel, SafetyRecord, State
from knowledge.helplines import Country, Line, Registry, load_registry
from knowledge.protocol_texts import ProtocolTexts, load_protocol_texts
from nodes.escalation import node as module
from nodes.escalation.constant import CONSTANT_REPLY
from nodes.escalation.node import Escalate
from nodes.escalation.wording import reach, slots

TEXTS = load_protocol_texts()
REGISTRY = load_registry()
NODE = Escalate(TEXTS, REGISTRY)


def a_line(**fields: Any) -> Line:
    country = REGISTRY.country("US")
    assert country
    plain = {"call": None, "sms": None, "chat": None, "hours": "24/7"}
    return country.lines[0].model_copy(update={**plain, **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"call": "988", "sms": "988", "chat": "988lifeline.org"}, "call or text 988"),
        ({"call": "116 123"}, "call 116 123"),
        ({"sms": "HOME to 741741"}, "text HOME to 741741"),
        ({"call": "13 11 14", "sms": "0477 13 11 14"}, "call 13 11 14 or text 0477 13 11 14"),
        ({"call": "188", "chat": "cvv.org.br/chat"}, "call 188 or chat at cvv.org.br/chat"),
        ({"chat": "cvv.org.br/chat"}, "chat at cvv.org.br/chat"),
        ({"call": "70 201 201", "hours": "11 am to 5 am"}, "call 70 201 201, open 11 am to 5 am"),
        ({"call": "1166", "hours": "unknown"}, "call 1166"),
    ],
)
def test_a_line_is_named_as_it_can_be_reached(fields: dict[str, Any], said: str) -> None:
    assert reach(a_line(**fields)) == said


def test_a_line_that_may_be_closed_is_named_only_where_there_is_no_other() -> None:
    japan, denmark = REGISTRY.country("JP"), REGISTRY.country("DK")
    assert isinstance(japan, Country)
    assert isinstance(denmark, Country)
    assert {slots(japan, turn)["line_name"] for turn in range(6)} == {"Yorisoi Hotline"}
    assert "11 am to 5 am" in slots(denmark, 0)["line_reach"]
    assert "line_name" not in slots(None, 0)


def record(level: CrisisLevel, turn: int, *used: str) -> SafetyRecord:
    return {"level": level, "escalations": turn, "settled": 0, "used": list(used)}


CRISIS: State = {
    "messages": [HumanMessage("words of a person")],
    "crisis": {"level": "high", "score": 0.9, "signals": []},
}


def without(part: str) -> ProtocolTexts:
    left = tuple(text for text in TEXTS.texts if text.part != part)
    return ProtocolTexts.model_construct(texts=left)


class BrokenRegistry(Registry):
    def country(self, code: str | None) -> Country | None:
        raise RuntimeError("words of a person")


@pytest.mark.parametrize(
    "node",
    [
        Escalate(None, None),
        replace(NODE, texts=None),
        replace(NODE, registry=None),
        replace(NODE, texts=without("ask")),
        replace(NODE, registry=BrokenRegistry.model_construct(countries=REGISTRY.countries)),
    ],
    ids=["neither", "no texts", "no registry", "a part missing", "registry fails"],
)
def test_whatever_is_missing_or_fails_the_constant_reply_is_said(
    node: Escalate, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[str] = []
    monkeypatch.setattr(module, "release", released.extend)
    update = node(CRISIS, {"configurable": {"country": "US"}})
    assert update["messages"][0].content == CONSTANT_REPLY
    assert released == [CONSTANT_REPLY]
    assert update["reply_source"] == "protocol"
    assert update["strategies"] == []
    assert update["safety"] == record("high", 1)
    assert any(entry.levelno == logging.ERROR for entry in caplog.records)
    assert "words of a person" not in caplog.text


BROKEN: list[dict[str, Any]] = [
    {"crisis": {"level": "high"}},
    {"crisis": {"level": "dreadful", "score": 1.0, "signals": []}},
    {"crisis": 3},
    {"safety": {"level": "high"}},
    {"safety": {"level": "high", "escalations": "many", "settled": 0, "used": []}},
    {"safety": {"level": "high", "escalations": 1, "settled": 0, "used": None}},
    {"safety": "lost"},
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_state_gets_the_constant_reply_and_a_sound_record(broken: dict[str, Any]) -> None:
    update = NODE({**CRISIS, **broken}, {})  # type: ignore[typeddict-item]
    assert update["messages"][0].content == CONSTANT_REPLY
    assert update["safety"]["escalations"] == 1
    assert update["safety"]["used"] == []


def test_a_state_without_a_reading_counts_as_unreadable() -> None:
    text = NODE({"messages": []}, {})["messages"][0].content
    assert "read English best" in str(text)


def test_a_failure_keeps_what_was_said_before() -> None:
    state: State = {**CRISIS, "safety": record("high", 4, "stay-any-1")}
    update = Escalate(None, None)(state, {})
    assert update["safety"] == record("high", 5, "stay-any-1")


def test_a_stream_that_fails_does_not_take_the_reply_with_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ConnectionError("words of a person")

    monkeypatch.setattr(module, "release", fail)
    update = NODE(CRISIS, {})
    assert "a plan to take your own life" in str(update["messages"][0].content)
    assert "ConnectionError" in caplog.text
    assert "words of a person" not in caplog.text


def test_nothing_a_person_wrote_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    NODE(CRISIS, {"configurable": {"country": "US"}})
    assert "level=high turn=1" in caplog.text
    assert "words of a person" not in caplog.text


def test_the_released_sentences_are_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []
    monkeypatch.setattr(module, "release", released.extend)
    update = NODE(CRISIS, {})
    assert len(released) >= 5
    assert " ".join(released) == update["messages"][0].content


@pytest.mark.parametrize("source", ["config", "state"])
def test_runs_as_a_node_and_streams_what_it_says(source: Literal["config", "state"]) -> None:
    builder = StateGraph(State)
    builder.add_node("escalate", NODE)
    builder.add_edge(START, "escalate")
    builder.add_edge("escalate", END)
    graph = builder.compile()
    given: State = {**CRISIS, "country": "GB"} if source == "state" else CRISIS
    config: Any = {"configurable": {"country": "GB"} if source == "config" else {}}
    streamed: list[str] = []
    final: dict[str, Any] = {}
    for mode, part in graph.stream(given, config, stream_mode=["custom", "values"]):
        if mode == "custom":
            streamed.append(str(part["text"]))  # type: ignore[index]
        else:
            final = part  # type: ignore[assignment]
    reply = final["messages"][-1].content
    assert "call 116 123" in reply
    assert " ".join(streamed) == reply
    assert final["reply_source"] == "protocol"
    assert final["safety"]["escalations"] == 1


def test_a_reply_takes_less_than_a_few_milliseconds() -> None:
    started = time.perf_counter()
    for _ in range(20):
        NODE(CRISIS, {"configurable": {"country": "US"}})
    assert (time.perf_counter() - started) / 20 < 0.05
