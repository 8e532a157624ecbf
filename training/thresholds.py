"""The crisis head's thresholds: recall on chat-length text, within a share of false alarms."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from models.encoder import Vector
from models.labels import CRISIS_LEVELS

FALSE_ALARMS: Final = (0.06, 0.05, 0.03)
"""Share of milder messages that may be read as at least concern, high and imminent.

The thresholds are the lowest that keep to these shares: recall comes first, and an escalation
that was not needed costs a direct question.
"""


def choose_thresholds(probabilities: Vector, levels: list[str]) -> tuple[float, ...]:
    """Return a threshold for each level above none.

    Args:
        probabilities: of shape (messages, levels), for messages that were not trained on.
        levels: what each message really shows.
    """
    rank, reached = _ranked(probabilities, levels)
    return tuple(
        _lowest(reached[rank < step, step], allowed)
        for step, allowed in enumerate(FALSE_ALARMS, start=1)
    )


def _lowest(milder: Vector, allowed: float) -> float:
    """Return the lowest threshold, to four digits, that no more than this share reaches."""
    # A quantile would let one more through, or all that are equal to it.
    highest_kept = float(np.sort(milder)[len(milder) - 1 - int(allowed * len(milder))])
    return (math.floor(round(highest_kept * 10_000, 2)) + 1) / 10_000


def threshold_curve(probabilities: Vector, levels: list[str]) -> list[dict[str, float]]:
    """Return recall and false alarms of many thresholds, for each level above none."""
    rank, reached = _ranked(probabilities, levels)
    return [
        {
            "at_least": step,
            "threshold": round(float(threshold), 4),
            "recall": round(float((reached[rank >= step, step] >= threshold).mean()), 4),
            "false_alarms": round(float((reached[rank < step, step] >= threshold).mean()), 4),
        }
        for step in range(1, len(CRISIS_LEVELS))
        for threshold in np.quantile(reached[:, step], np.linspace(0, 1, 41))
    ]


def _ranked(probabilities: Vector, levels: list[str]) -> tuple[Vector, Vector]:
    """Return each message's true rank, and the probabilities of reaching each level."""
    rank = np.array([CRISIS_LEVELS.index(level) for level in levels])
    return rank, np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1]
