"""What the heads read of a conversation."""

import numpy as np
import pytest

from models.encoder import Vector, unit
from models.features import RECENT_MESSAGES, conversation_vector, intent_features
from models.labels import INTENTS

E = [np.eye(8, dtype=np.float32)[i] for i in range(8)]
EMOTION = np.full(32, 1 / 32, dtype=np.float32)


def parts(features: Vector) -> list[Vector]:
    """Split into last, before, emotion, position, last intent, intent before it."""
    sizes = [8, 8, 32, 5, len(INTENTS) + 1, len(INTENTS) + 1]
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


def test_the_first_message_has_none_before_it() -> None:
    last, before, emotion, position, latest, earlier = parts(intent_features([E[0]], EMOTION, []))

    assert np.array_equal(last, E[0])
    assert not before.any()
    assert np.array_equal(emotion, EMOTION)
    assert position.argmax() == 0
    assert latest.argmax() == earlier.argmax() == len(INTENTS)


@pytest.mark.parametrize(("messages", "place"), [(1, 0), (2, 1), (5, 4), (8, 4)])
def test_the_position_is_capped(messages: int, place: int) -> None:
    last, before, _, position, *_ = parts(intent_features(E[:messages], EMOTION, []))

    assert list(position.nonzero()[0]) == [place]
    assert np.array_equal(last, E[messages - 1])
    assert messages == 1 or np.array_equal(before, E[messages - 2])


def test_the_last_two_intents_and_an_unheard_of_one() -> None:
    earlier = ["neutral", "wishing", "agreeing"]
    *_, latest, before = parts(intent_features([E[0]], EMOTION, earlier))
    assert INTENTS[int(latest.argmax())] == "agreeing"
    assert INTENTS[int(before.argmax())] == "wishing"

    *_, latest, before = parts(intent_features([E[0]], EMOTION, ["singing"]))
    assert latest.argmax() == before.argmax() == len(INTENTS)
    assert latest.sum() == before.sum() == 1
