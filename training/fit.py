"""Fitting and calibrating a linear head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from evaluation import metrics
from models.encoder import Vector
from models.heads import LinearHead


def fit(
    features: Vector,
    labels: Sequence[str],
    names: tuple[str, ...],
    *,
    strength: float = 1.0,
    weights: Vector | None = None,
) -> LinearHead:
    """Fit multinomial logistic regression.

    Args:
        features: shape (examples, features).
        labels: one of `names` for each example; every name must occur.
        names: the labels in the order of the head's rows.
        strength: inverse of the L2 penalty (`C` of scikit-learn).
        weights: weight of each example.
    """
    model = LogisticRegression(C=strength, max_iter=400)
    model.fit(features, [names.index(label) for label in labels], sample_weight=weights)
    return LinearHead(names, model.coef_.astype(np.float32), model.intercept_.astype(np.float32))


def calibrate(head: LinearHead, features: Vector, labels: Sequence[str]) -> LinearHead:
    """Fold in the temperature of least negative log-likelihood (Guo et al. 2017).

    The examples must not be those that the head was fitted on.
    """
    rows = np.arange(len(labels))
    truth = np.array([head.labels.index(label) for label in labels])

    def scaled(temperature: float) -> LinearHead:
        return LinearHead(head.labels, head.weight / temperature, head.bias / temperature)

    def loss(log_temperature: float) -> float:
        chosen = scaled(float(np.exp(log_temperature))).probabilities(features)[rows, truth]
        return float(-np.log(np.maximum(chosen, 1e-9)).mean())

    best = minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded")
    return scaled(float(np.exp(best.x)))


def top_k(head: LinearHead, features: Vector, labels: Sequence[str], k: int = 1) -> float:
    """Return the share of examples whose label is among the k most probable."""
    return metrics.top_k(head.probabilities(features), metrics.indices(labels, head.labels), k)


def calibration_error(head: LinearHead, features: Vector, labels: Sequence[str]) -> float:
    """Return the expected calibration error of the top label (Naeini et al. 2015)."""
    truth = metrics.indices(labels, head.labels)
    return metrics.calibration_error(head.probabilities(features), truth)
