"""A caller without a thread: the record is rebuilt from the messages, and misses no danger."""

import logging
from collections.abc import Sequence
from itertools import product
from typing import Any, Final, cast

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from graph.state import CrisisLevel, SafetyRecord, State
from knowledge.helplines import load_registry
from knowledge.protocol_answers import load_protocol_answers
from knowledge.protocol_texts import ProtocolTexts, load_protocol_texts
from nodes.crisis import NEW_RECORD, WINDOW, CheckCrisis, CrisisReader
from nodes.escalation.constant import CONSTANT_REPLY
from nodes.escalation.node import Escalate
from nodes.escalation.plan import SELF_HARM, SOMEONE_ELSE
from nodes.escalation.recall import recall, said_in
from tests.fakes import (
    FakeEncoder,
    fake_crisis_head,
    fake_graph,
    fake_reader,
    real_phrases,
)

TEXTS = load_protocol_texts()
REGISTRY = load_registry()
ANSWERS = load_protocol_answers()
NODE = Escalate(TEXTS, REGISTRY, ANSWERS)
WIDE = 512
CHECK = CheckCrisis(
    CrisisReader(fake_reader(FakeEncoder(dims=WIDE)), fake_crisis_head(dims=WIDE), real_phrases()),
    TEXTS,
)

RANK: Final[tuple[CrisisLevel, ...]] = ("none", "concern", "high", "imminent")
SIGNALS: Final[tuple[tuple[str, ...], ...]] = ((), (SOMEONE_ELSE,), (SELF_HARM,))
COUNTRIES: Final = (None, "XX", *(country.code for country in REGISTRY.countries))
TALK: Final = [
    "it hurts",
    "I won't call anyone",
    "they will send the police",
    "it hurts",
    "I called my sister",
    "I'm safe now",
    "it hurts",
    "I don't know what to say",
]
EXPLICIT = "I want to kill myself"
HARMLESS = "my bike has a flat tire again"
DENIAL = "no, I'm not thinking of suicide"
QUESTION = next(text.text for text in TEXTS.texts if text.id == "ask-concern-1")


def played(
    level: CrisisLevel, signals: Sequence[str] = (), country: str | None = None
) -> tuple[list[str], SafetyRecord]:
    """Return the replies of a thread, and its record."""
    state: State = {
        "messages": [],
        "crisis": {"level": level, "score": 0.9, "signals": list(signals)},
    }
    config: Any = {"configurable": {"country": country} if country else {}}
    replies = []
    for message in TALK:
        state["messages"] = [HumanMessage(message)]
        update = NODE(state, config)
        state["safety"] = update["safety"]
        replies.append(str(update["messages"][0].content))
    return replies, state["safety"]


def history(*texts: str) -> list[AnyMessage]:
    """Return the person's messages with the replies between them."""
    return [AIMessage(text) if i % 2 else HumanMessage(text) for i, text in enumerate(texts)]


def check(messages: list[AnyMessage], node: CheckCrisis = CHECK) -> tuple[CrisisLevel, Any]:
    update = node({"messages": messages})
    return update["crisis"]["level"], update["safety"]


# --- The record ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "signals"), list(product(RANK[1:], SIGNALS)))
def test_the_record_is_rebuilt_from_the_replies_alone(
    level: CrisisLevel, signals: tuple[str, ...]
) -> None:
    # Each level and audience has some of the countries, and every country its turn.
    share = 3 * SIGNALS.index(signals) + RANK.index(level) - 1
    for country in (None, "XX", *COUNTRIES[2 + share :: 9]):
        replies, record = played(level, signals, country)
        rebuilt = recall(replies, TEXTS)
        assert rebuilt["used"] == record["used"], country
        assert rebuilt["escalations"] == record["escalations"] == len(TALK)
        assert 1 <= RANK.index(rebuilt["level"]) <= RANK.index(level), country
        if not signals:
            assert rebuilt["level"] == level, country


def test_an_unreadable_message_is_remembered_as_answered_but_not_as_danger() -> None:
    replies, record = played("unknown")
    assert recall(replies, TEXTS) == record
    assert record["level"] == "none"
    assert record["escalations"] == len(TALK)


OTHER_BOTS: Final = [
    ["Hi, how can I help?", "I'm sorry to hear that. Call 988 if you are in crisis."],
    ["Are you thinking about suicide?", "Please reach out to someone you trust."],
    ["", "{line_name}", "guide-site-1", "🙂"],
]


@pytest.mark.parametrize("replies", OTHER_BOTS)
def test_the_replies_of_another_bot_give_a_new_record(replies: list[str]) -> None:
    assert recall(replies, TEXTS) == NEW_RECORD
    assert recall([], TEXTS) == NEW_RECORD
    assert check(history(HARMLESS, *replies[:1], HARMLESS)) == ("none", NEW_RECORD)


def test_a_reply_of_the_normal_path_alone_does_not_end_the_level() -> None:
    replies, record = played("high")
    assert recall([*replies, "Thank you for telling me. What was your day like?"], TEXTS) == record


@pytest.mark.parametrize("last", [CONSTANT_REPLY, "I'm Ana, a counsellor. I'm with you."])
def test_a_reply_in_need_or_of_a_counsellor_settles_nothing(last: str) -> None:
    replies, _ = played("high")
    turns = [turn for reply in replies for turn in ("it is bad", reply)]
    level, record = check(history(*turns, "it is bad", last, HARMLESS))
    assert (level, record["level"], record["settled"]) == ("high", "high", 0)


def test_texts_are_found_in_their_order_wherever_a_slot_stands() -> None:
    first = next(text for text in TEXTS.texts if text.id == "reached-self-1")
    second = next(text for text in TEXTS.texts if text.id == "guide-line-self-10")
    assert second.text.startswith("{line_name}")
    reply = f"{first.text} {second.text.format(line_name='Lifeline', line_reach='call 988')}"
    assert said_in(reply, TEXTS) == [first, second]


# --- check_crisis without a thread --------------------------------------------------------------


def escalated(*person: str) -> list[AnyMessage]:
    """Return a conversation of high danger, each message but the last answered."""
    replies, _ = played("high")
    assert len(person) <= len(replies) + 1
    turns = [text for pair in zip(person, replies, strict=False) for text in pair]
    return history(*(turns[:-1] if len(person) <= len(replies) else [*turns, person[-1]]))


def test_danger_outside_the_window_is_still_there() -> None:
    messages = escalated(EXPLICIT, *[HARMLESS] * 7)
    level, safety = check(messages)
    assert (level, safety["level"], safety["escalations"]) == ("high", "high", 7)
    # Read with the window alone, it would be gone.
    assert check(messages, CheckCrisis(CHECK.reader))[0] == "none"


def test_a_denial_after_a_direct_question_settles_what_was_said() -> None:
    before = [EXPLICIT, f"I'm here. {QUESTION}", DENIAL]
    level, safety = check(history(*before))
    assert (level, safety["level"], safety["settled"]) == ("none", "none", 2)

    later = [*before, "Thank you for telling me.", HARMLESS]
    level, safety = check(history(*later))
    assert (level, safety["level"], safety["settled"]) == ("none", "none", 2)
    # Danger after the denial is danger again.
    assert check(history(*later, "How is that for you?", EXPLICIT))[0] == "high"


@pytest.mark.parametrize(
    ("question", "answer", "reply"),
    [
        (QUESTION, "thank you for asking", "That sounds hard."),
        ("How was your day?", DENIAL, "That sounds hard."),
        (QUESTION, DENIAL, "It is okay to go slowly. I'm reading every word."),
    ],
    ids=["no denial", "no direct question", "the protocol went on"],
)
def test_what_settles_nothing(question: str, answer: str, reply: str) -> None:
    level, safety = check(history(EXPLICIT, question, answer, reply, HARMLESS))
    assert (level, safety["settled"]) == ("high", 0)


class Broken:
    @property
    def texts(self) -> Any:
        raise KeyError("words of a person")


@pytest.mark.parametrize("texts", [Broken(), 3, "texts"], ids=["fails", "number", "string"])
def test_broken_texts_break_nothing_and_read_as_unknown(
    texts: object, caplog: pytest.LogCaptureFixture
) -> None:
    node = CheckCrisis(CHECK.reader, cast(ProtocolTexts, texts))
    with caplog.at_level(logging.DEBUG):
        level, safety = check(history(EXPLICIT, "I'm here.", HARMLESS), node)
    assert (level, safety) == ("unknown", NEW_RECORD)
    assert "words of a person" not in caplog.text
    # A thread brings its own record, and needs no texts.
    update = node({"messages": history(EXPLICIT), "safety": NEW_RECORD})
    assert update["crisis"]["level"] == "high"


# --- The whole graph ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "level", "country"),
    [
        ("I wish I was dead", "concern", "RO"),
        (EXPLICIT, "high", None),
        (EXPLICIT, "high", "US"),
        ("I am going to kill myself tonight, goodbye", "imminent", "GB"),
        ("my friend wants to kill himself", "high", "NP"),
    ],
)
def test_without_a_thread_the_protocol_says_the_same(
    first: str, level: CrisisLevel, country: str | None
) -> None:
    graph = fake_graph(protocol_answers=ANSWERS)
    here = {"country": country} if country else {}
    messages: list[AnyMessage] = []
    for turn, text in enumerate([first, *TALK]):
        messages.append(HumanMessage(text))
        threaded = graph.invoke(
            {"messages": [HumanMessage(text)]}, config={"configurable": {"thread_id": "t", **here}}
        )
        stateless = graph.invoke({"messages": messages}, config={"configurable": here})
        assert threaded["reply_source"] == stateless["reply_source"] == "protocol"
        assert threaded["crisis"]["level"] == level
        reply = str(threaded["messages"][-1].content)
        # Texts for somebody else are those of concern and high alike, so that beyond the window
        # the milder level is kept.
        if turn < WINDOW or "friend" not in first:
            assert stateless["crisis"]["level"] == level
            assert stateless["messages"][-1].content == reply, turn
        assert stateless["crisis"]["level"] in RANK[1:]
        for said in (threaded, stateless):
            texts = said_in(str(said["messages"][-1].content), TEXTS)
            wrong = "self" if "friend" in first else "other"
            assert wrong not in {text.audience for text in texts}, turn
        messages.append(AIMessage(reply))
