"""What the heads read of a conversation."""

import numpy as np
import pytest

from models.encoder import Vector, unit
from models.features import (
    RECENT_MESSAGES,
    conversation_text,
    conversation_vector,
    intent_features,
    position_features,
)
from models.labels import INTENTS

E = [np.eye(8, dtype=np.float32)[i] for i in range(8)]


def parts(features: Vector) -> list[Vector]:
    """Split into conversation, position, last intent, intent before it."""
    sizes = [8, 5, len(INTENTS) + 1, len(INTENTS) + 1]
    assert features.shape == (sum(sizes),)
    return np.split(features, np.cumsum(sizes)[:-1])


def test_one_message_is_its_own_conversation() -> None:
    assert np.allclose(conversation_vector([E[0]]), E[0])


def test_the_last_message_weighs_most_and_the_oldest_are_left_out() -> None:
    vector = conversation_vector(E[:6])

    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector.dtype == np.float32
    assert list(vector[: 6 - RECENT_MESSAGES]) == [0, 0]
    read = vector[6 - RECENT_MESSAGES : 6]
    assert list(read) == sorted(read)
    assert read[-1] / read[-2] == pytest.approx(1 / 0.6, rel=1e-4)


def test_opposite_messages_do_not_divide_by_zero() -> None:
    assert np.isfinite(conversation_vector([E[0], -E[0] * np.float32(0.6)])).all()
    assert np.isfinite(unit(np.zeros(4, dtype=np.float32))).all()


@pytest.mark.parametrize("count", [1, RECENT_MESSAGES, RECENT_MESSAGES + 3])
def test_the_text_of_a_conversation_is_its_latest_messages_oldest_first(count: int) -> None:
    messages = [f"message {number}" for number in range(count)]

    text = conversation_text(messages)

    assert text.split(" [SEP] ") == messages[-RECENT_MESSAGES:]


def test_a_first_message_alone_is_its_own_text() -> None:
    assert conversation_text(["nobody calls"]) == "nobody calls"


def test_the_conversation_comes_first_and_is_not_changed() -> None:
    conversation, position, latest, earlier = parts(intent_features(E[3], 1, []))

    assert np.array_equal(conversation, E[3])
    assert position.argmax() == 0
    assert latest.argmax() == earlier.argmax() == len(INTENTS)


@pytest.mark.parametrize(("turns", "place"), [(1, 0), (2, 1), (5, 4), (8, 4), (300, 4)])
def test_the_position_is_capped(turns: int, place: int) -> None:
    _, position, *_ = parts(intent_features(E[0], turns, []))

    assert list(position.nonzero()[0]) == [place]
    assert position.sum() == 1


def test_the_last_two_intents_and_an_unheard_of_one() -> None:
    earlier = ["neutral", "wishing", "agreeing"]
    *_, latest, before = parts(intent_features(E[0], 4, earlier))
    assert INTENTS[int(latest.argmax())] == "agreeing"
    assert INTENTS[int(before.argmax())] == "wishing"

    *_, latest, before = parts(intent_features(E[0], 4, ["singing"]))
    assert latest.argmax() == before.argmax() == len(INTENTS)
    assert latest.sum() == before.sum() == 1


def test_training_reads_the_same_position_as_use() -> None:
    earlier = ["questioning", "consoling"]

    features = intent_features(E[0], 3, earlier)

    assert np.array_equal(features[8:], position_features(3, earlier))
    assert features.dtype == np.float32
