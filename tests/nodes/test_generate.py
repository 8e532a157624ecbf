"""The node generate_reply: what is released, when it stops, and what failed models leave."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from graph.state import Fault, State
from models.chat import ChatError
from nodes import generate
from nodes.generate import GenerateReply, compose, guard, mirrors
from nodes.review.reviewer import ReviewContext, Reviewer
from tests.fakes import GROUNDING, Fail, FakeChat, Hang, real_composer, real_reviewer

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


def state(**changes: Any) -> State:
    whole: dict[str, Any] = {
        "messages": [HumanMessage(SAID)],
        "emotion": {"label": "sad", "scores": {"sad": 0.7}},
        "intent": {"label": "suggesting", "scores": {}, "reason": ""},
        "strategies": [GROUNDING],
        "attempts": 0,
    }
    return cast(State, whole | changes)


def node(chat: FakeChat | None, reviewer: Reviewer | None = None, **changes: Any) -> GenerateReply:
    options: dict[str, Any] = {
        "max_new_tokens": 99,
        "temperature": 0.5,
        "timeout": 0.2,
        "history_tokens": 300,
        "prompting": "empathy",
    }
    return GenerateReply(chat, reviewer or real_reviewer(), real_composer(), **options | changes)


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
        ("I was crying at the station", "Crying in public is hard.", True),
        ("I was crying at the station", "Those stations are loud.", True),
        ("I was crying at the station", "That sounds hard.", False),
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


# --- The node -----------------------------------------------------------------------------------


def test_a_good_draft_and_what_the_model_was_asked(released: list[str]) -> None:
    chat = FakeChat(" ".join(GOOD))

    update = node(chat)(state(), {})

    assert update == {
        "draft": list(GOOD),
        "draft_source": "model",
        "attempts": 1,
        "faults": [],
    }
    assert released == list(GOOD)
    [prompt], [options] = chat.prompts, chat.options
    assert prompt[-1].content == SAID
    assert GROUNDING["text"] in prompt[0].text
    assert options == {"max_new_tokens": 99, "temperature": 0.5, "timeout": 0.2}


def test_a_call_can_choose_the_prompting(released: list[str]) -> None:
    chat = FakeChat(*[" ".join(GOOD)] * 3)
    reply = node(chat)

    reply(state(), {})
    reply(state(), {"configurable": {"prompting": "plain"}})
    reply(state(), {"configurable": {"prompting": None}})

    empathy, plain, default = (prompt[0].text for prompt in chat.prompts)
    assert empathy == default
    assert "feels sad" in empathy
    assert "feels sad" not in plain


def test_a_retry_names_the_fault_and_a_first_draft_names_none(released: list[str]) -> None:
    faults: list[Fault] = [{"name": "promise", "why": "It promises what nobody can know."}]
    chat = FakeChat(*[" ".join(GOOD)] * 2)

    update = node(chat)(state(attempts=1, faults=faults), {})
    node(chat)(state(attempts=0, faults=faults), {})

    assert update["attempts"] == 2
    assert faults[0]["why"] in chat.prompts[0][0].text
    assert faults[0]["why"] not in chat.prompts[1][0].text


def test_the_draft_is_reviewed_against_what_was_said_before(released: list[str]) -> None:
    messages = [HumanMessage("hi"), AIMessage(" ".join(GOOD[:2])), HumanMessage(SAID)]

    update = node(FakeChat(" ".join(GOOD)))(state(messages=messages), {})

    assert update["draft"] == released == []
    assert [fault["name"] for fault in update["faults"]] == ["repetition"]


@pytest.mark.parametrize(
    "reply",
    [
        Fail(OSError("secret words")),
        Fail(ChatError("no answer")),
        Fail(MemoryError()),
        Hang(),
        "",
        "  \n ",
    ],
    ids=["raises", "chat error", "out of memory", "hangs", "nothing", "blanks"],
)
def test_a_model_that_fails_leaves_an_empty_draft_without_faults(
    reply: str | Fail | Hang, released: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = node(FakeChat(reply))(state(), {})

    assert update == {"draft": [], "draft_source": "model", "attempts": 1, "faults": []}
    assert released == []
    assert "secret" not in caplog.text
    assert SAID not in caplog.text


@pytest.mark.parametrize("end", [Fail(OSError(), " ".join(GOOD)), Hang(" ".join(GOOD))])
def test_a_model_that_breaks_off_keeps_its_whole_sentences(
    end: Fail | Hang, released: list[str]
) -> None:
    update = node(FakeChat(end))(state(), {})

    # The last sentence ends with a mark, so it is whole, however the stream ended.
    assert update["draft"] == released == list(GOOD)


def test_without_a_model_a_reply_is_composed_and_released(released: list[str]) -> None:
    update = node(None)(state(), {})

    assert update["draft_source"] == "composed"
    assert update["draft"] == released == compose(real_composer(), state())
    assert update["faults"] == []
    assert real_reviewer().review(update["draft"], CONTEXT, finished=True) == []


def test_without_review_no_model_is_asked(released: list[str]) -> None:
    reply = GenerateReply(FakeChat(), None, real_composer(), 99, 0.5, 1.0, 300, "empathy")

    update = reply(state(), {})

    assert update["draft_source"] == "composed"
    assert update["draft"] == released != []


@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_no_words_are_answered_without_the_model(text: str, released: list[str]) -> None:
    chat = FakeChat()
    messages = [HumanMessage(SAID), AIMessage("Tell me more."), HumanMessage(text)]

    update = node(chat)(state(messages=messages), {})

    assert chat.calls == 0
    assert update["draft_source"] == "composed"
    assert update["draft"] == released == real_composer().no_words(replies=("Tell me more.",))
