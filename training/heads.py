"""Calibrates the heads on text that was not trained on, writes them, and says what they reach.

Of each held-out set one half sets the temperature (Guo et al. 2017), the other is reported.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix, vstack
from tqdm import tqdm

from models.encoder import SentenceEncoder, Vector
from models.features import conversation_text, intent_features
from models.heads import LinearHead, load_head, save_head
from models.labels import INTENTS
from models.terms import terms_of
from nodes.reading import TextReader
from training.data import Dialogue, crisis_calibration, dialogues, labelled_replies, sdcnl
from training.fit import Labelled, calibrate, calibration_error, top_k
from training.thresholds import choose_thresholds, threshold_curve
from training.vectors import vectors

Normalise = Callable[[str], str]
Figures = dict[str, float]

_LONGEST_POST: Final = 100_000
"""Characters; every post is shorter."""


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
    felt = [talk.emotion for talk in held]
    emotions = {source: _read(texts, felt, known) for source, texts in read.items()}
    head = calibrate(heads["emotion"], _join([each.half(0) for each in emotions.values()]))
    save_head(head, "emotion", encoder.id, out)
    for source, each in emotions.items():
        for k in (1, 5):
            figures[f"emotion, {source}, top-{k}"] = top_k(head, each.half(1), k)
    report = _join([each.half(1) for each in emotions.values()])
    figures["emotion, calibration error"] = calibration_error(head, report)

    follow, positions = next_intents(encoder, held, cache, normalise)
    head = calibrate(heads["intent"], follow.half(0))
    save_head(head, "intent", encoder.id, out)
    figures["next intent, top-1"] = top_k(head, follow.half(1))
    figures["next intent, majority by position"] = majority_by_position(
        data, follow.half(1).labels, positions[1::2]
    )
    figures["next intent, calibration error"] = calibration_error(head, follow.half(1))

    pairs = labelled_replies(data, "valid")
    texts = [normalise(text) for text, _ in pairs]
    known = vectors(encoder, texts, cache, name="intent of a reply")
    replies = _read(texts, [label for _, label in pairs], known)
    head = calibrate(heads["reply_intent"], replies.half(0))
    save_head(head, "reply_intent", encoder.id, out)
    figures["intent of a reply, top-1"] = top_k(head, replies.half(1))
    figures["intent of a reply, calibration error"] = calibration_error(head, replies.half(1))

    figures |= finish_crisis(encoder, heads["crisis"], cache, out, normalise)
    head = load_head("crisis", encoder.id, out)
    figures["crisis, forum of a held-out SDCNL post"] = forum_accuracy(
        head, TextReader(encoder, normalise, _LONGEST_POST), sdcnl(data, held_out=True)
    )
    return figures


def finish_crisis(
    encoder: SentenceEncoder, head: LinearHead, cache: Path, out: Path, normalise: Normalise
) -> Figures:
    """Calibrate the crisis head, choose its thresholds, and write it with their curve."""
    examples = crisis_calibration()
    texts = [normalise(text) for text, _ in examples]
    levels = [level for _, level in examples]
    known = vectors(encoder, texts, cache, name="crisis, calibration")
    seen = _read(texts, levels, known)
    head = calibrate(head, seen)
    probabilities = head.probabilities(seen.vectors, seen.terms)
    head = replace(head, thresholds=choose_thresholds(probabilities, levels))
    save_head(head, "crisis", encoder.id, out)
    curve = json.dumps(threshold_curve(probabilities, levels), indent=1)
    (out / "crisis_curve.json").write_text(curve, encoding="utf-8")
    return {
        "crisis, calibration set, harmless flagged": _flagged(head, seen, "none"),
        "crisis, calibration set, concern flagged": _flagged(head, seen, "concern"),
        "crisis, calibration set, high flagged": _flagged(head, seen, "high"),
        "crisis, calibration set, imminent flagged": _flagged(head, seen, "imminent"),
    }


def forum_accuracy(
    head: LinearHead, reader: TextReader, posts: Sequence[tuple[str, bool]]
) -> float:
    """Return how often "at least high" tells posts of r/SuicideWatch from those of r/depression.

    The forum is a noisy label: people write of suicide on both (Haque et al. 2021).
    """
    grave = 1
    found = [
        (head.reached(*reader.message(text))[grave] >= head.thresholds[grave]) == suicide
        for text, suicide in tqdm(posts, desc="forum posts")
    ]
    return float(np.mean(found))


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
    follow = Labelled(np.stack(rows), [label for *_, label in points])
    return follow, [len(said) for said, *_ in points]


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


def _read(texts: Sequence[str], labels: list[str], known: Mapping[str, Vector]) -> Labelled:
    return Labelled(np.stack([known[text] for text in texts]), labels, terms_of(texts))


def _join(parts: Sequence[Labelled]) -> Labelled:
    return Labelled(
        np.concatenate([each.vectors for each in parts]),
        [label for each in parts for label in each.labels],
        csr_matrix(vstack([each.terms for each in parts])),
    )


def _flagged(head: LinearHead, seen: Labelled, level: str) -> float:
    probabilities = head.probabilities(seen.vectors, seen.terms)
    rows = [i for i, each in enumerate(seen.labels) if each == level]
    return float(np.mean([(1 - probabilities[i, 0]) >= head.thresholds[0] for i in rows]))
