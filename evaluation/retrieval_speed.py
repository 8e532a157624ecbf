"""How long a search takes beyond the encoder, by the size of the collection."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from evaluation.retrieval_parts import MEASURING
from knowledge.index.passages import Passages, entry_of
from knowledge.search import Query
from knowledge.store import IndexPlace, Store, open_collection
from models.encoder import Vector

SIZES: Final = (1_000, 10_000)
LARGE: Final = 100_000
"""Its index takes minutes to build, so it is measured only when asked for."""

_KS: Final = (3, 10)
_WARM_UP: Final = 5
_OF_A_DOCUMENT: Final = 3
"""Passages, about as many as an answer of CounselChat has at most."""
_WORDS: Final = 120
_VOCABULARY: Final = "the of a to and I feel my day night work sleep alone friend time talk".split()


def search_times(
    sizes: Sequence[int] = SIZES, *, queries: int = 200, dimensions: int = 384, seed: int = 1
) -> dict[str, Any]:
    """Time searches with a vector that is given, in collections of random unit vectors.

    Such vectors have no neighbourhoods, which is the hardest case for the search graph.

    Args:
        sizes: how many passages the collections hold.
        queries: how many searches are timed for each collection and number of results.
        dimensions: of the vectors.
        seed: of vectors, texts and queries.

    Returns:
        For each size the seconds that the index took to build, and the median and 95th
        percentile, in milliseconds, of a search for 3 and for 10 results.
    """
    bar = tqdm(sizes, desc="speed", unit="index", disable=not sys.stderr.isatty())
    return {str(size): _times(size, queries, dimensions, seed) for size in bar}


def _times(size: int, queries: int, dimensions: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, size])
    with TemporaryDirectory(prefix="empathy-speed-") as folder:
        source = _random_passages(size, dimensions, rng)
        started = time.perf_counter()
        bar = sys.stderr.isatty()
        opened = open_collection(IndexPlace(Path(folder)), source, progress=bar)
        built = time.perf_counter() - started
        with Store([opened], MEASURING) as store:
            asked = _unit_rows(queries + _WARM_UP, dimensions, rng).tolist()
            return {"build_s": round(built, 2)} | {
                f"k_{k}": _summary(_timed(store, asked, k)) for k in _KS
            }


def _timed(store: Store, asked: Sequence[list[float]], k: int) -> Iterator[float]:
    for number, vector in enumerate(asked):
        query = Query(vector)
        started = time.perf_counter()
        store.search(query, k=k)
        took = time.perf_counter() - started
        # The first ones open files and fill caches.
        if number >= _WARM_UP:
            yield 1000 * took


def _summary(times: Iterator[float]) -> dict[str, float]:
    median, late = np.quantile(list(times), [0.5, 0.95])
    return {"median_ms": round(float(median), 3), "p95_ms": round(float(late), 3)}


def _random_passages(size: int, dimensions: int, rng: np.random.Generator) -> Passages:
    vectors = _unit_rows(size, dimensions, rng)
    words = rng.integers(0, len(_VOCABULARY), (size, _WORDS))
    names = [f"document-{row // _OF_A_DOCUMENT}#{row % _OF_A_DOCUMENT}" for row in range(size)]
    rows = {name: row for row, name in enumerate(names)}
    texts = {name: " ".join(_VOCABULARY[i] for i in words[rows[name]]) for name in names}
    return Passages(
        f"speed-{size}",
        texts,
        lambda name: {"entry": entry_of(name), "title": "", "source": "random"},
        lambda wanted: vectors[[rows[each] for each in wanted]],
        f"random-{dimensions}",
        f"random-{size}",
    )


def _unit_rows(count: int, dimensions: int, rng: np.random.Generator) -> Vector:
    rows = rng.normal(size=(count, dimensions)).astype(np.float32)
    scaled: Vector = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled
