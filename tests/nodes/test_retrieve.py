"""The node retrieve_strategies: what it asks the store, and what it says when it cannot."""

import logging

import numpy as np
import pytest
from langchain_core.messages import AnyMessage, HumanMessage

from graph.state import EmotionReading, State
from models.features import conversation_vector
from nodes.retrieve import RetrieveStrategies
from tests.fakes import GROUNDING, WALK, FakeEncoder, FakeStore, hashed_words

EMOTION: EmotionReading = {"label": "lonely", "scores": {"lonely": 0.5, "sad": 0.2}}


def state(*texts: str) -> State:
    messages: list[AnyMessage] = [HumanMessage(text) for text in texts]
    return {"messages": messages, "emotion": EMOTION}


def test_strategies_near_the_conversation_and_its_emotions() -> None:
    store = FakeStore()
    texts = [f"message {number}" for number in range(6)]

    update = RetrieveStrategies(FakeEncoder(), store)(state(*texts))

    assert update == {
        "strategies": [GROUNDING, WALK],
        "retrieval_failed": False,
        "attempts": 0,
    }
    [search] = store.searches
    expected = conversation_vector([hashed_words(text) for text in texts[-4:]])
    assert np.allclose(search["vector"], expected)
    assert all(type(value) is float for value in search["vector"])
    assert search["emotions"] == EMOTION["scores"]
    assert search["k"] == 3


def test_what_was_offered_is_not_offered_again() -> None:
    node = RetrieveStrategies(FakeEncoder(), FakeStore())

    update = node({**state("again"), "offered": [GROUNDING["id"]]})

    assert update["strategies"] == [WALK]


def test_a_new_turn_counts_its_attempts_from_zero() -> None:
    node = RetrieveStrategies(FakeEncoder(), FakeStore())

    assert node({**state("hello"), "attempts": 2})["attempts"] == 0
    assert RetrieveStrategies(None, None)({**state("hello"), "attempts": 2})["attempts"] == 0


def test_finding_nothing_is_not_failing() -> None:
    update = RetrieveStrategies(FakeEncoder(), FakeStore([]))(state("hello"))

    assert update["strategies"] == []
    assert not update["retrieval_failed"]


def test_no_words_search_nothing() -> None:
    store = FakeStore()

    update = RetrieveStrategies(FakeEncoder(), store)(state(" "))

    assert update["strategies"] == []
    assert not update["retrieval_failed"]
    assert store.searches == []


@pytest.mark.parametrize(
    "node",
    [
        RetrieveStrategies(None, FakeStore()),
        RetrieveStrategies(FakeEncoder(), None),
        RetrieveStrategies(FakeEncoder(), FakeStore(error=RuntimeError("secret words"))),
        RetrieveStrategies(FakeEncoder(error=ValueError("secret words")), FakeStore()),
    ],
    ids=["no encoder", "no store", "store fails", "encoder fails"],
)
def test_a_failure_finds_none_and_is_marked(
    node: RetrieveStrategies, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        update = node(state("secret words"))

    assert update["strategies"] == []
    assert update["retrieval_failed"]
    assert "secret" not in caplog.text
