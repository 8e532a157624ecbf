"""Trained heads: small linear layers on the encoder's vectors, stored as safetensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.encoder import Vector

WEIGHTS_DIR: Final = Path(__file__).parent / "weights"
MANIFEST: Final = "SHA256SUMS"
RESTORE: Final = "restore the file or train it again"

HeadName = Literal["emotion", "intent", "reply_intent", "crisis"]


class HeadError(RuntimeError):
    """A head's weights are missing, damaged, or made for another encoder."""


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

    def probabilities(self, features: Vector) -> Vector:
        """Return probabilities: (features,) to (labels,), or (n, features) to (n, labels).

        Raises:
            HeadError: the features have another size than the head was trained on.
        """
        if features.shape[-1] != self.weight.shape[1]:
            raise HeadError(
                f"the head reads {self.weight.shape[1]} features, the encoder gives "
                f"{features.shape[-1]}: train the heads again for this encoder"
            )
        logits: Vector = features @ self.weight.T + self.bias
        exp = np.exp(logits - logits.max(axis=-1, keepdims=True))
        result: Vector = (exp / exp.sum(axis=-1, keepdims=True)).astype(np.float32)
        return result

    def scores(self, features: Vector) -> dict[str, float]:
        """Return label to probability for one feature vector, most probable first."""
        probabilities = self.probabilities(features)
        order = np.argsort(-probabilities)
        return {self.labels[i]: round(float(probabilities[i]), 4) for i in order}

    def ordinal(self, features: Vector) -> tuple[str, float]:
        """Read an ordinal head: the highest label whose cumulative probability is enough.

        Returns:
            The label, and the probability of anything above the first label.
        """
        probabilities = self.probabilities(features)
        reached = np.cumsum(probabilities[::-1])[::-1][1:]
        level = max((i + 1 for i, t in enumerate(self.thresholds) if reached[i] >= t), default=0)
        return self.labels[level], float(reached[0])


def save_head(head: LinearHead, name: HeadName, encoder_id: str, folder: Path) -> Path:
    """Write a head and record its checksum in the folder's manifest."""
    tensors = {
        "weight": head.weight.astype(np.float32),
        "bias": head.bias.astype(np.float32),
        "thresholds": np.array(head.thresholds, dtype=np.float32),
    }
    metadata = {"labels": json.dumps(head.labels), "encoder": encoder_id}
    return write_tensors(tensors, metadata, name, folder)


def load_head(name: HeadName, encoder_id: str, folder: Path | None = None) -> LinearHead:
    """Read a head, checked against the manifest and the encoder it belongs to.

    Raises:
        HeadError: the file is missing, damaged, or made for another encoder.
    """
    folder = folder or WEIGHTS_DIR
    path = folder / f"{name}.safetensors"
    check_sum(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
            thresholds = file.get_tensor("thresholds")
        labels = tuple(json.loads(metadata["labels"]))
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as exc:
        raise HeadError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    if metadata.get("encoder") != encoder_id:
        raise HeadError(
            f"{path} was trained for the encoder {metadata.get('encoder')!r}, not {encoder_id!r}: "
            "train the heads again or change EMPATHY_ENCODER"
        )
    if weight.shape[0] != len(labels) or bias.shape != (len(labels),):
        raise HeadError(f"{path} has {len(labels)} labels for {weight.shape[0]} rows: {RESTORE}")
    return LinearHead(labels, weight, bias, tuple(float(t) for t in thresholds))


def write_tensors(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], name: str, folder: Path
) -> Path:
    """Write one file of weights and record its checksum in the folder's manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    arrays = {key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}
    save_file(arrays, path, metadata=dict(metadata))
    sums = _read_manifest(folder) if (folder / MANIFEST).exists() else {}
    sums[path.name] = _sha256(path)
    lines = [f"{digest}  {file}\n" for file, digest in sorted(sums.items())]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")
    return path


def check_sum(path: Path) -> str:
    """Return the checksum of a file of weights.

    Raises:
        HeadError: the file is missing, or its checksum is not the one in the manifest.
    """
    try:
        digest = _sha256(path)
        expected = _read_manifest(path.parent).get(path.name)
    except FileNotFoundError as exc:
        raise HeadError(f"{exc.filename} is missing: {RESTORE}") from exc
    except (OSError, ValueError) as exc:
        raise HeadError(f"{path} cannot be read ({type(exc).__name__}): {RESTORE}") from exc
    if digest != expected:
        raise HeadError(f"{path} does not match {MANIFEST}: {RESTORE}")
    return digest


def _read_manifest(folder: Path) -> dict[str, str]:
    lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {file.strip(): digest for digest, file in pairs}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
