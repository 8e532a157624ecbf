"""The stages of the crisis protocol: confirm, guide, stay; and urgent until help was reached."""

import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from graph.state import CrisisLevel, State
from knowledge.helplines import load_registry
from knowledge.protocol_answers import Answer, load_protocol_answers
from knowledge.protocol_texts import (
    PLAN_STEPS,
    Audience,
    Level,
    PartName,
    ProtocolText,
    load_protocol_texts,
)
from nodes.escalation.constant import CONSTANT_REPLY
from nodes.escalation.node import Escalate
from nodes.escalation.plan import SELF_HARM, SOMEONE_ELSE, Situation, plan_parts, plan_step
from nodes.escalation.recall import said_in
from nodes.escalation.stages import Stage, stage_of

TEXTS = load_protocol_texts()
ANSWERS = load_protocol_answers()
NODE = Escalate(TEXTS, load_registry(), ANSWERS)
DATA = Path(__file__).parents[1].joinpath("knowledge", "data", "answers_said.toml")
BARRIERS: dict[Audience, dict[str, list[str]]] = tomllib.loads(DATA.read_text(encoding="utf-8"))[
    "barriers"
]

LEVELS: Final[tuple[Level, ...]] = ("concern", "high", "imminent")
SIGNALS: Final[tuple[tuple[str, ...], ...]] = ((), (SOMEONE_ELSE,), (SELF_HARM,))
HURTS = "it hurts"
REACHED = "I called my sister"
SAFE = "I'm safe now"
REFUSES = "I won't call anyone"
MESSAGES: Final = [
    *(HURTS, "no", REACHED, SAFE, REFUSES, "I am in Canada", "I'm not safe"),
    *(said[0] for kinds in BARRIERS.values() for said in kinds.values()),
]


def play(
    messages: Sequence[str],
    levels: Sequence[CrisisLevel],
    signals: Sequence[str] = (),
    country: str | None = None,
) -> Iterator[tuple[str, list[ProtocolText]]]:
    """Say each reply with its texts; the last of `levels` stands for all later turns."""
    config: Any = {"configurable": {"country": country} if country else {}}
    state: State = {"messages": []}
    for turn, message in enumerate(messages):
        level = levels[min(turn, len(levels) - 1)]
        state["messages"] = [HumanMessage(message)]
        state["crisis"] = {"level": level, "score": 0.9, "signals": list(signals)}
        update = NODE(state, config)
        state["safety"] = update["safety"]
        reply = str(update["messages"][0].content)
        assert reply != CONSTANT_REPLY
        yield reply, said_in(reply, TEXTS)


def parts(texts: Sequence[ProtocolText]) -> list[PartName]:
    return [text.part for text in texts]


def situation(
    level: Level,
    turn: int,
    *,
    audience: Audience = "self",
    said: Sequence[str] = (),
    signals: Sequence[str] = (),
    answer: Answer = "other",
) -> Situation:
    return Situation(level, audience, turn, TEXTS.by_ids(said), signals, answer)


# --- The plan -----------------------------------------------------------------------------------


def test_the_plan_of_a_first_turn_has_every_step() -> None:
    for level, audience in product(("concern", "high"), ("self", "other")):
        first = plan_parts(situation(level, 0, audience=audience))  # type: ignore[arg-type]
        assert {"opening", "ask", "guide", "emergency", "human", "stay"} <= set(first)
        assert first.index("opening") < first.index("ask") < first.index("guide")
    assert plan_parts(situation("imminent", 0))[:4] == [
        "opening",
        "emergency",
        "means_safety",
        "ask",
    ]
    assert plan_parts(situation("unknown", 0))[:3] == ["unknown", "emergency", "guide"]


def test_the_plan_names_the_emergency_number_more_often_with_self_harm() -> None:
    assert "emergency" not in plan_parts(situation("concern", 2))
    assert "emergency" in plan_parts(situation("concern", 2, signals=[SELF_HARM]))
    assert "emergency" in plan_parts(situation("high", 2))


def test_the_plan_says_once_in_a_thread_that_this_is_a_program() -> None:
    for level in LEVELS:
        said = [parts(texts) for _, texts in play([HURTS] * 12, [level])]
        assert sum("program" in each for each in said[:3]) == 1
        assert not any("program" in each for each in said[3:])


# --- The stages ---------------------------------------------------------------------------------

ASKED: Final = {
    "concern": ["ask-concern-1", "ask-concern-2", "ask-concern-3"],
    "high": ["ask-high-1", "ask-high-2", "ask-high-3"],
}
QUESTIONS: Final = {"concern": 2, "high": 3}
GUIDED: Final = ["human-self-1", "human-self-2", "human-self-3"]


@pytest.mark.parametrize("level", ["concern", "high"])
def test_the_stages_follow_one_another(level: Level) -> None:
    def stage(said: Sequence[str], answer: Answer = "other") -> Stage:
        return stage_of(level, TEXTS.by_ids(said), answer)

    needed = QUESTIONS[level]
    asked = ASKED[level][:needed]
    stages = [stage(asked[:count]) for count in range(needed + 1)]
    assert stages == [*["confirm"] * needed, "guide"]
    assert [stage(asked + GUIDED[:count]) for count in range(4)] == [*["guide"] * 3, "stay"]
    # Whoever is safe, or has somebody, is asked all the same, and then not sent to others again.
    for answer in ("safe", "reached"):
        assert stage(asked[: needed - 1], answer) == "confirm"  # type: ignore[arg-type]
        assert stage(asked, answer) == "stay"  # type: ignore[arg-type]
    assert stage([*asked, "reached-self-1"]) == "stay"
    assert stage(asked, "refuses") == "guide"


@pytest.mark.parametrize(
    ("level", "audience"), list(product(["concern", "high"], ["self", "other"]))
)
def test_a_conversation_goes_through_the_stages_in_order(level: Level, audience: Audience) -> None:
    signals = (SOMEONE_ELSE,) if audience == "other" else ()
    said = [parts(texts) for _, texts in play([HURTS] * 12, [level], signals, "US")]
    asks = [turn for turn, each in enumerate(said) if "ask" in each]
    people = [turn for turn, each in enumerate(said) if "human" in each]
    checks = [turn for turn, each in enumerate(said) if {"check_back", "safety_plan"} & set(each)]
    assert asks == list(range(QUESTIONS[level]))
    assert len(people) == 3
    assert max(asks) < max(people) < min(checks)
    assert checks[-1] >= 10


@pytest.mark.parametrize(("before", "after"), [("concern", "high"), ("high", "imminent")])
def test_a_rise_of_the_level_asks_again_at_the_new_level(before: Level, after: Level) -> None:
    turns = list(play([HURTS] * 10, [before] * 6 + [after]))
    assert not any(text.part == "ask" for text in turns[5][1])
    for _, texts in turns[6:9]:
        [asked] = [text for text in texts if text.part == "ask"]
        assert asked.levels == (after,)
    assert ("means_safety" in parts(turns[6][1])) == (after == "imminent")


@pytest.mark.parametrize("signals", SIGNALS)
def test_imminent_danger_is_urgent_until_help_is_reached(signals: tuple[str, ...]) -> None:
    messages = [HURTS, SAFE, REFUSES, HURTS, "my sister isn't coming", REACHED, HURTS, HURTS, HURTS]
    said = [parts(texts) for _, texts in play(messages, ["imminent"], signals, "GB")]
    assert all(each[1] == "emergency" for each in said[:5])
    assert [each[0] for each in said] == ["opening", *["acknowledge"] * 4, "reached"] + [
        "acknowledge"
    ] * 3
    assert not any("means_safety" in each or "ask" in each for each in said[5:])
    assert any("emergency" in each for each in said[6:])
    assert not any("safety_plan" in each for each in said)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("audience", ["self", "other"])
def test_a_refusal_brings_the_text_for_what_stands_in_the_way(
    level: Level, audience: Audience
) -> None:
    signals = (SOMEONE_ELSE,) if audience == "other" else ()
    for kind, [message, *_] in BARRIERS[audience].items():
        *_, (_, first), (_, second) = play([HURTS, message, message], [level], signals, "US")
        [barrier] = [text for text in first if text.part == "barrier"]
        assert (barrier.kind, barrier.audience) == (kind, audience)
        assert "guide" in parts(first)
        [again] = [text for text in second if text.part == "barrier"]
        assert again != barrier
    *_, (_, texts) = play([HURTS, REFUSES], [level])
    assert next(text.kind for text in texts if text.part == "barrier") == "any"


def test_the_safety_plan_goes_through_its_steps_and_begins_again() -> None:
    for level in ("concern", "high"):
        said = [texts for _, texts in play([HURTS] * 45, [level])]
        plan = [text for texts in said for text in texts if text.part == "safety_plan"]
        assert len(plan) >= 2 * len(PLAN_STEPS)
        for place, text in enumerate(plan):
            assert text.kind == PLAN_STEPS[place % len(PLAN_STEPS)]
        assert len(set(plan[:21])) == len(plan[:21])
    assert plan_step([]) == PLAN_STEPS[0]
    assert plan_step(plan[:6]) == PLAN_STEPS[6]
    assert plan_step(plan[:7]) == PLAN_STEPS[0]


@pytest.mark.parametrize(("level", "signals"), list(product(LEVELS, SIGNALS)))
def test_help_that_was_reached_is_welcomed(level: Level, signals: tuple[str, ...]) -> None:
    for turn in (1, 2, 4, 7, 11):
        *_, (_, texts) = play([HURTS] * turn + [REACHED], [level], signals)
        assert parts(texts)[0] == "reached"


# --- Every path ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "signals"), list(product((*LEVELS, "unknown"), SIGNALS)))
@settings(max_examples=8, deadline=None, derandomize=True)
@given(messages=st.lists(st.sampled_from(MESSAGES), min_size=14, max_size=14))
def test_each_reply_leads_to_a_human_and_quotes_no_question_before_another(
    level: CrisisLevel, signals: tuple[str, ...], messages: list[str]
) -> None:
    for reply, texts in play(messages, [level], signals):
        said = parts(texts)
        assert {"guide", "emergency", "human"} & set(said), said
        assert len(said) == len(set(said)), said
        if "ask_them" in said:
            assert said[-1] == "ask_them"
            assert signals == (SOMEONE_ELSE,)
            assert "?" not in reply[reply.rindex(texts[-1].text) :]


PATHS: Final[list[list[CrisisLevel]]] = [
    ["concern"],
    ["high"],
    ["imminent"],
    ["concern", "concern", "high"],
    ["concern", "high", "high", "imminent"],
    ["concern"] * 7 + ["imminent"],
]


@pytest.mark.parametrize(("levels", "signals"), list(product(PATHS, SIGNALS)))
def test_ten_turns_say_no_sentence_twice_whatever_is_answered(
    levels: list[CrisisLevel], signals: tuple[str, ...]
) -> None:
    for seed, country in product(range(4), (None, "US")):
        messages = random.Random(seed).choices(MESSAGES, k=10)
        said: Counter[str] = Counter()
        for reply, _ in play(messages, levels, signals, country):
            said.update(re.split(r"(?<=[.?!])\s+", reply))
        assert [one for one, times in said.items() if times > 1] == [], (messages, country)
