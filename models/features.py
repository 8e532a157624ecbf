"""What the heads read: a few vectors built from the encoder's, the same in training and use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.encoder import Vector, unit
from models.labels import INTENTS

RECENT_MESSAGES: Final = 4
"""How many of the person's latest messages a reading looks at."""

_DECAY: Final = 0.6
"""Weight of a message relative to the one after it."""

_POSITIONS: Final = 5


def conversation_vector(messages: Sequence[Vector]) -> Vector:
    """Return the unit mean of the latest messages, the last one weighing most.

    Args:
        messages: unit vectors of the person's messages, oldest first, at least one.
    """
    recent = messages[-RECENT_MESSAGES:]
    weights = [_DECAY ** (len(recent) - 1 - i) for i in range(len(recent))]
    return unit(np.average(np.stack(recent), axis=0, weights=weights).astype(np.float32))


def intent_features(messages: Sequence[Vector], emotion: Vector, earlier: Sequence[str]) -> Vector:
    """Return what the predictor of the next listener intent reads.

    Args:
        messages: unit vectors of the person's messages, oldest first, at least one.
        emotion: probabilities of the emotions.
        earlier: intents of the listener's turns so far, oldest first.

    Returns:
        The last message, the one before it (zeros if none), the emotion, and one-hot vectors of
        the position in the conversation and of the last two intents.
    """
    last = messages[-1]
    before = messages[-2] if len(messages) > 1 else np.zeros_like(last)
    position = np.zeros(_POSITIONS, dtype=np.float32)
    position[min(len(messages), _POSITIONS) - 1] = 1
    history = [_one_hot(earlier[-i] if len(earlier) >= i else None) for i in (1, 2)]
    return np.concatenate([last, before, emotion, position, *history]).astype(np.float32)


def _one_hot(intent: str | None) -> Vector:
    vector = np.zeros(len(INTENTS) + 1, dtype=np.float32)
    vector[INTENTS.index(intent) if intent in INTENTS else len(INTENTS)] = 1
    return vector
