"""How well listener intents are read: EmpatheticIntents (Welivita and Pu 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluation.baselines import Predict, fit_baselines
from evaluation.parts import IN_USE, Encoders, encoders_of, loaded
from graph.resources import Perception
from models.features import conversation_text
from models.heads import LinearHead
from models.labels import INTENTS
from training.data import DataError, Dialogue, dialogues, labelled_replies
from training.heads import majority_by_position, next_intents
from training.metrics import (
    Probabilities,
    confusion,
    indices,
    kl_divergence,
    recall_by_label,
    summary,
)
from training.vectors import vectors

REPLY: Final = "intent of a reply"
NEXT: Final = "next intent"
BY_POSITION: Final = "majority by position"

Labelled = tuple[list[str], list[str]]
"""Texts, and the intent of each."""


def evaluate_intent(seen: Perception, data: Path, cache: Path) -> dict[str, Any]:
    """Read what held-out replies do, and what a listener does next in held-out dialogues.

    Of both sets every second example is measured: the others set the heads' temperatures.

    Args:
        seen: the encoders and heads.
        data: folder of the training data.
        cache: folder for the encoder's vectors.

    Returns:
        For each of the two tasks: figures for each reader, with the divergence of the shares of
        its intents from those of people; recall by intent and the confusion of the heads in use.

    Raises:
        DataError: the data is missing or too small.
        RuntimeError: the encoder or a head could not be loaded.
    """
    heads = {
        REPLY: loaded(seen.reply_intent_head, "reply_intent head", seen),
        NEXT: loaded(seen.intent_head, "intent head", seen),
    }
    encoders = encoders_of(seen)
    return {
        REPLY: _replies(heads[REPLY], encoders, data, cache),
        NEXT: _next(heads[NEXT], encoders, data, cache),
    }


def _replies(head: LinearHead, encoders: Encoders, data: Path, cache: Path) -> dict[str, Any]:
    def read(split: str) -> Labelled:
        pairs = labelled_replies(data, split)
        return [encoders.normalise(text) for text, _ in pairs], [label for _, label in pairs]

    texts, labels = (each[1::2] for each in read("valid"))
    _check(texts, data)
    known = vectors(encoders.adapted, texts, cache, name=REPLY)
    probabilities = head.probabilities(np.stack([known[text] for text in texts]))
    baselines = fit_baselines(head.labels, encoders.plain, cache, *read("train"))
    return _report(head.labels, probabilities, baselines, texts, labels)


def _next(head: LinearHead, encoders: Encoders, data: Path, cache: Path) -> dict[str, Any]:
    def read(talks: Sequence[Dialogue]) -> Labelled:
        points = [point for talk in talks for point in talk.points() if point[2] in INTENTS]
        texts = [conversation_text([encoders.normalise(t) for t in said]) for said, *_ in points]
        return texts, [label for *_, label in points]

    held = dialogues(data, "valid")
    texts, labels = (each[1::2] for each in read(held))
    _check(texts, data)
    follow, places = next_intents(encoders.adapted, held, cache, encoders.normalise)
    positions = places[1::2]
    probabilities = head.probabilities(follow.half(1).vectors)
    baselines = fit_baselines(head.labels, encoders.plain, cache, *read(dialogues(data, "train")))
    report = _report(head.labels, probabilities, baselines, texts, labels)
    hits = majority_by_position(data, labels, positions)
    report["figures"][BY_POSITION] = {"top_1": round(hits, 4)}
    return report


def _report(
    names: tuple[str, ...],
    probabilities: Probabilities,
    baselines: Mapping[str, Predict],
    texts: list[str],
    labels: list[str],
) -> dict[str, Any]:
    truth = indices(labels, names)
    places = range(len(names))
    read = {IN_USE: probabilities} | {name: each(texts) for name, each in baselines.items()}
    figures = {
        name: summary(each, truth, places)
        | {"kl": round(kl_divergence(each.argmax(axis=1), truth, len(names)), 4)}
        for name, each in read.items()
    }
    counts = confusion(probabilities.argmax(axis=1), truth, len(names))
    return {
        "examples": len(texts),
        "figures": figures,
        "recall": dict(zip(names, recall_by_label(counts), strict=True)),
        "confusion": {"labels": list(names), "counts": counts.tolist()},
    }


def _check(texts: list[str], data: Path) -> None:
    if not texts:
        raise DataError(f"{data} holds too few listener turns for validation")
