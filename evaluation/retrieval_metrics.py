"""The figures that rankings are judged by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

DEPTH: Final = 10
"""How many results a system is asked for."""

FIRST: Final = 5
"""How many results a person may look at."""

Search = Callable[[Sequence[str]], list[list[str]]]
"""Queries to the ids of at most `DEPTH` documents for each, best first."""

_RESAMPLES: Final = 2_000


@dataclass(frozen=True)
class Ranked:
    """What one system found for one query."""

    ids: Sequence[str]
    """Best first, none twice."""
    relevant: AbstractSet[str]
    """The documents that answer the query, at least one."""
    on_topic: AbstractSet[str] = frozenset()

    def hit(self, k: int) -> float:
        """Return 1 if a relevant document is among the first `k`, else 0."""
        return float(any(each in self.relevant for each in self.ids[:k]))

    @property
    def reciprocal_rank(self) -> float:
        """One over the rank of the first relevant document; 0 if there is none (Voorhees 1999)."""
        ranks = (rank for rank, each in enumerate(self.ids[:DEPTH], 1) if each in self.relevant)
        return 1 / next(ranks, math.inf)

    @property
    def ndcg(self) -> float:
        """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), gains 0 and 1."""
        gain = sum(
            _discount(rank) for rank, each in enumerate(self.ids[:DEPTH], 1)
            if each in self.relevant
        )  # fmt: skip
        best = min(DEPTH, len(self.relevant))
        return gain / sum(_discount(rank) for rank in range(1, best + 1))

    @property
    def topical(self) -> float:
        """Share of the first results that are on the query's topic; one that lacks counts not."""
        return sum(each in self.on_topic for each in self.ids[:FIRST]) / FIRST


def figures(ranked: Sequence[Ranked], *, seed: int = 1) -> dict[str, Any]:
    """Return the mean figures of one system, two of them with 95 % intervals.

    Args:
        ranked: at least one query's results.
        seed: of the resampling. With the same one, systems are resampled by the same queries.
    """
    return {
        "hit_1": with_interval([each.hit(1) for each in ranked], seed=seed),
        "hit_5": _mean([each.hit(FIRST) for each in ranked]),
        "mrr_10": with_interval([each.reciprocal_rank for each in ranked], seed=seed),
        "ndcg_10": _mean([each.ndcg for each in ranked]),
        "topic_5": _mean([each.topical for each in ranked]),
    }


def with_interval(values: Sequence[float], *, seed: int = 1) -> dict[str, float]:
    """Return a mean with its 95 % percentile-bootstrap interval (Efron 1979)."""
    array = np.asarray(values)
    rows = np.random.default_rng(seed).integers(0, len(array), (_RESAMPLES, len(array)))
    low, high = np.quantile(array[rows].mean(axis=1), [0.025, 0.975])
    return {"mean": _mean(values), "low": round(float(low), 4), "high": round(float(high), 4)}


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 1)
