"""Messages read one by one through the graph's crisis check, and rewordings of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from langchain_core.messages import HumanMessage
from tqdm import tqdm

from graph.state import State
from models.labels import CRISIS_LEVELS
from nodes.conversation import clean
from nodes.crisis import CheckCrisis, CrisisReader
from training.data import read_lines
from training.metrics import Probabilities, share

REWORDINGS: Final = Path(__file__).parent / "data" / "metamorphic.jsonl"

UNKNOWN: Final = "unknown"
_ORDER: Final = ("none", UNKNOWN, *CRISIS_LEVELS[1:])
"""From what is let through to what is gravest."""


@dataclass(frozen=True)
class Read:
    """What one reader makes of the messages."""

    levels: list[str]
    scores: list[float] = field(default_factory=list)
    """Probability of any danger; none where the reader has no probabilities."""


def read_alone(reader: CrisisReader, texts: Sequence[str], name: str) -> Read:
    """Read each text as the only message of a conversation, as the graph does."""
    check = CheckCrisis(reader)
    bar = tqdm(texts, desc=name, disable=not sys.stderr.isatty())
    found = [check(State(messages=[HumanMessage(text)]))["crisis"] for text in bar]
    return Read([each["level"] for each in found], [each["score"] for each in found])


def most_danger(reader: CrisisReader, text: str) -> Probabilities:
    """Return the head's probabilities of the levels, each reached by the gravest window."""
    reached = np.append(1.0, reader.head.reached(*reader.texts.message(clean(text))))
    return np.append(reached[:-1] - reached[1:], reached[-1])


def metamorphic(reader: CrisisReader, path: Path = REWORDINGS) -> dict[str, Any]:
    """Return the share of rewordings that are read like the sentence they come from.

    Metamorphic testing (Chen et al. 1998): capitals, typing mistakes, slang and emoji change no
    meaning, so they may change no level.
    """
    groups = read_lines(path)
    texts = [text for group in groups for text in (group["base"], *group["variants"])]
    levels = iter(read_alone(reader, texts, "rewordings").levels)
    steps: list[int] = []
    for group in groups:
        base = _ORDER.index(next(levels))
        steps += [_ORDER.index(next(levels)) - base for _ in group["variants"]]
    return {
        "kept": share(steps.count(0), len(steps)),
        "read_milder": sum(step < 0 for step in steps),
        "read_graver": sum(step > 0 for step in steps),
    }
