"""The node review_reply: send, ask again, or finish from reviewed parts."""

from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from graph.state import Fault, State
from nodes.generate import compose
from nodes.review import node as module
from nodes.review.context import review_context
from nodes.review.node import ReviewReply, route_review
from tests.fakes import GROUNDING, WALK, real_composer, real_reviewer

SAID = "I lost my job and I feel so small"
GOOD = ["That sounds really heavy.", "Losing a job hurts.", "What has it been like since then?"]
REWORDED = "Some people pause for a moment and name five colours around them, slowly."
FAULTS: list[Fault] = [{"name": "promise", "why": "It promises what nobody can know."}]
NODE = ReviewReply(real_reviewer(), real_composer())


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the node itself has released."""
    sentences: list[str] = []
    monkeypatch.setattr(module, "release", sentences.extend)
    return sentences


def state(**changes: Any) -> State:
    whole: dict[str, Any] = {
        "messages": [HumanMessage(SAID)],
        "emotion": {"label": "sad", "scores": {"sad": 0.7}},
        "intent": {"label": "questioning", "scores": {}, "reason": ""},
        "strategies": [GROUNDING, WALK],
        "draft": GOOD,
        "draft_source": "model",
        "faults": [],
        "attempts": 1,
    }
    return cast(State, whole | changes)


def reply_of(update: Any) -> str:
    [message] = update["messages"]
    assert isinstance(message, AIMessage)
    return str(message.text)


def route(before: State, update: Any) -> str:
    """Where the turn goes after this update of the state."""
    return route_review(cast(State, {**before, **update}))


def test_a_draft_without_faults_is_sent_as_it_is(released: list[str]) -> None:
    update = NODE(state())

    assert reply_of(update) == " ".join(GOOD)
    assert update["reply_source"] == "model"
    assert not any((update["draft"], update["faults"], released))
    assert route(state(), update) == "__end__"


def test_a_composed_draft_is_sent_without_a_second_look(released: list[str]) -> None:
    update = NODE(state(draft_source="composed", draft=["One.", "Two."]))

    assert reply_of(update) == "One. Two."
    assert update["reply_source"] == "composed"
    assert released == []


def test_a_rejected_first_draft_is_asked_for_again() -> None:
    update = NODE(state(draft=[], faults=FAULTS))

    assert update == {"faults": FAULTS}
    assert route(state(), update) == "generate_reply"


@pytest.mark.parametrize(
    "changes",
    [{"faults": FAULTS, "attempts": 2}, {"faults": []}],
    ids=["rejected twice", "the model failed"],
)
def test_without_a_draft_the_reply_is_composed(
    changes: dict[str, Any], released: list[str]
) -> None:
    before = state(draft=[], **changes)

    update = NODE(before)

    assert update["reply_source"] == "composed"
    assert released == compose(real_composer(), before)
    assert reply_of(update) == " ".join(released)
    assert route(before, update) == "__end__"


def test_two_good_sentences_stand_although_the_third_was_stopped(released: list[str]) -> None:
    update = NODE(state(draft=GOOD[1:], faults=FAULTS))

    assert reply_of(update) == " ".join(GOOD[1:])
    assert update["reply_source"] == "model"
    assert released == []


@pytest.mark.parametrize(
    ("draft", "faults", "why"),
    [
        (GOOD[:1], FAULTS, "one sentence before the fault is too little"),
        ([*GOOD[:2], "I hope things get better."], [], "the ending leaves no room"),
    ],
)
def test_what_was_released_is_finished_and_never_taken_back(
    draft: list[str], faults: list[Fault], why: str, released: list[str]
) -> None:
    before = state(draft=draft, faults=faults)
    if not faults:
        assert real_reviewer().review(draft, review_context(before), finished=True), why

    update = NODE(before)

    assert released, why
    assert reply_of(update) == " ".join([*draft, *released])
    assert update["reply_source"] == "composed"
    whole = [*draft, *released]
    assert real_reviewer().review(whole, review_context(before), finished=True) == []


def test_without_a_reviewer_no_draft_of_a_model_stands(released: list[str]) -> None:
    update = ReviewReply(None, real_composer())(state())

    assert update["reply_source"] == "composed"
    assert released


def test_offered_strategies_are_remembered_in_whatever_words() -> None:
    quoted = [*GOOD[:2], WALK["text"], "How does that sound?"]
    reworded = [*GOOD[:2], REWORDED]

    assert NODE(state())["offered"] == []
    for source in ("composed", "model"):
        assert NODE(state(draft=quoted, draft_source=source))["offered"] == [WALK["id"]]
    assert NODE(state(draft=reworded))["offered"] == [GROUNDING["id"]]
    assert NODE(state(strategies=[], draft=reworded))["offered"] == []


def test_what_was_offered_is_appended_and_bounded() -> None:
    earlier = [f"card-{number}" for number in range(30)]

    update = NODE(state(offered=earlier, draft=[*GOOD[:2], REWORDED]))

    assert update["offered"] == [*earlier[1:], GROUNDING["id"]]
    assert len(earlier) == 30


def test_the_context_is_all_that_was_said_and_offered() -> None:
    messages = [HumanMessage("hi"), AIMessage("Hello."), HumanMessage("\u200bI am  low")]

    context = review_context(state(messages=messages))

    assert context.person == ("hi", "I am low")
    assert context.replies == ("Hello.",)
    assert context.strategies == (GROUNDING["text"], WALK["text"])
