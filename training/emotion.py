"""Trains the emotion head on situations, first utterances and whole conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.encoder import SentenceEncoder, Vector
from models.features import conversation_vector
from models.heads import save_head
from models.labels import EMOTIONS
from training.data import Dialogue, dialogues
from training.fit import calibrate, calibration_error, fit, top_k
from training.vectors import vectors

SOURCES = ("situation", "first utterance", "conversation")


@dataclass
class Examples:
    """Feature rows and labels, by where the text came from."""

    rows: dict[str, list[Vector]] = field(default_factory=lambda: {s: [] for s in SOURCES})
    labels: list[str] = field(default_factory=list)

    def stack(self, *sources: str) -> tuple[Vector, list[str]]:
        """Return the features and labels of some sources together."""
        rows = [row for source in sources for row in self.rows[source]]
        return np.stack(rows), self.labels * len(sources)


def examples(encoder: SentenceEncoder, talks: list[Dialogue], cache: Path, name: str) -> Examples:
    """Encode dialogues into examples; those without a speaker's turn are left out."""
    talks = [talk for talk in talks if talk.speaker]
    texts = [text for talk in talks for text in [talk.situation, *talk.speaker]]
    known = vectors(encoder, texts, cache, name=name)
    found = Examples()
    for talk in talks:
        said = [known[text] for text in talk.speaker]
        found.rows["situation"].append(known[talk.situation])
        found.rows["first utterance"].append(said[0])
        found.rows["conversation"].append(conversation_vector(said))
        found.labels.append(talk.emotion)
    return found


def train(encoder: SentenceEncoder, data: Path, cache: Path, out: Path) -> dict[str, float]:
    """Train, calibrate on half of the validation split, and report on the other half."""
    seen = examples(encoder, dialogues(data, "train"), cache, "emotion, training split")
    held = dialogues(data, "valid")
    tuning = examples(encoder, held[0::2], cache, "emotion, tuning half")
    report = examples(encoder, held[1::2], cache, "emotion, reporting half")
    head = calibrate(fit(*seen.stack(*SOURCES), EMOTIONS, strength=10), *tuning.stack(*SOURCES))
    save_head(head, "emotion", encoder.id, out)
    figures = {
        f"{source}, top-{k}": top_k(head, *report.stack(source), k)
        for source in SOURCES
        for k in (1, 5)
    }
    return figures | {"calibration error": calibration_error(head, *report.stack(*SOURCES))}
