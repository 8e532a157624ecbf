"""Trains the crisis head: four ordinal levels of danger, thresholds for chat-length text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.model_selection import StratifiedKFold

from models.encoder import SentenceEncoder, Vector
from models.heads import LinearHead, save_head
from models.labels import CRISIS_LEVELS
from nodes.crisis_phrases import load_phrases
from training.data import counselling_questions, crisis_examples, dialogues
from training.fit import fit
from training.vectors import vectors

_HARMLESS_SAMPLE: Final = 4000
"""Utterances of EmpatheticDialogues added as everyday messages without danger."""

_HARMLESS_WEIGHT: Final = 0.25
"""Their weight beside our own examples, some of which are deliberately close to danger."""

_DANGEROUS_TOPICS: Final = ("self-harm", "suicid", "trauma", "abuse")
"""Counselling topics whose questions may hold danger and so are not used as harmless."""

_FALSE_ALARMS: Final = (0.20, 0.05, 0.015)
"""Share of milder examples that may be read as at least concern, high and imminent.

The thresholds are the lowest that keep to these shares out of fold: recall comes first, and an
escalation that was not needed costs a direct question.
"""

_STRENGTH: Final = 3.0
_FOLDS: Final = 5
_SEED: Final = 7


def train(encoder: SentenceEncoder, data: Path, cache: Path, out: Path) -> dict[str, float]:
    """Train on our chat examples and harmless text; thresholds come from held-out folds."""
    # The check reads normalised text, so that typing style changes nothing; so does training.
    normal = load_phrases().normalise
    ours = [(normal(text), level) for text, level in crisis_examples()]
    harmless = [normal(text) for text in _harmless(data)]
    known = vectors(encoder, [t for t, _ in ours] + harmless, cache, name="crisis")
    features = np.stack([known[text] for text, _ in ours])
    levels = [level for _, level in ours]
    extra = np.stack([known[text] for text in harmless])

    probabilities = np.zeros((len(ours), len(CRISIS_LEVELS)), dtype=np.float32)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    for seen, held in folds.split(features, levels):
        head = _fit(features[seen], [levels[i] for i in seen], extra)
        probabilities[held] = head.probabilities(features[held])

    thresholds, curve = _thresholds(probabilities, levels)
    final = _fit(features, levels, extra)
    head = LinearHead(final.labels, final.weight, final.bias, thresholds)
    save_head(head, "crisis", encoder.id, out)
    (out / "crisis_curve.json").write_text(json.dumps(curve, indent=1), encoding="utf-8")
    return _figures(probabilities, levels, thresholds)


def _harmless(data: Path) -> list[str]:
    talks = dialogues(data, "train")
    texts = [talk.situation for talk in talks] + [t for talk in talks for t in talk.speaker]
    chosen = np.random.default_rng(_SEED).choice(len(texts), _HARMLESS_SAMPLE, replace=False)
    questions = [
        text
        for text, topic in counselling_questions(data)
        if not any(word in topic.lower() for word in _DANGEROUS_TOPICS)
        and not any(word in text.lower() for word in ("suicid", "kill", "die", "cutting", "harm"))
    ]
    return [texts[i] for i in chosen] + questions


def _fit(features: Vector, levels: list[str], harmless: Vector) -> LinearHead:
    weights = np.concatenate([np.ones(len(levels)), np.full(len(harmless), _HARMLESS_WEIGHT)])
    return fit(
        np.concatenate([features, harmless]),
        levels + ["none"] * len(harmless),
        CRISIS_LEVELS,
        strength=_STRENGTH,
        weights=weights.astype(np.float32),
    )


def _thresholds(
    probabilities: Vector, levels: list[str]
) -> tuple[tuple[float, ...], list[dict[str, float]]]:
    """Choose a threshold for each level above none; return them and the curve they come from."""
    rank = np.array([CRISIS_LEVELS.index(level) for level in levels])
    reached = np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1]
    chosen, curve = [], []
    for step, allowed in enumerate(_FALSE_ALARMS, start=1):
        below, above = reached[rank < step, step], reached[rank >= step, step]
        threshold = float(np.quantile(below, 1 - allowed))
        chosen.append(round(threshold, 4))
        curve += [
            {
                "at_least": step,
                "threshold": round(float(t), 4),
                "recall": round(float((above >= t).mean()), 4),
                "false_alarms": round(float((below >= t).mean()), 4),
            }
            for t in np.quantile(reached[:, step], np.linspace(0, 1, 41))
        ]
    return tuple(chosen), curve


def _figures(
    probabilities: Vector, levels: list[str], thresholds: tuple[float, ...]
) -> dict[str, float]:
    rank = np.array([CRISIS_LEVELS.index(level) for level in levels])
    reached = np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1][:, 1:]
    read = np.array(
        [max((i + 1 for i, t in enumerate(thresholds) if r[i] >= t), default=0) for r in reached]
    )
    figures = {"out of fold, harmless flagged": float((read[rank == 0] > 0).mean())}
    for step, name in enumerate(CRISIS_LEVELS[1:], start=1):
        figures[f"out of fold, {name} flagged"] = float((read[rank == step] > 0).mean())
    figures["out of fold, high or imminent read as at least high"] = float(
        (read[rank >= 2] >= 2).mean()
    )
    return figures
