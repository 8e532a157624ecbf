"""Trained heads: linear layers on a text's vector and terms, stored as safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.encoder import Vector
from models.terms import TERMS
from models.weight_files import (
    RESTORE,
    WEIGHTS_DIR,
    WeightsError,
    read_tensors,
    weights_path,
    write_tensors,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

HeadName = Literal["emotion", "intent", "reply_intent", "crisis"]


@dataclass(frozen=True)
class LinearHead:
    """Multinomial logistic regression with its temperature already folded in.

    `weight` has shape (labels, features), `bias` (labels,).
    """

    labels: tuple[str, ...]
    weight: Vector
    bias: Vector
    thresholds: tuple[float, ...] = ()
    """For ordinal heads: the probability of reaching each label above the first that counts."""
    term_weight: Vector | None = None
    """Of shape (TERMS, labels); none for a head that reads the vector alone."""

    def probabilities(self, features: Vector, terms: csr_matrix | None = None) -> Vector:
        """Return probabilities: (features,) to (labels,), or (n, features) to (n, labels).

        Args:
            features: the vector that the head was trained on, or n of them.
            terms: `terms_of` the same texts; needed by heads that have weights for them.

        Raises:
            WeightsError: the features have another size than the head was trained on, or the terms
                are missing.
        """
        if features.shape[-1] != self.weight.shape[1]:
            raise WeightsError(
                f"the head reads {self.weight.shape[1]} features, the encoder gives "
                f"{features.shape[-1]}: train the heads again for this encoder"
            )
        logits: Vector = features @ self.weight.T + self.bias
        if self.term_weight is not None:
            if terms is None:
                raise WeightsError("the head reads the terms of a text too")
            logits = logits + (terms @ self.term_weight).reshape(logits.shape)
        exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
        result: Vector = (exp / exp.sum(axis=-1, keepdims=True)).astype(np.float32)
        return result

    def scores(self, features: Vector, terms: csr_matrix | None = None) -> dict[str, float]:
        """Return label to probability for one feature vector, most probable first."""
        probabilities = self.probabilities(features, terms)
        order = np.argsort(-probabilities)
        return {self.labels[i]: round(float(probabilities[i]), 4) for i in order}

    def reached(self, features: Vector, terms: csr_matrix | None = None) -> Vector:
        """Return the probability of at least each label above the first: (labels - 1,).

        Of several windows of one text the gravest counts, each with its share of the odds: the
        longer a text, the more of its windows look like danger by chance.
        """
        windows = np.atleast_2d(self.probabilities(features, terms))
        reached = np.cumsum(windows[:, ::-1], axis=1)[:, ::-1][:, 1:]
        shared: Vector = reached / (reached + len(windows) * (1 - reached))
        best: Vector = shared.max(axis=0)
        return best

    def ordinal(self, features: Vector, terms: csr_matrix | None = None) -> tuple[str, float]:
        """Read an ordinal head: the highest label whose cumulative probability is enough.

        Returns:
            The label, and the probability of anything above the first label.
        """
        reached = self.reached(features, terms)
        level = max((i + 1 for i, t in enumerate(self.thresholds) if reached[i] >= t), default=0)
        return self.labels[level], float(reached[0])


def save_head(head: LinearHead, name: HeadName, encoder_id: str, folder: Path) -> Path:
    """Write a head and record its checksum in the folder's manifest."""
    tensors = {
        "weight": head.weight.astype(np.float32),
        "bias": head.bias.astype(np.float32),
        "thresholds": np.array(head.thresholds, dtype=np.float32),
    }
    if head.term_weight is not None:
        tensors |= _quantised(head.term_weight)
    about = {"labels": head.labels, "encoder": encoder_id}
    return write_tensors(tensors, about, weights_path(name, folder))


def _quantised(weight: Vector) -> dict[str, NDArray[Any]]:
    """Store a quarter of the bytes: whole numbers up to 127, and a scale for each label."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / 127
    return {
        "terms": np.rint(weight / scale).astype(np.int8),
        "terms_scale": scale.astype(np.float32),
    }


def load_head(name: HeadName, encoder_id: str, folder: Path | None = None) -> LinearHead:
    """Read a head, checked against the manifest and the encoder it belongs to.

    Raises:
        WeightsError: the file is missing, damaged, or made for another encoder.
    """
    path = weights_path(name, folder or WEIGHTS_DIR)
    tensors, about, _ = read_tensors(path)
    try:
        labels = tuple(about["labels"])
        weight, bias = tensors["weight"], tensors["bias"]
        thresholds = tuple(float(each) for each in tensors["thresholds"])
        terms = tensors["terms"] * tensors["terms_scale"] if "terms" in tensors else None
    except (KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    if about.get("encoder") != encoder_id:
        raise WeightsError(
            f"{path} was trained for the encoder {about.get('encoder')!r}, not {encoder_id!r}: "
            "train the heads again or change EMPATHY_ENCODER"
        )
    if weight.shape[0] != len(labels) or bias.shape != (len(labels),):
        raise WeightsError(f"{path} has {len(labels)} labels for {weight.shape[0]} rows: {RESTORE}")
    if terms is not None and terms.shape != (TERMS, len(labels)):
        raise WeightsError(f"{path} holds terms of the shape {terms.shape}: {RESTORE}")
    return LinearHead(labels, weight, bias, thresholds, terms)
