"""The figures that readings are judged by, from probabilities and true labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data import DataError

Probabilities = NDArray[np.floating[Any]]
"""Of shape (examples, labels)."""

Indices = NDArray[np.intp]
"""Of shape (examples,): which label each example has."""


def indices(labels: Sequence[str], names: Sequence[str]) -> Indices:
    """Return the place of each label in `names`.

    Raises:
        DataError: a label is not in `names`.
    """
    place = {name: i for i, name in enumerate(names)}
    if unknown := sorted(set(labels) - place.keys()):
        raise DataError(f"{unknown[0]!r} is none of the labels {', '.join(names)}")
    return np.array([place[label] for label in labels], dtype=np.intp)


def top_k(probabilities: Probabilities, truth: Indices, k: int = 1) -> float:
    """Return the share of examples whose label is among the k most probable."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == truth[:, None]).any(axis=1).mean())


def macro_f1(predicted: Indices, truth: Indices, labels: Sequence[int]) -> float:
    """Return the mean F1 of `labels`; one that is never right counts zero."""
    from sklearn.metrics import f1_score

    score = f1_score(truth, predicted, labels=list(labels), average="macro", zero_division=0.0)
    return float(score)


def calibration_error(probabilities: Probabilities, truth: Indices, bins: int = 15) -> float:
    """Return the expected calibration error of the top label (Naeini et al. 2015)."""
    right = probabilities.argmax(axis=1) == truth
    return score_calibration_error(probabilities.max(axis=1), right, bins)


def score_calibration_error(
    scores: NDArray[np.floating[Any]], happened: NDArray[np.bool_], bins: int = 15
) -> float:
    """Return the expected calibration error of one probability (Naeini et al. 2015).

    Args:
        scores: probabilities of an event.
        happened: whether it came true.
        bins: how many bins of equal width.
    """
    bin_of = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [
        np.mean(bin_of == b) * abs(happened[bin_of == b].mean() - scores[bin_of == b].mean())
        for b in np.unique(bin_of)
    ]
    return float(np.sum(gaps))


def confusion(predicted: Indices, truth: Indices, labels: int) -> NDArray[np.int64]:
    """Return counts of shape (true label, predicted label)."""
    from sklearn.metrics import confusion_matrix

    counts: NDArray[np.int64] = confusion_matrix(truth, predicted, labels=np.arange(labels))
    return counts


def recall_by_label(counts: NDArray[np.int64]) -> list[float | None]:
    """Return the recall of each label of a square confusion matrix; None where it never occurs."""
    return [
        float(row[i] / row.sum()) if row.sum() else None for i, row in enumerate(np.asarray(counts))
    ]


def kl_divergence(predicted: Indices, truth: Indices, labels: int) -> float:
    """Return the Kullback-Leibler divergence of predicted label shares from the true ones.

    It is D(predicted || true) in nats, the shares smoothed by adding one to each label's count.
    Zero says that labels are chosen as often as people choose them, not that they are right.
    """
    p, q = (
        (np.bincount(each, minlength=labels) + 1) / (len(each) + labels)
        for each in (predicted, truth)
    )
    return float(np.sum(p * np.log(p / q)))


def quadratic_kappa(predicted: Indices, truth: Indices, labels: int) -> float | None:
    """Return Cohen's kappa with quadratic weights (Cohen 1968), for labels that have an order.

    Returns:
        None where truth and readings hold a single label, so that kappa is not defined.
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*predicted.tolist(), *truth.tolist()}) < 2:
        return None
    places = np.arange(labels)
    return float(cohen_kappa_score(truth, predicted, labels=places, weights="quadratic"))


def share(hits: int, total: int) -> dict[str, float | int | None]:
    """Return a share with its 95 % interval (Wilson 1927); None where nothing was counted."""
    from scipy.stats import binomtest

    if not total:
        return {"share": None, "low": None, "high": None, "hits": 0, "of": 0}
    interval = binomtest(hits, total).proportion_ci(confidence_level=0.95, method="wilson")
    low, high = round(float(interval.low), 4), round(float(interval.high), 4)
    return {"share": round(hits / total, 4), "low": low, "high": high, "hits": hits, "of": total}


def summary(
    probabilities: Probabilities, truth: Indices, labels: Sequence[int], ks: Sequence[int] = (1, 3)
) -> dict[str, float]:
    """Return top-k shares, macro-F1 over `labels`, and the expected calibration error."""
    figures = {f"top_{k}": top_k(probabilities, truth, k) for k in ks}
    figures["macro_f1"] = macro_f1(probabilities.argmax(axis=1), truth, labels)
    figures["ece"] = calibration_error(probabilities, truth)
    return {name: round(value, 4) for name, value in figures.items()}
