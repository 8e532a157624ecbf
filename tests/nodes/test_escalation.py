"""The node escalate: every path rendered and read, and no path without a safe answer."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise, product
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from graph.state import CrisisLevel, SafetyRecord, State
from knowledge.helplines import FALLBACK_SITE, load_registry
from knowledge.protocol_texts import load_protocol_texts
from knowledge.readability import PLAIN_GRADE, grade, sentences
from nodes.escalation.constant import CONSTANT_REPLY
from nodes.escalation.node import Escalate
from nodes.escalation.plan import SELF_HARM, SOMEONE_ELSE
from nodes.escalation.wording import LOCAL_EMERGENCY

TEXTS = load_protocol_texts()
REGISTRY = load_registry()
NODE = Escalate(TEXTS, REGISTRY)

LEVELS: tuple[CrisisLevel, ...] = ("concern", "high", "imminent", "unknown")
SIGNALS: tuple[tuple[str, ...], ...] = ((), (SOMEONE_ELSE,), (SELF_HARM,))
# None: nobody has said. XX: said, but not in the registry. RO: in it without a line.
COUNTRIES = (None, "XX", "RO", "US", "GB", "NP", "DE", "BE", "DK", "ZA", "AE")

FORBIDDEN = re.compile(
    r"commit\w* suicide|everything will|will be (ok|okay|fine)|\bat least\b|don't worry|calm down"
    r"|\bpromise|aren't you|, are you\?|\byou must\b|\bgoodbye\b|\btake care\b|therapist|diagnos"
    r"|pills?\b|overdose|\bgun\b|knife|\brope\b|bridge|\bblade|medication",
    re.IGNORECASE,
)


def thread(
    level: CrisisLevel, signals: tuple[str, ...], country: str | None, turns: int
) -> Iterator[tuple[str, SafetyRecord]]:
    """Play the node alone, with the safety record carried from turn to turn."""
    state: State = {
        "messages": [HumanMessage("a message")],
        "crisis": {"level": level, "score": 0.9, "signals": list(signals)},
    }
    for _ in range(turns):
        update = NODE(state, {"configurable": {"country": country} if country else {}})
        assert update["strategies"] == []
        assert update["reply_source"] == "protocol"
        [message] = update["messages"]
        assert isinstance(message, AIMessage)
        assert isinstance(message.content, str)
        state["safety"] = update["safety"]
        yield message.content, update["safety"]


def first(level: CrisisLevel, signals: tuple[str, ...] = (), country: str | None = None) -> str:
    return next(thread(level, signals, country, 1))[0]


def numbers(text: str) -> list[str]:
    text = re.sub(r"\d+ [ap]m\b", "", text)
    return re.findall(r"\+?\d[\d\s.-]*\d|\d", text)


@cache
def ten_turns(level: CrisisLevel, signals: tuple[str, ...], country: str | None) -> tuple[str, ...]:
    return tuple(text for text, _ in thread(level, signals, country, 10))


@pytest.mark.parametrize("level", LEVELS)
def test_every_path_is_safe_to_read(level: CrisisLevel) -> None:
    for signals, country in product(SIGNALS, COUNTRIES):
        known = REGISTRY.country(country)
        # A way to a human, each time.
        ways = [LOCAL_EMERGENCY, FALLBACK_SITE]
        if known:
            ways += [*known.emergency, *(line.name for line in known.lines)]
        for turn, text in enumerate(ten_turns(level, signals, country)):
            case = (signals, country, turn, text)
            assert not FORBIDDEN.search(text), case
            assert not re.search(r"[{}]|  |\bNone\b", text), case
            assert text[0].isupper(), case
            assert text[-1] in ".?)", case
            assert "?" in text or turn >= 6, case
            assert grade(text) <= PLAIN_GRADE, case
            assert all(REGISTRY.allows_number(number) for number in numbers(text)), case
            for site in re.findall(r"[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|br)\b\S*", text):
                assert REGISTRY.allows_url(site.rstrip(").,:;")), case
            assert any(way in text for way in ways), case
            assert known or not numbers(text), case


@pytest.mark.parametrize("level", LEVELS)
def test_ten_crisis_turns_say_no_sentence_twice(level: CrisisLevel) -> None:
    for signals, country in product(SIGNALS, COUNTRIES):
        said = Counter(
            one for text in ten_turns(level, signals, country) for one in sentences(text)
        )
        assert [one for one, times in said.items() if times > 1] == [], (signals, country)


@pytest.mark.parametrize("level", LEVELS)
def test_a_first_reply_fits_a_chat_and_later_ones_are_shorter(level: CrisisLevel) -> None:
    for signals, country in product(SIGNALS, COUNTRIES):
        opening, *later = (len(text.split()) for text in ten_turns(level, signals, country))
        assert 55 <= opening <= 115, (signals, country)
        assert all(20 <= length < opening for length in later), (signals, country)
        assert max(later) <= 85, (signals, country)


def test_twenty_turns_bring_back_the_words_said_longest_ago() -> None:
    said = [text for text, _ in thread("concern", (), "US", 20)]
    records = [record for _, record in thread("concern", (), "US", 20)]
    assert all(earlier != later for earlier, later in pairwise(said))
    assert all(len(set(record["used"])) == len(record["used"]) for record in records)
    openers = [sentences(text)[0] for text in said[1:]]
    assert openers[:9] == openers[10:19]


def test_the_same_thread_gets_the_same_words() -> None:
    assert list(thread("high", (), "US", 4)) == list(thread("high", (), "US", 4))


def test_concern_asks_about_suicide_and_offers_the_line_of_the_country() -> None:
    text = first("concern", country="US")
    assert "Are you having thoughts of suicide?" in text
    assert "call or text 988" in text
    assert "Can you and will you" in text


def test_high_asks_for_plan_means_and_time() -> None:
    text = first("high", country="NP")
    assert re.search(r"a plan to take your own life, or a time in mind\?", text)
    assert "close by?" in text
    assert "call 1166" in text
    assert "102 (ambulance) or 100 (police)" in text


def test_imminent_puts_the_emergency_number_first() -> None:
    for signals, country in product(SIGNALS, COUNTRIES):
        known = REGISTRY.country(country)
        number = known.emergency[0] if known else LOCAL_EMERGENCY
        text = first("imminent", signals, country)
        at = text.index(number)
        assert len(text[:at].split()) <= 25, (signals, country)
        assert at < text.index("?"), (signals, country)
        means = next(t for t in TEXTS.texts if t.part == "means_safety" and t.text in text)
        assert at < text.index(means.text) < text.index("?"), (signals, country)


def test_imminent_repeats_the_emergency_number_each_turn() -> None:
    assert all("911" in text for text, _ in thread("imminent", (), "US", 10))


def test_somebody_else_in_danger_is_spoken_of_as_they() -> None:
    for level in ("concern", "high", "imminent"):
        text = first(level, (SOMEONE_ELSE,), "US")
        assert re.search(r"\b(they|them|their)\b", text)
        assert "your own life" not in text
        assert "thoughts of suicide" not in text


def test_self_harm_is_met_without_blame_and_asked_about_suicide() -> None:
    text = first("high", (SELF_HARM,), "US")
    assert "Are you hurt right now?" in text
    assert "thoughts of ending your life as well?" in text
    # An act under way comes before the talk of self-harm.
    assert "Please call 911 now." in first("imminent", (SELF_HARM,), "US")


def test_an_unreadable_message_is_answered_as_a_program_that_reads_english() -> None:
    text = first("unknown")
    assert "I'm a program, and I read English best." in text
    assert "Are you safe right now?" in text
    assert LOCAL_EMERGENCY in text


def test_an_unreadable_message_keeps_the_numbers_of_a_thread_in_danger() -> None:
    state: State = {
        "messages": [],
        "crisis": {"level": "unknown", "score": 0.0, "signals": []},
        "safety": {"level": "imminent", "escalations": 3, "settled": 0, "used": []},
    }
    text = NODE(state, {"configurable": {"country": "GB"}})["messages"][0].content
    assert "999 or 112" in text
    assert "English" in text


def test_an_unreadable_message_is_not_kept_as_the_level_of_the_thread() -> None:
    [(_, record)] = thread("unknown", (), None, 1)
    assert record["level"] == "none"


def test_a_thread_that_turns_imminent_gets_the_whole_reply_once() -> None:
    state: State = {
        "messages": [],
        "crisis": {"level": "concern", "score": 0.6, "signals": []},
    }
    config: dict[str, Any] = {"configurable": {"country": "US"}}
    said = []
    for level in ("concern", "imminent", "concern"):
        state["crisis"] = {"level": level, "score": 0.9, "signals": []}
        update = NODE(state, config)  # type: ignore[arg-type]
        state["safety"] = update["safety"]
        said.append(str(update["messages"][0].content))
    assert "Please call 911 now." in said[1]
    assert "Move away from anything that could hurt you" in said[1]
    # The thread stays at its highest level.
    assert "911" in said[2]
    assert state["safety"]["level"] == "imminent"
    assert state["safety"]["escalations"] == 3


def test_the_country_is_asked_for_only_where_nobody_said_one() -> None:
    asking = re.compile(r"which country|your country, I can|name of your country", re.IGNORECASE)
    assert asking.search(first("concern"))
    assert not asking.search(first("concern", country="XX"))
    assert not asking.search(first("concern", country="RO"))
    assert not asking.search(first("concern", country="US"))


def test_a_country_comes_from_the_caller_or_the_state_and_is_never_guessed() -> None:
    state: State = {
        "messages": [HumanMessage("My sister is from the United States")],
        "crisis": {"level": "high", "score": 0.9, "signals": []},
    }

    def reply(config: dict[str, Any]) -> str:
        return str(NODE(state, config)["messages"][0].content)  # type: ignore[arg-type]

    assert not numbers(reply({}))
    assert not numbers(reply({"configurable": {"country": 1}}))
    state["country"] = "uk"
    assert "116 123" in reply({})
    assert "116 123" in reply({"configurable": {"country": None}})
    assert "1166" in reply({"configurable": {"country": "NP"}})


def test_a_country_said_in_the_conversation_is_understood() -> None:
    config: dict[str, Any] = {"configurable": {}}
    state: State = {
        "messages": [HumanMessage("I live in the US and I want to die")],
        "crisis": {"level": "high", "score": 0.9, "signals": []},
    }
    assert "988" in str(NODE(state, config)["messages"][0].content)  # type: ignore[arg-type]

    state["messages"] = [
        HumanMessage("I want to die"),
        AIMessage("Which country are you in?"),
        HumanMessage("nepal"),
        AIMessage("Thank you."),
        HumanMessage("it is too much"),
    ]
    text = str(NODE(state, config)["messages"][0].content)  # type: ignore[arg-type]
    assert "1166" in text
    assert "country" not in text


def test_later_turns_name_the_other_lines_of_a_country() -> None:
    said = [text for text, _ in thread("concern", (), "US", 2)]
    assert "988" in said[0]
    assert "HOME to 741741" in said[1]


def test_the_constant_reply_is_plain_and_leads_to_a_human() -> None:
    assert FALLBACK_SITE in CONSTANT_REPLY
    assert LOCAL_EMERGENCY in CONSTANT_REPLY
    assert "program" in CONSTANT_REPLY
    assert "Are you safe?" in CONSTANT_REPLY
    assert not numbers(CONSTANT_REPLY)
    assert not FORBIDDEN.search(CONSTANT_REPLY)
    assert grade(CONSTANT_REPLY) <= 7
    assert 40 <= len(CONSTANT_REPLY.split()) <= 110
