"""The node retrieve_strategies: what it asks the store, and what it says when it cannot."""

import logging

import numpy as np
import pytest
from langchain_core.messages import AnyMessage, HumanMessage

from graph.state import EmotionReading, IntentChoice, State
from models.features import conversation_vector
from nodes.retrieve import RetrieveStrategies
from tests.fakes import (
    GROUNDING,
    WALK,
    FakeEncoder,
    FakeStore,
    hashed_words,
    real_contraindications,
)

RULES = real_contraindications()
INTENT: IntentChoice = {"label": "suggesting", "scores": {}, "reason": "the head's choice"}
EMOTION: EmotionReading = {"label": "lonely", "scores": {"lonely": 0.5, "sad": 0.2}}


def state(*texts: str) -> State:
    messages: list[AnyMessage] = [HumanMessage(text) for text in texts]
    return {"messages": messages, "emotion": EMOTION, "intent": INTENT}


def node(encoder: FakeEncoder | None = None, store: FakeStore | None = None) -> RetrieveStrategies:
    return RetrieveStrategies(encoder or FakeEncoder(), store or FakeStore(), RULES)


def test_strategies_near_the_conversation_and_its_emotions() -> None:
    store = FakeStore()
    texts = [f"message {number}" for number in range(6)]

    update = node(store=store)(state(*texts))

    assert update == {
        "strategies": [GROUNDING, WALK],
        "retrieval_failed": False,
        "attempts": 0,
    }
    [(query, k)] = store.searches
    expected = conversation_vector([hashed_words(text) for text in texts[-4:]])
    assert np.allclose(query.vector, expected)
    assert all(type(value) is float for value in query.vector)
    assert query.emotions == EMOTION["scores"]
    assert query.intent == "suggesting"
    assert k == 3


def test_what_was_offered_is_not_offered_again() -> None:
    update = node()({**state("it is no better today"), "offered": [GROUNDING["id"]]})

    assert update["strategies"] == [WALK]


@pytest.mark.parametrize(
    "text",
    [
        "what was that grounding thing again?",
        "can you remind me how it goes",
        "I lost the exercise you suggested",
        "tell me that one again please",
        "how did that go again?",
    ],
)
def test_what_was_offered_is_offered_again_to_who_asks(text: str) -> None:
    store = FakeStore()

    update = node(store=store)({**state(text), "offered": [WALK["id"]]})

    assert update["strategies"] == [GROUNDING, WALK]
    assert store.searches[0][0].again == [WALK["id"]]


@pytest.mark.parametrize(
    "text", ["he did it again", "here I am again", "I cannot go through that again"]
)
def test_the_word_again_is_no_request(text: str) -> None:
    update = node()({**state(text), "offered": [GROUNDING["id"]]})

    assert update["strategies"] == [WALK]


def test_what_makes_it_worse_is_ruled_out_for_the_whole_conversation() -> None:
    store = FakeStore()

    node(store=store)(state("breathing exercises make my panic worse", "what else can i do"))

    [(query, _)] = store.searches
    assert "breathing" in query.ruled_out.techniques


def test_a_new_turn_counts_its_attempts_from_zero() -> None:
    assert node()({**state("hello"), "attempts": 2})["attempts"] == 0
    assert RetrieveStrategies(None, None, RULES)({**state("hello"), "attempts": 2})["attempts"] == 0


def test_finding_nothing_is_not_failing() -> None:
    update = node(store=FakeStore([]))(state("hello"))

    assert update["strategies"] == []
    assert not update["retrieval_failed"]


def test_no_words_search_nothing() -> None:
    store = FakeStore()

    update = node(store=store)(state(" "))

    assert update["strategies"] == []
    assert not update["retrieval_failed"]
    assert store.searches == []


@pytest.mark.parametrize(
    "failing",
    [
        RetrieveStrategies(None, FakeStore(), RULES),
        RetrieveStrategies(FakeEncoder(), None, RULES),
        RetrieveStrategies(FakeEncoder(), FakeStore(), None),
        node(store=FakeStore(error=RuntimeError("secret words"))),
        node(FakeEncoder(error=ValueError("secret words"))),
    ],
    ids=["no encoder", "no store", "no contraindications", "store fails", "encoder fails"],
)
def test_a_failure_finds_none_and_is_marked(
    failing: RetrieveStrategies, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = failing(state("secret words"))

    assert update["strategies"] == []
    assert update["retrieval_failed"]
    assert "secret" not in caplog.text
