"""The node check_crisis and its router: unreadable means unsafe, and danger is not forgotten."""

import logging
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from graph.state import CrisisLevel, SafetyRecord, State
from nodes.crisis import NEW_RECORD, CheckCrisis, CrisisReader
from nodes.escalation.node import Escalate
from tests.fakes import (
    FakeEncoder,
    fake_crisis_head,
    fake_reader,
    real_phrases,
    real_protocol_texts,
    real_registry,
)

EXPLICIT = "I want to kill myself"
HARMLESS = "my bike has a flat tire again"
DENIAL = "no, I'm not thinking of suicide"
ASKED = AIMessage("That sounds heavy. Are you thinking about suicide?")
CUES = {
    "concern": "purple lantern",
    "high": "seventeen umbrellas",
    "imminent": "marble staircase",
}
"""Words that only the head takes for danger."""


WIDE = 512
"""Dimensions in which no two words of these tests meet."""


def reader(encoder: FakeEncoder | None = None, max_chars: int = 20_000) -> CrisisReader:
    texts = fake_reader(encoder or FakeEncoder(dims=WIDE), max_chars)
    return CrisisReader(texts, fake_crisis_head(CUES, WIDE), real_phrases())


NODE = CheckCrisis(reader())


def check(
    *texts: str | AnyMessage, safety: SafetyRecord = NEW_RECORD, node: CheckCrisis = NODE
) -> tuple[CrisisLevel, SafetyRecord]:
    messages = [HumanMessage(text) if isinstance(text, str) else text for text in texts]
    update = node({"messages": messages, "safety": safety})
    return update["crisis"]["level"], update["safety"]


def record(level: CrisisLevel, settled: int = 0) -> SafetyRecord:
    return {"level": level, "escalations": 1, "settled": settled, "used": ["opening-1"]}


# --- One message --------------------------------------------------------------------------------


def test_head_and_phrases_the_higher_level_counts() -> None:
    both = reader().read(f"{EXPLICIT} on the marble staircase")
    phrase = reader().read(EXPLICIT)

    assert phrase.level == "high"
    assert phrase.score >= 0.95
    assert phrase.signals == real_phrases().read(EXPLICIT).signals
    assert both.level == "imminent"
    assert set(phrase.signals) < set(both.signals)


@pytest.mark.parametrize(("level", "cue"), CUES.items())
def test_the_head_alone_is_enough_and_says_so_in_plain_words(level: str, cue: str) -> None:
    reading = reader().read(cue)

    assert reading.level == level
    assert reading.score > 0.5
    assert len(reading.signals) == 1
    assert cue not in reading.signals[0]


def test_a_harmless_message_has_no_signals() -> None:
    reading = reader().read(HARMLESS)

    assert reading.level == "none"
    assert reading.signals == ()
    assert reading.score < 0.5


def test_danger_in_the_last_line_of_a_long_post_is_read_by_head_and_phrases() -> None:
    padding = "we went to the market and bought some bread and apples\n" * 150

    assert reader().read(padding).level == "none"
    assert reader().read(padding + "purple lantern " * 20).level == "concern"
    assert reader().read(padding + EXPLICIT).level == "high"


def test_a_message_beyond_the_limit_is_unreadable_unless_a_phrase_is_found() -> None:
    encoder = FakeEncoder(dims=WIDE)
    short = reader(encoder, max_chars=100)

    assert short.read("a" * 101).level == "unknown"
    assert short.read(f"{HARMLESS} " * 10 + EXPLICIT).level == "high"
    assert encoder.calls == 0
    assert short.read(HARMLESS).level == "none"


@pytest.mark.parametrize("text", ["мне очень плохо сегодня", "我今天很难过", "malai dukha lagyo"])
def test_another_language_is_unreadable(text: str) -> None:
    assert reader().read(text).level == "unknown"


@pytest.mark.parametrize("text", ["хочу умереть", "quiero morir", "मर्न चाहन्छु"])
def test_a_phrase_in_another_language_is_danger_all_the_same(text: str) -> None:
    assert reader().read(text).level == "high"


# --- The conversation ---------------------------------------------------------------------------


def test_nobody_wrote_anything() -> None:
    for messages in ([], [AIMessage("Hi.")], [SystemMessage(EXPLICIT)], [HumanMessage(" ")]):
        level, safety = check(*cast(list[AnyMessage], messages))
        assert level == "none"
        assert safety == NEW_RECORD


def test_the_thread_remembers_its_highest_level() -> None:
    level, safety = check(EXPLICIT)
    assert (level, safety["level"]) == ("high", "high")

    level, safety = check(EXPLICIT, AIMessage("I'm here."), "purple lantern", safety=safety)
    assert (level, safety["level"]) == ("high", "high")

    level, safety = check("marble staircase", safety=safety)
    assert (level, safety["level"]) == ("imminent", "imminent")


@pytest.mark.parametrize("later", range(1, 6))
def test_danger_a_few_messages_ago_still_counts_without_any_record(later: int) -> None:
    level, _ = check(EXPLICIT, *[HARMLESS] * later)

    assert level == "high"


def test_beyond_the_window_the_record_alone_remembers() -> None:
    messages = [EXPLICIT, *[HARMLESS] * 6]

    assert check(*messages)[0] == "none"
    assert check(*messages, safety=record("high"))[0] == "high"


def test_an_unreadable_message_is_answered_but_not_remembered() -> None:
    level, safety = check("мне плохо")
    assert (level, safety["level"]) == ("unknown", "none")

    level, _ = check("мне плохо", "sorry, that was the wrong chat", safety=safety)
    assert level == "none"


def test_danger_outranks_what_cannot_be_read() -> None:
    assert check(EXPLICIT, "мне плохо")[0] == "high"
    assert check("мне плохо", safety=record("concern"))[0] == "concern"


def test_the_words_of_the_program_are_no_danger() -> None:
    assert check(HARMLESS, AIMessage(EXPLICIT), HARMLESS)[0] == "none"


def test_the_signals_name_what_was_noticed_without_the_persons_words() -> None:
    update = NODE({"messages": [HumanMessage("purple lantern"), HumanMessage(EXPLICIT)]})

    signals = update["crisis"]["signals"]
    assert len(signals) == len(set(signals)) >= 2
    assert not any("lantern" in signal or "myself" in signal for signal in signals)


# --- A denial -----------------------------------------------------------------------------------


def test_a_denial_after_a_direct_question_leads_back_and_settles_what_was_said() -> None:
    messages: list[str | AnyMessage] = [EXPLICIT, ASKED, DENIAL]

    level, safety = check(*messages, safety=record("high"))
    assert level == "none"
    assert safety == {**record("none", settled=2)}

    later = [*messages, AIMessage("Thank you for telling me."), HARMLESS]
    assert check(*later, safety=safety)[0] == "none"


@pytest.mark.parametrize("level", ["concern", "high"])
@pytest.mark.parametrize("signals", [[], ["self-harm"]])
def test_the_protocols_first_question_is_one_that_a_denial_can_answer(
    level: CrisisLevel, signals: list[str]
) -> None:
    escalate = Escalate(real_protocol_texts(), real_registry())
    state: State = {
        "messages": [HumanMessage(EXPLICIT)],
        "crisis": {"level": level, "score": 0.9, "signals": signals},
    }

    update = escalate(state, {})

    asked, safety = update["messages"][-1], update["safety"]
    assert check(EXPLICIT, asked, DENIAL, safety=safety)[0] == "none"


def test_a_question_about_the_past_is_not_answered_by_todays_denial() -> None:
    asked = AIMessage("Was there ever a time when you tried to take your own life?")

    assert check(EXPLICIT, asked, DENIAL, safety=record("high"))[0] == "high"


def test_danger_after_a_denial_is_danger_again() -> None:
    level, safety = check(EXPLICIT, ASKED, DENIAL, ASKED, EXPLICIT, safety=record("none", 2))

    assert (level, safety["level"]) == ("high", "high")


@pytest.mark.parametrize(
    ("reply", "answer", "level"),
    [
        (AIMessage("How was your day?"), DENIAL, "high"),
        (AIMessage("Some people think of suicide."), DENIAL, "high"),
        (ASKED, "thank you for asking", "high"),
        (ASKED, f"no, but {EXPLICIT}", "high"),
        (ASKED, "no, marble staircase", "imminent"),
    ],
    ids=["no direct question", "no question", "no denial", "contradiction", "head disagrees"],
)
def test_what_does_not_lead_back(reply: AIMessage, answer: str, level: str) -> None:
    assert check(EXPLICIT, reply, answer, safety=record("high"))[0] == level


def test_the_head_may_take_a_denial_for_what_it_denies() -> None:
    head = fake_crisis_head({"high": "not thinking of suicide"}, WIDE)
    texts = fake_reader(FakeEncoder(dims=WIDE))
    node = CheckCrisis(CrisisReader(texts, head, real_phrases()))

    assert check(DENIAL, node=node)[0] == "high"
    assert check(HARMLESS, ASKED, DENIAL, safety=record("high"), node=node)[0] == "none"


def test_a_denial_does_not_erase_a_plan() -> None:
    level, safety = check(EXPLICIT, ASKED, DENIAL, safety=record("imminent"))

    assert (level, safety["level"]) == ("imminent", "imminent")


def test_a_denial_that_itself_reads_as_imminent_settles_nothing() -> None:
    level, safety = check(
        HARMLESS, ASKED, f"{DENIAL}, {CUES['imminent']}", safety=record("concern")
    )

    assert (level, safety["level"], safety["settled"]) == ("imminent", "imminent", 0)


# --- Failure ------------------------------------------------------------------------------------


class Broken(CrisisReader):
    def read(self, text: str) -> Any:
        raise KeyError(text)


@pytest.mark.parametrize(
    "node",
    [
        CheckCrisis(None),
        CheckCrisis(reader(FakeEncoder(error=RuntimeError("secret words")))),
        CheckCrisis(Broken(fake_reader(), fake_crisis_head(), real_phrases())),
        CheckCrisis(reader(FakeEncoder(dims=7))),
    ],
    ids=["no reader", "encoder fails", "reader fails", "head of another encoder"],
)
def test_whatever_broke_reads_unknown_keeps_the_record_and_logs_no_words(
    node: CheckCrisis, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        level, safety = check("secret words are here", safety=record("high"), node=node)

    assert level == "unknown"
    assert safety == record("high")
    assert "secret" not in caplog.text


def test_a_picture_cannot_be_read() -> None:
    picture: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:,"}}

    assert check(HumanMessage([picture]))[0] == "unknown"
    assert check(HARMLESS, HumanMessage([picture]))[0] == "unknown"
    assert check(ASKED, HumanMessage([{"type": "text", "text": DENIAL}, picture]))[0] == "unknown"


def test_danger_in_the_words_beside_a_picture_is_read() -> None:
    picture: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:,"}}

    level, safety = check(HumanMessage([{"type": "text", "text": EXPLICIT}, picture]))

    assert (level, safety["level"]) == ("high", "high")


def test_a_state_without_messages_reads_unknown() -> None:
    assert NODE(cast(State, {}))["crisis"]["level"] == "unknown"
