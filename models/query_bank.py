"""A bank of questions, by which a search corrects for hubs.

In spaces of many dimensions a few vectors are near to nearly every query (hubness, Radovanović et
al. 2010), here the answers that say a little of everything. How near a passage is to the questions
of a bank says how much of a hub it is, and its score is lowered by that (CSLS, Conneau et al. 2018;
querybank normalisation, Bogolin et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.encoder import Vector
from models.weight_files import WEIGHTS_DIR, WeightsError, read_tensors, weights_path, write_tensors

QUERY_BANK: Final = "query_bank"
"""The file's name in the folder of weights, without its ending."""

_NEAREST: Final = 10
_ROWS: Final = 4096


@dataclass(frozen=True)
class QueryBank:
    """Unit vectors of questions, of shape (questions, dimensions)."""

    vectors: Vector = field(repr=False)
    id: str

    def hubness(self, passages: NDArray[np.float32]) -> Vector:
        """Return how near each passage is to its nearest questions, one value for each.

        The very nearest question is left out, since it may be the passage's own: that a passage
        answers one question well makes it no hub.

        Args:
            passages: unit vectors, of shape (passages, dimensions).
        """
        count = min(_NEAREST, len(self.vectors) - 1)
        if count < 1:
            return np.zeros(len(passages), dtype=np.float32)
        parts = []
        for start in range(0, len(passages), _ROWS):
            similarity = passages[start : start + _ROWS] @ self.vectors.T
            top = np.partition(similarity, -count - 1, axis=1)[:, -count - 1 :]
            parts.append((top.sum(axis=1) - top.max(axis=1)) / count)
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


def save_query_bank(vectors: Sequence[Vector], encoder_id: str, folder: Path) -> Path:
    """Write a bank in half precision and record its checksum in the folder's manifest."""
    tensors = {"vectors": np.stack(vectors).astype(np.float16)}
    return write_tensors(tensors, {"encoder": encoder_id}, weights_path(QUERY_BANK, folder))


def load_query_bank(encoder_id: str, folder: Path | None = None) -> QueryBank:
    """Read the bank that was made with this encoder.

    Raises:
        WeightsError: the file is missing, damaged, or made with another encoder.
    """
    path = weights_path(QUERY_BANK, folder or WEIGHTS_DIR)
    tensors, about, digest = read_tensors(path)
    if about.get("encoder") != encoder_id or "vectors" not in tensors:
        raise WeightsError(
            f"{path} was made with the encoder {about.get('encoder')!r}, not {encoder_id!r}: "
            "train again or change EMPATHY_ENCODER"
        )
    return QueryBank(np.asarray(tensors["vectors"], dtype=np.float32), digest[:12])
