"""Hashed words, pairs of words and parts of words: what a head reads beside the sentence vector.

A sentence vector blurs rare words and small differences of wording; a linear layer on sparse terms
keeps them ("wide and deep", Cheng et al. 2016). Terms are hashed (Weinberger et al. 2009), so
there is no vocabulary to ship, and parts of words still match when a word is misspelt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from models.encoder import Vector

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction import FeatureHasher

_BITS: Final = 15
TERMS: Final = 2 * 2**_BITS + 1
"""Columns: words and their pairs, parts of words, and a one, whose weight is the intercept."""


class Features(NamedTuple):
    """What a head reads of a text."""

    vector: Vector
    """Of shape (dimensions,), or (windows, dimensions)."""
    terms: csr_matrix
    """Of shape (1, TERMS), or (windows, TERMS)."""


def terms_of(texts: Sequence[str]) -> csr_matrix:
    """Count the terms of each text: (texts, TERMS), words and parts of words of length one each."""
    from scipy.sparse import csr_matrix, hstack

    # What `HashingVectorizer.transform` does, less the checks of arguments, which take longer than
    # the counting of a short text.
    counts = [_unit_rows(hasher.transform(map(analyze, texts))) for analyze, hasher in _counters()]
    ones = csr_matrix(np.ones((len(texts), 1), dtype=np.float32))
    return hstack([*counts, ones], format="csr")


def _unit_rows(counts: csr_matrix) -> csr_matrix:
    """Scale each row to length one, in place; an empty row stays empty."""
    sizes = np.diff(counts.indptr)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.sqrt(np.bincount(rows, weights=counts.data**2, minlength=len(sizes)))
    counts.data = (counts.data / lengths[rows]).astype(np.float32)
    return counts


@cache
def _counters() -> tuple[tuple[Callable[[str], list[str]], FeatureHasher], ...]:
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.feature_extraction.text import HashingVectorizer

    # Words of one letter count: "i" says who a message is about.
    words = HashingVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b")
    parts = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    hasher = FeatureHasher(2**_BITS, input_type="string", dtype="float32", alternate_sign=False)
    return (words.build_analyzer(), hasher), (parts.build_analyzer(), hasher)
