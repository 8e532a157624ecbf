"""What the heads read: one vector of the conversation's latest messages, and where it stands."""

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

_SEPARATOR: Final = " [SEP] "
_POSITIONS: Final = 5
_REMEMBERED_INTENTS: Final = 2


def conversation_text(messages: Sequence[str]) -> str:
    """Return the text that emotion and intent are read from: the latest messages, oldest first."""
    return _SEPARATOR.join(messages[-RECENT_MESSAGES:])


def conversation_vector(messages: Sequence[Vector]) -> Vector:
    """Return the unit mean of the latest messages, the last one weighing most.

    Args:
        messages: unit vectors of the person's messages, oldest first, at least one.
    """
    recent = messages[-RECENT_MESSAGES:]
    weights = [_DECAY ** (len(recent) - 1 - i) for i in range(len(recent))]
    return unit(np.average(np.stack(recent), axis=0, weights=weights).astype(np.float32))


def intent_features(conversation: Vector, turns: int, earlier: Sequence[str]) -> Vector:
    """Return what the predictor of the next listener intent reads.

    Args:
        conversation: the unit vector of `conversation_text`.
        turns: how many messages the person has written, at least one.
        earlier: intents of the listener's turns so far, oldest first.

    Returns:
        The vector, and one-hot vectors of the position and of the last two intents.
    """
    return np.concatenate([conversation, position_features(turns, earlier)])


def position_features(turns: int, earlier: Sequence[str]) -> Vector:
    """Return one-hot vectors of the position in the conversation and of the last two intents."""
    position = np.zeros(_POSITIONS, dtype=np.float32)
    position[min(turns, _POSITIONS) - 1] = 1
    last = [earlier[-i] if len(earlier) >= i else None for i in range(1, _REMEMBERED_INTENTS + 1)]
    return np.concatenate([position, *(_one_hot(intent) for intent in last)])


def _one_hot(intent: str | None) -> Vector:
    vector = np.zeros(len(INTENTS) + 1, dtype=np.float32)
    vector[INTENTS.index(intent) if intent in INTENTS else len(INTENTS)] = 1
    return vector
