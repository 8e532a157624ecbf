"""Encoder vectors of many texts, kept on disk so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from models.encoder import SentenceEncoder, Vector, pool

_CHUNK: Final = 1024


def vectors(
    encoder: SentenceEncoder, texts: Sequence[str], cache: Path, *, name: str
) -> dict[str, Vector]:
    """Return text to unit vector, encoding what the cache lacks, with a progress bar.

    Args:
        encoder: the encoder; its id is part of the cache's file names.
        texts: any number of texts, repeats allowed.
        cache: folder for chunks of vectors; it is made when missing.
        name: shown beside the bar.
    """
    cache.mkdir(parents=True, exist_ok=True)
    # Similar lengths in one batch waste no padding.
    distinct = sorted(dict.fromkeys(texts), key=lambda text: (len(text), text))
    found: dict[str, Vector] = {}
    for start in tqdm(range(0, len(distinct), _CHUNK), desc=name, unit="k"):
        chunk = distinct[start : start + _CHUNK]
        digest = hashlib.sha256("\0".join([encoder.id, *chunk]).encode()).hexdigest()[:24]
        path = cache / f"{digest}.npy"
        if path.exists():
            rows = np.load(path)
        else:
            rows = np.stack([pool(each) for each in encoder.encode(chunk)])
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, rows)
            part.rename(path)
        found.update(zip(chunk, rows, strict=True))
    return found
