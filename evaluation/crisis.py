"""How well danger is read in chat messages that neither training nor thresholds have seen.

Levels follow the C-SSRS screener (Posner et al. 2011). The shipped messages were written by
language models and labelled by their writers; no clinician has read them.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluation.baselines import MAJORITY, fit_baselines
from evaluation.crisis_reading import UNKNOWN, Read, metamorphic, most_danger, read_alone
from evaluation.parts import IN_USE, encoders_of, loaded
from graph.resources import Perception
from models.labels import CRISIS_LEVELS
from training.data import DataError, crisis_calibration, crisis_examples, read_lines
from training.metrics import (
    Indices,
    Probabilities,
    indices,
    quadratic_kappa,
    score_calibration_error,
    share,
)
from training.thresholds import choose_thresholds, threshold_curve

SHIPPED: Final = Path(__file__).parent / "data" / "crisis_chat.jsonl"

PHRASES: Final = "explicit phrases alone"

_READ_AS: Final = (*CRISIS_LEVELS, UNKNOWN)
_KINDS: Final = 10
"""How many kinds of message the lists of errors name at most."""

Examples = list[tuple[str, str]]
"""Texts, and the level of each."""


def evaluate_crisis(
    seen: Perception,
    data: Path | None,
    cache: Path,
    *,
    examples: Callable[[], Examples] = crisis_examples,
    calibration: Callable[[], Examples] = crisis_calibration,
) -> dict[str, Any]:
    """Read each message alone and compare with its level.

    Args:
        seen: the encoders and the crisis reader.
        data: JSON lines of `text`, `level` and optionally `kind`; those shipped when left out.
        cache: folder for the plain encoder's vectors of the training examples.
        examples: what the baselines are fitted on.
        calibration: what chooses the baselines' thresholds, as it chose those in use.

    Returns:
        Counts of true level by level read; figures for each reader; the threshold curves; how
        many rewordings keep their level; counts of errors by kind of message. Never a text.

    Raises:
        DataError: the data is missing or not of the expected form.
        RuntimeError: the encoder or the crisis head could not be loaded.
    """
    rows = _rows(data or SHIPPED)
    texts, levels = [row["text"] for row in rows], [row["level"] for row in rows]
    reader = loaded(seen.crisis_reader, "crisis head", seen)
    encoders = encoders_of(seen)

    in_use = read_alone(reader, texts, "danger")
    read = {IN_USE: in_use, PHRASES: Read([reader.phrases.read(text).level for text in texts])}
    readable = [i for i, level in enumerate(in_use.levels) if level != UNKNOWN]
    curves = {}
    if readable:
        reached = np.stack([most_danger(reader, texts[i]) for i in readable])
        curves[IN_USE] = _curve(reached, [levels[i] for i in readable])

    taught, chosen_on = examples(), calibration()
    plain = [encoders.normalise(text) for text in texts]
    baselines = fit_baselines(
        CRISIS_LEVELS,
        encoders.plain,
        cache,
        [encoders.normalise(text) for text, _ in taught],
        [level for _, level in taught],
    )
    for name, predict in baselines.items():
        probabilities = predict(plain)
        if name == MAJORITY:
            names = [CRISIS_LEVELS[i] for i in probabilities.argmax(axis=1)]
        else:
            # The same allowance of false alarms as in use, so that recall can be compared.
            held = predict([encoders.normalise(text) for text, _ in chosen_on])
            thresholds = choose_thresholds(
                held.astype(np.float32), [level for _, level in chosen_on]
            )
            names = _ordinal(probabilities, thresholds)
            curves[name] = _curve(probabilities, levels)
        read[name] = Read(names, (1 - probabilities[:, 0]).tolist())

    return {
        "messages": len(rows),
        "read_as": _counts(levels, in_use.levels),
        "figures": {name: figures(levels, each) for name, each in read.items()},
        "curves": curves,
        "metamorphic": metamorphic(reader),
        "false_alarms_by_kind": _by_kind(rows, in_use.levels, danger=False),
        "misses_by_kind": _by_kind(rows, in_use.levels, danger=True),
    }


def figures(levels: Sequence[str], read: Read) -> dict[str, Any]:
    """Return shares with their intervals, the quadratic kappa, and the calibration error.

    A message that could not be read ("unknown") counts as flagged, since it escalates, and as
    "concern" for kappa, the mildest level that escalates. It has no probability to calibrate.
    """
    pairs = list(zip(levels, read.levels, strict=True))

    def of(true: tuple[str, ...], hit: Callable[[str], bool]) -> dict[str, float | int | None]:
        chosen = [as_ for level, as_ in pairs if level in true]
        return share(sum(map(hit, chosen)), len(chosen))

    def flagged(level: str) -> bool:
        return level != "none"

    grave = CRISIS_LEVELS[2:]
    kappa = quadratic_kappa(_places(read.levels), _places(levels), len(CRISIS_LEVELS))
    known = [i for i, level in enumerate(read.levels) if level != UNKNOWN]
    error = None
    if read.scores and known:
        happened = np.array([flagged(levels[i]) for i in known])
        error = score_calibration_error(np.array([read.scores[i] for i in known]), happened)
    return {
        "high_or_imminent_read_so": of(grave, lambda level: level in grave),
        "high_or_imminent_flagged": of(grave, flagged),
        "concern_flagged": of(("concern",), flagged),
        "harmless_flagged": of(("none",), flagged),
        "kappa": None if kappa is None else round(kappa, 4),
        "ece": None if error is None else round(error, 4),
    }


def operating_points(read_as: Mapping[str, Mapping[str, int]]) -> list[dict[str, float]]:
    """Return recall and false alarms of each level above none, from counts of levels read."""
    points = []
    for step in range(1, len(CRISIS_LEVELS)):
        found = CRISIS_LEVELS[step:]
        told = [(sum(row[each] for each in found), sum(row.values())) for row in read_as.values()]
        alarms, harmless = (sum(row[i] for row in told[:step]) for i in (0, 1))
        hits, danger = (sum(row[i] for row in told[step:]) for i in (0, 1))
        if harmless and danger:
            points.append(
                {"at_least": step, "recall": hits / danger, "false_alarms": alarms / harmless}
            )
    return points


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = read_lines(path)
    if not rows:
        raise DataError(f"{path} holds no messages")
    for number, row in enumerate(rows, start=1):
        good = isinstance(row, dict) and isinstance(row.get("text"), str)
        if not good or row.get("level") not in CRISIS_LEVELS:
            levels = ", ".join(CRISIS_LEVELS)
            raise DataError(f'{path}, message {number}: needs "text" and "level" ({levels})')
    return rows


def _curve(probabilities: Probabilities, levels: list[str]) -> list[dict[str, float]]:
    ranks = _places(levels)
    steps = range(1, len(CRISIS_LEVELS))
    known = [step for step in steps if (ranks >= step).any() and (ranks < step).any()]
    with warnings.catch_warnings():
        # A share of no messages is no point on a curve, and left out below.
        warnings.simplefilter("ignore", RuntimeWarning)
        curve = threshold_curve(probabilities.astype(np.float32), levels)
    return [point for point in curve if point["at_least"] in known]


def _ordinal(probabilities: Probabilities, thresholds: Sequence[float]) -> list[str]:
    """Return the highest level whose cumulative probability is enough, as the head reads."""
    reached = np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1][:, 1:] >= np.array(thresholds)
    steps = np.arange(1, len(CRISIS_LEVELS))
    return [CRISIS_LEVELS[level] for level in (reached * steps).max(axis=1)]


def _places(levels: Sequence[str]) -> Indices:
    return indices(["concern" if each == UNKNOWN else each for each in levels], CRISIS_LEVELS)


def _counts(levels: Sequence[str], read: Sequence[str]) -> dict[str, dict[str, int]]:
    pairs = Counter(zip(levels, read, strict=True))
    return {level: {as_: pairs[level, as_] for as_ in _READ_AS} for level in CRISIS_LEVELS}


def _by_kind(
    rows: Sequence[dict[str, Any]], read: Sequence[str], *, danger: bool
) -> dict[str, dict[str, int]]:
    """Count the errors on danger, or on what is harmless, by kind of message, most first."""
    asked = [
        (str(row.get("kind") or "other"), (level == "none") == danger)
        for row, level in zip(rows, read, strict=True)
        if (row["level"] != "none") == danger
    ]
    total = Counter(kind for kind, _ in asked)
    wrong = Counter(kind for kind, error in asked if error)
    return {kind: {"count": n, "of": total[kind]} for kind, n in wrong.most_common(_KINDS)}
