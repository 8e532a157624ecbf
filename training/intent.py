"""Trains the predictor of the next listener intent, and the classifier of a given reply."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from models.encoder import SentenceEncoder, Vector
from models.features import conversation_vector, intent_features
from models.heads import LinearHead, load_head, save_head
from models.labels import INTENTS
from training.data import Dialogue, dialogues, labelled_replies
from training.fit import calibrate, calibration_error, fit, top_k
from training.vectors import vectors


def next_intents(
    encoder: SentenceEncoder, emotion: LinearHead, talks: list[Dialogue], cache: Path, name: str
) -> tuple[Vector, list[str], list[int]]:
    """Return features, intents and positions of all listener turns that carry an intent."""
    texts = [text for talk in talks for text in talk.speaker]
    known = vectors(encoder, texts, cache, name=name)
    rows, labels, positions = [], [], []
    for talk in talks:
        for said, earlier, intent in talk.listener_turns():
            messages = [known[text] for text in said]
            feeling = emotion.probabilities(conversation_vector(messages))
            rows.append(intent_features(messages, feeling, earlier))
            labels.append(intent)
            positions.append(len(said))
    return np.stack(rows), labels, positions


def train(encoder: SentenceEncoder, data: Path, cache: Path, out: Path) -> dict[str, float]:
    """Train the predictor; the emotion head must have been trained before."""
    emotion = load_head("emotion", encoder.id, out)
    features, labels, positions = next_intents(
        encoder, emotion, dialogues(data, "train"), cache, "next intent, training split"
    )
    held = dialogues(data, "valid")
    tuning = next_intents(encoder, emotion, held[0::2], cache, "next intent, tuning half")
    report = next_intents(encoder, emotion, held[1::2], cache, "next intent, reporting half")
    head = calibrate(fit(features, labels, INTENTS, strength=0.3), *tuning[:2])
    save_head(head, "intent", encoder.id, out)
    return {
        "next intent, top-1": top_k(head, *report[:2]),
        "majority by position": _majority_by_position(labels, positions, report[1], report[2]),
        "calibration error": calibration_error(head, *report[:2]),
    } | train_reply_intent(encoder, data, cache, out)


def train_reply_intent(
    encoder: SentenceEncoder, data: Path, cache: Path, out: Path
) -> dict[str, float]:
    """Train the classifier of what a given reply does."""
    seen = labelled_replies(data, "train")
    held = labelled_replies(data, "valid")
    known = vectors(encoder, [text for text, _ in seen + held], cache, name="intent of a reply")

    def stack(pairs: list[tuple[str, str]]) -> tuple[Vector, list[str]]:
        return np.stack([known[text] for text, _ in pairs]), [label for _, label in pairs]

    head = calibrate(fit(*stack(seen), INTENTS, strength=10), *stack(held[0::2]))
    save_head(head, "reply_intent", encoder.id, out)
    return {"intent of a reply, top-1": top_k(head, *stack(held[1::2]))}


def _majority_by_position(
    labels: list[str], positions: list[int], truth: list[str], at: list[int]
) -> float:
    counts: dict[int, Counter[str]] = {}
    for label, position in zip(labels, positions, strict=True):
        counts.setdefault(min(position, 5), Counter())[label] += 1
    guess = {position: each.most_common(1)[0][0] for position, each in counts.items()}
    hits = [guess[min(p, 5)] == label for p, label in zip(at, truth, strict=True)]
    return float(np.mean(hits))
