"""Calibrates the heads on text that was not trained on, writes them, and says what they reach.

Of each held-out set one half sets the temperature (Guo et al. 2017), the other is reported.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from models.encoder import SentenceEncoder, Vector
from models.features import conversation_text, intent_features
from models.heads import LinearHead, save_head
from models.labels import INTENTS
from training.data import Dialogue, crisis_calibration, dialogues, labelled_replies
from training.fit import calibrate, calibration_error, top_k
from training.thresholds import choose_thresholds, threshold_curve
from training.vectors import vectors

Normalise = Callable[[str], str]
Figures = dict[str, float]
Labelled = tuple[Vector, list[str]]

SOURCES: Final = ("situation", "first utterance", "conversation")


def finish_heads(
    encoder: SentenceEncoder,
    heads: Mapping[str, LinearHead],
    data: Path,
    cache: Path,
    out: Path,
    normalise: Normalise,
) -> Figures:
    """Calibrate and write all heads of the adapted `encoder`; return what they reach."""
    held = [talk for talk in dialogues(data, "valid") if talk.speaker]
    figures: Figures = {}

    read = emotion_texts(held, normalise)
    known = vectors(encoder, [t for texts in read.values() for t in texts], cache, name="emotion")
    emotions = {
        source: (np.stack([known[text] for text in texts]), [talk.emotion for talk in held])
        for source, texts in read.items()
    }
    head = calibrate(heads["emotion"], *_join([_half(each, 0) for each in emotions.values()]))
    save_head(head, "emotion", encoder.id, out)
    for source, each in emotions.items():
        for k in (1, 5):
            figures[f"emotion, {source}, top-{k}"] = top_k(head, *_half(each, 1), k)
    report = _join([_half(each, 1) for each in emotions.values()])
    figures["emotion, calibration error"] = calibration_error(head, *report)

    follow, positions = next_intents(encoder, held, cache, normalise)
    head = calibrate(heads["intent"], *_half(follow, 0))
    save_head(head, "intent", encoder.id, out)
    figures["next intent, top-1"] = top_k(head, *_half(follow, 1))
    figures["next intent, majority by position"] = majority_by_position(
        data, _half(follow, 1)[1], positions[1::2]
    )
    figures["next intent, calibration error"] = calibration_error(head, *_half(follow, 1))

    pairs = labelled_replies(data, "valid")
    texts = [normalise(text) for text, _ in pairs]
    known = vectors(encoder, texts, cache, name="intent of a reply")
    replies = np.stack([known[text] for text in texts]), [label for _, label in pairs]
    head = calibrate(heads["reply_intent"], *_half(replies, 0))
    save_head(head, "reply_intent", encoder.id, out)
    figures["intent of a reply, top-1"] = top_k(head, *_half(replies, 1))
    figures["intent of a reply, calibration error"] = calibration_error(head, *_half(replies, 1))

    return figures | finish_crisis(encoder, heads["crisis"], cache, out, normalise)


def finish_crisis(
    encoder: SentenceEncoder, head: LinearHead, cache: Path, out: Path, normalise: Normalise
) -> Figures:
    """Calibrate the crisis head, choose its thresholds, and write it with their curve."""
    examples = crisis_calibration()
    texts = [normalise(text) for text, _ in examples]
    levels = [level for _, level in examples]
    known = vectors(encoder, texts, cache, name="crisis, calibration")
    features = np.stack([known[text] for text in texts])
    head = calibrate(head, features, levels)
    probabilities = head.probabilities(features)
    thresholds = choose_thresholds(probabilities, levels)
    head = LinearHead(head.labels, head.weight, head.bias, thresholds)
    save_head(head, "crisis", encoder.id, out)
    curve = json.dumps(threshold_curve(probabilities, levels), indent=1)
    (out / "crisis_curve.json").write_text(curve, encoding="utf-8")
    return {
        "crisis, calibration set, harmless flagged": _flagged(head, features, levels, "none"),
        "crisis, calibration set, concern flagged": _flagged(head, features, levels, "concern"),
        "crisis, calibration set, high flagged": _flagged(head, features, levels, "high"),
        "crisis, calibration set, imminent flagged": _flagged(head, features, levels, "imminent"),
    }


def emotion_texts(talks: list[Dialogue], normalise: Normalise) -> dict[str, list[str]]:
    """Return the texts that the emotion head reads of each dialogue, by their source."""
    return {
        "situation": [normalise(talk.situation) for talk in talks],
        "first utterance": [normalise(talk.speaker[0]) for talk in talks],
        "conversation": [conversation_text([normalise(t) for t in talk.speaker]) for talk in talks],
    }


def next_intents(
    encoder: SentenceEncoder, talks: list[Dialogue], cache: Path, normalise: Normalise
) -> tuple[Labelled, list[int]]:
    """Return features and intents of all listener turns that carry one, and their positions."""
    points = [point for talk in talks for point in talk.points() if point[2] in INTENTS]
    texts = [conversation_text([normalise(t) for t in said]) for said, _, _ in points]
    known = vectors(encoder, texts, cache, name="next intent")
    rows = [
        intent_features(known[text], len(said), earlier)
        for text, (said, earlier, _) in zip(texts, points, strict=True)
    ]
    return (np.stack(rows), [label for *_, label in points]), [len(said) for said, *_ in points]


def majority_by_position(data: Path, truth: list[str], positions: list[int]) -> float:
    """Return how often the intent that is commonest at each position is right."""
    counts: dict[int, Counter[str]] = {}
    for talk in dialogues(data, "train"):
        for said, _, label in talk.points():
            if label in INTENTS:
                counts.setdefault(min(len(said), 5), Counter())[label] += 1
    guess = {position: each.most_common(1)[0][0] for position, each in counts.items()}
    hits = [guess[min(p, 5)] == label for p, label in zip(positions, truth, strict=True)]
    return float(np.mean(hits))


def _half(items: Labelled, which: int) -> Labelled:
    return items[0][which::2], items[1][which::2]


def _join(parts: list[Labelled]) -> Labelled:
    return np.concatenate([rows for rows, _ in parts]), [
        label for _, each in parts for label in each
    ]


def _flagged(head: LinearHead, features: Vector, levels: list[str], level: str) -> float:
    rows = features[[each == level for each in levels]]
    return float(np.mean([head.ordinal(row)[0] != "none" for row in rows]))
