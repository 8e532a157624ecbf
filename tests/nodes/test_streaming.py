"""Reviewed words leave as they come: into a run's stream, a sentence at a time, up to a fault."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from graph.state import Fault
from nodes import generate
from nodes.generate import guard, mirrors
from nodes.review.reviewer import ReviewContext, Reviewer
from nodes.streaming import release
from tests.fakes import real_reviewer

SAID = "I lost my job and I feel so small"
GOOD = ("No wonder you feel small.", "Losing a job hurts.", "What has it been like since then?")
PROMISE = "I promise you that everything will be fine."
NUMBER = "Call 555-867-5309 now."
QUESTION = "What happened?"
CONTEXT = ReviewContext(person=(SAID,), replies=(), strategies=())
BRIEF = ReviewContext(person=("hi",), replies=(), strategies=())
"""A message of too few words to pick one up."""


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been released so far, in order."""
    sentences: list[str] = []
    monkeypatch.setattr(generate, "release", sentences.extend)
    return sentences


class Nothing(TypedDict):
    done: bool


def test_sentences_reach_whoever_listens_in_order() -> None:
    def node(state: Nothing) -> Nothing:
        release(["One.", "Two."])
        release([])
        release(iter(["Three."]))
        return {"done": True}

    graph = StateGraph(Nothing)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.add_edge("node", END)

    events = list(graph.compile().stream({"done": False}, stream_mode="custom"))

    assert events == [{"type": "sentence", "text": text} for text in ("One.", "Two.", "Three.")]


def test_outside_a_run_nobody_listens() -> None:
    sentences = iter(["One."])
    release(sentences)
    assert list(sentences) == ["One."]


# --- Guarded streaming --------------------------------------------------------------------------


def test_a_sentence_is_released_once_the_next_one_begins(released: list[str]) -> None:
    seen: list[tuple[str, int]] = []

    def pieces() -> Iterator[str]:
        for sentence in GOOD:
            for word in sentence.split():
                seen.append((word, len(released)))
                yield word + " "

    draft = guard(pieces(), real_reviewer(), CONTEXT)

    assert tuple(draft.sentences) == tuple(released) == GOOD
    assert draft.faults == []
    # Nothing of a sentence is out while its own words still arrive.
    assert dict(seen)["small."] == 0
    assert dict(seen)["hurts."] == 1
    assert dict(seen)["then?"] == 2


@pytest.mark.parametrize("fault", [PROMISE, NUMBER])
def test_a_fault_stops_the_model_and_nothing_of_it_is_released(
    released: list[str], fault: str
) -> None:
    asked: list[str] = []

    def pieces() -> Iterator[str]:
        for sentence in (*GOOD[:2], fault, "And so on.", "Never read.", "Nor this."):
            asked.append(sentence)
            yield sentence + " "

    draft = guard(pieces(), real_reviewer(), CONTEXT)

    assert tuple(draft.sentences) == tuple(released) == GOOD[:2]
    assert draft.faults
    assert asked[-1] == "And so on."


def test_a_question_is_held_until_something_else_is_said(released: list[str]) -> None:
    alone = guard(iter([QUESTION + " "]), real_reviewer(), CONTEXT)
    assert alone.sentences == released == []
    assert [fault["name"] for fault in alone.faults] == ["only a question"]

    cured = guard(iter([QUESTION, " ", GOOD[0], " ", GOOD[1]]), real_reviewer(), CONTEXT)
    assert cured.sentences == released == [QUESTION, *GOOD[:2]]
    assert cured.faults == []


def test_a_held_question_is_dropped_with_the_fault_after_it(released: list[str]) -> None:
    draft = guard(iter([f"{QUESTION} {PROMISE} More."]), real_reviewer(), CONTEXT)

    assert draft.sentences == released == []
    assert len(draft.faults) >= 1


@pytest.mark.parametrize("end", ["and then he", "and then he,", "because"])
def test_a_sentence_that_was_cut_off_is_dropped(released: list[str], end: str) -> None:
    draft = guard(iter([" ".join(GOOD[:2]), " ", end]), real_reviewer(), CONTEXT)

    assert tuple(draft.sentences) == tuple(released) == GOOD[:2]


def test_nothing_and_blanks(released: list[str]) -> None:
    for pieces in ([], [""], [" ", "\n\n"]):
        draft = guard(iter(pieces), real_reviewer(), CONTEXT)
        assert draft.sentences == released == []


def test_a_draft_that_picks_up_nothing_is_not_released(released: list[str]) -> None:
    unrelated = "That sounds really heavy. It makes sense to be tired. You feel small. And so on."

    draft = guard(iter([unrelated]), real_reviewer(), CONTEXT)

    assert draft.sentences == released == []
    assert draft.faults == [generate.UNRELATED]


def test_what_was_said_may_be_picked_up_in_the_second_sentence(released: list[str]) -> None:
    draft = guard(iter(["That sounds heavy. You feel small. Next."]), real_reviewer(), CONTEXT)

    assert draft.sentences[:2] == released[:2] == ["That sounds heavy.", "You feel small."]
    assert draft.faults == []


@pytest.mark.parametrize(
    ("said", "draft", "picked"),
    [
        ("I was crying at the station", "You cried.", False),
        ("I was crying at the station", "Crying when you travel is hard.", True),
        ("I was crying at the station", "Those stations are loud, and you were alone.", True),
        ("I was crying at the station", "That sounds hard for you.", False),
        ("I was crying at the station", "Crying is human.", False),
        ("hi", "That sounds hard.", True),
        ("I feel bad", "That sounds hard.", True),
    ],
)
def test_words_are_picked_up_by_their_first_letters(said: str, draft: str, picked: bool) -> None:
    context = ReviewContext(person=("something else entirely", said), replies=(), strategies=())

    assert mirrors([draft], context) == picked


def test_the_model_is_stopped_after_four_sentences(released: list[str]) -> None:
    read: list[str] = []

    def pieces() -> Iterator[str]:
        for sentence in (*GOOD, "I hear you.", "Five.", "Six is more.", "Seven is too much."):
            read.append(sentence)
            yield sentence + " "

    draft = guard(pieces(), real_reviewer(), CONTEXT)

    assert draft.sentences == released == [*GOOD, "I hear you."]
    assert read[-1] == "Five."


class Picky(Reviewer):
    """Rejects drafts with a word, to test the guard with any text."""

    def review(
        self, sentences: Sequence[str], context: ReviewContext, *, finished: bool
    ) -> list[Fault]:
        bad = any("BAD" in sentence for sentence in sentences)
        held = "HOLD" in sentences[-1]
        faults: list[Fault] = [{"name": "bad", "why": "bad"}] if bad else []
        return [*faults, {"name": "only a question", "why": "hold"}] if held else faults


SENTENCE = st.sampled_from(["One is fine.", "Two is BAD.", "Three is on HOLD.", "Four?", "Five!"])


@given(st.lists(SENTENCE), st.integers(1, 9))
def test_the_draft_is_what_was_released_and_never_more_than_passed(
    sentences: list[str], size: int
) -> None:
    text = " ".join(sentences)
    out: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "release", out.extend)
        picky = Picky(real_reviewer().rules, None)
        draft = guard((text[i : i + size] for i in range(0, len(text), size)), picky, BRIEF)

    assert draft.sentences == out == sentences[: len(out)]
    assert not any("BAD" in sentence for sentence in out)
    assert not out or "HOLD" not in out[-1]
    if not any("BAD" in each or "HOLD" in each for each in sentences[:4]):
        assert out == sentences[:4]
