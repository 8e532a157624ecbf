"""Whole turns: what comes back, and who was asked."""

from typing import Any, cast

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from models.labels import EMOTION_LABELS, INTENTS
from nodes.escalation.constant import CONSTANT_REPLY
from tests.fakes import (
    GROUNDING,
    Fail,
    FakeChat,
    FakeEncoder,
    FakeStore,
    Hang,
    fake_graph,
    fake_reader,
    fake_retrieval,
    fake_settings,
)

SAD = "I lost my job today and I feel so small"
DANGER = "I want to kill myself"
GOOD = "No wonder you feel small. Losing a job hurts. What has it been like since then?"
OTHER = "Your boss told you in front of everyone. No wonder you feel hurt. What did you do then?"
BROKEN_RETRIEVAL = fake_retrieval(FakeEncoder(error=MemoryError("broken")))
PROMISE = "I promise you that everything will be fine. You are strong."


def ask(graph: Any, text: str, thread: str | None = None, **options: Any) -> dict[str, Any]:
    configurable = {"thread_id": thread, **options} if thread else options
    config: RunnableConfig = {"configurable": configurable}
    return cast(dict[str, Any], graph.invoke({"messages": [("user", text)]}, config))


def reply(out: dict[str, Any]) -> str:
    return str(out["messages"][-1].text)


def test_a_turn_of_the_model_and_all_that_a_caller_gets() -> None:
    chat = FakeChat(GOOD)
    graph = fake_graph(chat=chat)

    out = graph.invoke({"messages": [("user", SAD)]})

    assert set(out) == {"messages", "emotion", "intent", "crisis", "strategies", "reply_source"}
    assert reply(out) == GOOD
    assert out["reply_source"] == "model"
    assert out["emotion"]["label"] in EMOTION_LABELS
    assert out["intent"]["label"] in INTENTS
    assert out["crisis"]["level"] == "none"
    assert out["strategies"][0] == GROUNDING
    assert [message.type for message in out["messages"]] == ["human", "ai"]


@pytest.mark.parametrize(
    "danger",
    [DANGER, "мне очень плохо", HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}])],
    ids=["danger", "unreadable", "picture"],
)
def test_an_escalation_asks_neither_model_nor_store(danger: Any) -> None:
    chat, store = FakeChat(), FakeStore()
    graph = fake_graph(chat=chat, store=store)
    message = danger if isinstance(danger, HumanMessage) else ("user", danger)

    out = graph.invoke({"messages": [message]})

    assert out["reply_source"] == "protocol"
    assert out["strategies"] == []
    assert "findahelpline.com" in reply(out)
    assert chat.calls == 0
    assert store.searches == []


@pytest.mark.parametrize("where", ["configurable", "input"])
def test_the_country_is_what_the_caller_says(where: str) -> None:
    graph = fake_graph()
    content: Any = {"messages": [("user", DANGER)]}
    config: RunnableConfig = {}
    if where == "input":
        content["country"] = "GB"
    else:
        config = {"configurable": {"country": "GB"}}

    assert "999" in reply(graph.invoke(content, config))
    assert "999" not in reply(graph.invoke({"messages": [("user", DANGER)]}))


def test_a_rejected_draft_is_written_anew_with_its_fault_named() -> None:
    chat = FakeChat(PROMISE, GOOD)
    graph = fake_graph(chat=chat)

    out = graph.invoke({"messages": [("user", SAD)]})

    assert reply(out) == GOOD
    assert out["reply_source"] == "model"
    assert "rejected" not in chat.prompts[0][0].text
    assert "rejected" in chat.prompts[1][0].text


def test_two_rejected_drafts_give_a_composed_reply() -> None:
    chat = FakeChat(PROMISE, PROMISE)
    out = fake_graph(chat=chat).invoke({"messages": [("user", SAD)]})

    assert out["reply_source"] == "composed"
    assert reply(out)
    assert "promise" not in reply(out)
    assert chat.calls == 2


@pytest.mark.parametrize(
    "failure",
    [Fail(RuntimeError("secret")), Hang(), "", Fail(OSError(), "That was")],
    ids=["raises", "hangs", "nothing", "breaks off"],
)
def test_a_model_that_fails_gives_a_composed_reply(failure: Any) -> None:
    chat = FakeChat(failure)
    settings = fake_settings(generation_timeout=0.1)

    out = ask(fake_graph(chat=chat, settings=settings), SAD)

    assert out["reply_source"] == "composed"
    assert len(reply(out).split()) > 8
    assert chat.calls == 1


@pytest.mark.parametrize(
    ("missing", "sources"),
    [
        ({"chat": None}, {"composed"}),
        ({"reviewer": None, "chat": FakeChat()}, {"composed"}),
        ({"store": None, "chat": None}, {"composed"}),
        ({"store": FakeStore(error=OSError()), "chat": None}, {"composed"}),
        ({"retrieval": None, "chat": None}, {"composed"}),
        ({"retrieval": BROKEN_RETRIEVAL, "chat": None}, {"composed"}),
        ({"contraindications": None, "chat": None}, {"composed"}),
        ({"emotion_head": None, "chat": None}, {"composed"}),
        ({"intent_head": None, "chat": None}, {"composed"}),
        ({"crisis_reader": None}, {"protocol"}),
        ({"encoder": None}, {"protocol"}),
        ({"reader": None}, {"protocol"}),
        ({"encoder": FakeEncoder(error=MemoryError("broken"))}, {"protocol"}),
    ],
    ids=lambda value: "+".join(value),
)
def test_whatever_is_missing_a_safe_reply_comes(missing: dict[str, Any], sources: set[str]) -> None:
    out = ask(fake_graph(**missing), SAD)

    assert out["reply_source"] in sources
    assert reply(out)
    danger = ask(fake_graph(**missing), DANGER)
    assert danger["reply_source"] == "protocol"


@pytest.mark.parametrize("missing", ["registry", "protocol_texts"])
def test_an_escalation_without_its_files_is_the_constant_reply(missing: str) -> None:
    out = ask(fake_graph(**{missing: None}), DANGER)

    assert reply(out) == CONSTANT_REPLY
    assert out["reply_source"] == "protocol"


@pytest.mark.parametrize("text", ["", " \n ", "\u200b\x00"])
def test_an_empty_message_is_answered_without_the_model(text: str) -> None:
    chat = FakeChat()

    out = ask(fake_graph(chat=chat), text)

    assert out["reply_source"] == "composed"
    assert reply(out)


def test_no_message_at_all_is_answered() -> None:
    out = fake_graph().invoke({"messages": []})

    assert out["reply_source"] == "composed"
    assert reply(out)


def test_a_turn_is_one_pass_for_the_readings_and_one_for_retrieval() -> None:
    plain, adapted = FakeEncoder(), FakeEncoder()
    told = "and my boss told me in front of everyone"
    graph = fake_graph(encoder=plain, reader=fake_reader(adapted), chat=FakeChat(GOOD, OTHER))

    ask(graph, SAD, "t")
    assert (plain.calls, adapted.calls) == (1, 1)
    ask(graph, told, "t")

    assert (plain.calls, adapted.calls) == (2, 2)
    # Retrieval reads the messages as written, the heads read them normalised.
    assert plain.passes == {SAD: 1, told: 1}
    low = SAD.lower()
    assert adapted.passes == {low: 1, told: 1, f"{low} [SEP] {told}": 1}


def test_an_escalation_needs_no_pass_of_retrieval() -> None:
    plain, adapted = FakeEncoder(), FakeEncoder()

    out = ask(fake_graph(encoder=plain, reader=fake_reader(adapted)), DANGER)

    assert out["reply_source"] == "protocol"
    assert (plain.calls, adapted.calls) == (0, 1)
