"""How well emotions are read: EmpatheticDialogues' validation split (Rashkin et al. 2019)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluation.baselines import Predict, fit_baselines
from evaluation.parts import IN_USE, encoders_of, loaded
from graph.resources import Perception
from models.labels import EMOTIONS, UNSURE
from models.terms import terms_of
from training.data import DataError, Dialogue, dialogues
from training.heads import emotion_texts
from training.metrics import Probabilities, confusion, indices, recall_by_label, summary
from training.vectors import vectors

TOGETHER: Final = "all three"
_KS: Final = (1, 3, 5)


def evaluate_emotion(seen: Perception, data: Path, cache: Path) -> dict[str, Any]:
    """Read the emotion of held-out situations, first messages and whole conversations.

    The texts are those of every second dialogue: the others set the head's temperature.

    Args:
        seen: the encoders and heads.
        data: folder of the training data.
        cache: folder for the encoder's vectors.

    Returns:
        Figures for each source of text and each reader; recall by emotion and the confusion of
        the readings in use on all three sources; the share of texts read as "unsure".

    Raises:
        DataError: the data is missing or too small.
        RuntimeError: the encoder or the head could not be loaded.
    """
    head = loaded(seen.emotion_head, "emotion head", seen)
    encoders = encoders_of(seen)
    held = _talks(data, "valid")[1::2]
    if not held:
        raise DataError(f"{data} holds too few dialogues for validation")
    texts = emotion_texts(held, encoders.normalise)
    truth = indices([talk.emotion for talk in held], head.labels)

    every = [text for each in texts.values() for text in each]
    known = vectors(encoders.adapted, every, cache, name="emotion")

    def in_use(asked: Any) -> Probabilities:
        return head.probabilities(np.stack([known[text] for text in asked]), terms_of(asked))

    taught = _talks(data, "train")
    sources = emotion_texts(taught, encoders.normalise)
    readers: dict[str, Predict] = {IN_USE: in_use}
    readers |= fit_baselines(
        head.labels,
        encoders.plain,
        cache,
        [text for each in sources.values() for text in each],
        [talk.emotion for talk in taught] * len(sources),
    )

    scored = [head.labels.index(name) for name in EMOTIONS]
    figures: dict[str, dict[str, dict[str, float]]] = {source: {} for source in [*texts, TOGETHER]}
    read: Probabilities = np.empty((0, len(head.labels)))
    for name, predict in readers.items():
        parts = np.split(predict(every), len(texts))
        for source, part in zip(texts, parts, strict=True):
            figures[source][name] = summary(part, truth, scored, _KS)
        whole = np.concatenate(parts)
        figures[TOGETHER][name] = summary(whole, np.tile(truth, len(texts)), scored, _KS)
        if name == IN_USE:
            read = whole

    predicted = read.argmax(axis=1)
    counts = confusion(predicted, np.tile(truth, len(texts)), len(head.labels))
    recall = dict(zip(head.labels, recall_by_label(counts), strict=True))
    unsure = [label == UNSURE for label in head.labels]
    shares = [float(np.mean(np.array(unsure)[each])) for each in np.split(predicted, len(texts))]
    return {
        "dialogues": len(held),
        "figures": figures,
        "recall": {name: recall[name] for name in EMOTIONS},
        "unsure": {s: round(each, 4) for s, each in zip(texts, shares, strict=True)},
        "confusion": {
            "labels": list(head.labels),
            "counts": counts.tolist(),
        },
    }


def _talks(data: Path, split: str) -> list[Dialogue]:
    return [talk for talk in dialogues(data, split) if talk.speaker]
