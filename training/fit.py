"""Fitting, calibrating and scoring a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from models.encoder import Vector
from models.heads import LinearHead
from training import metrics

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Labelled:
    """Texts as a head reads them, and their labels."""

    vectors: Vector
    """Of shape (texts, features)."""
    labels: list[str]
    terms: csr_matrix | None = None
    """Of shape (texts, TERMS), for a head that reads them."""

    def half(self, which: int) -> Labelled:
        """Return every second text, from the first (0) or the second (1) on."""
        terms = None if self.terms is None else self.terms[which::2]
        return Labelled(self.vectors[which::2], self.labels[which::2], terms)


def fit(
    features: Vector | csr_matrix,
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


def calibrate(head: LinearHead, seen: Labelled) -> LinearHead:
    """Fold in the temperatures of least negative log-likelihood (Guo et al. 2017).

    A head that reads terms too has a second temperature for them, which says how much the two
    parts count. The texts must not be those that either was fitted on.
    """
    rows = np.arange(len(seen.labels))
    truth = metrics.indices(seen.labels, head.labels)
    parts = [seen.vectors @ head.weight.T + head.bias]
    if head.term_weight is not None and seen.terms is not None:
        parts.append(seen.terms @ head.term_weight)

    def loss(log_scales: Vector) -> float:
        logits = sum(np.exp(log) * part for log, part in zip(log_scales, parts, strict=True))
        return float(-log_softmax(logits, axis=1)[rows, truth].mean())

    # A step of its own: the method's default for a start at zero is a four-thousandth.
    start = np.vstack([np.zeros(len(parts)), 0.5 * np.eye(len(parts))])
    best = minimize(
        loss,
        start[0],
        method="Nelder-Mead",
        bounds=[(-4, 4)] * len(parts),
        options={"initial_simplex": start},
    )
    scales = np.exp(best.x).astype(np.float32)
    return replace(
        head,
        weight=head.weight * scales[0],
        bias=head.bias * scales[0],
        term_weight=None if head.term_weight is None else head.term_weight * scales[-1],
    )


def top_k(head: LinearHead, seen: Labelled, k: int = 1) -> float:
    """Return the share of texts whose label is among the k most probable."""
    probabilities = head.probabilities(seen.vectors, seen.terms)
    return metrics.top_k(probabilities, metrics.indices(seen.labels, head.labels), k)


def calibration_error(head: LinearHead, seen: Labelled) -> float:
    """Return the expected calibration error of the top label (Naeini et al. 2015)."""
    truth = metrics.indices(seen.labels, head.labels)
    return metrics.calibration_error(head.probabilities(seen.vectors, seen.terms), truth)
