"""What a reading must beat: the commonest label, word counts, and the encoder without an adapter.

Each is fitted on the training text in the same run as the measurement.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np
from tqdm import tqdm

from models.encoder import SentenceEncoder, pool
from training.data import DataError
from training.metrics import Probabilities

Fitted = TypeVar("Fitted")

Predict = Callable[[Sequence[str]], Probabilities]
"""Texts to probabilities of shape (texts, labels)."""

MAJORITY: Final = "majority"
TF_IDF: Final = "TF-IDF + logistic regression"
PROBE: Final = "linear probe, plain encoder"

_MOST_TERMS: Final = 50_000
_STRENGTH: Final = 5.0
"""Inverse of the L2 penalty: weaker than scikit-learn's own, as suits rows of length one."""


class Baseline(Protocol):
    """Learns labels from texts."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Predict:
        """Return a predictor; labels that `texts` lack get probability zero."""


@dataclass(frozen=True)
class Majority:
    """Says how common each label was, whatever the text."""

    names: tuple[str, ...]
    name: str = MAJORITY

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Predict:
        """Count the labels."""
        counts = Counter(labels)
        shares = np.array([counts[name] for name in self.names]) / max(len(texts), 1)
        return lambda asked: np.tile(shares, (len(asked), 1))


@dataclass(frozen=True)
class TfIdf:
    """Logistic regression on TF-IDF weights of words and pairs of words (Salton, Buckley 1988)."""

    names: tuple[str, ...]
    name: str = TF_IDF

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Predict:
        """Fit the weights and the regression."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        present = _present(labels, self.names)
        model = make_pipeline(
            # Words of one letter count: "i" says who a message is about.
            TfidfVectorizer(
                ngram_range=(1, 2),
                token_pattern=r"\b\w+\b",
                sublinear_tf=True,
                max_features=_MOST_TERMS,
            ),
            LogisticRegression(C=_STRENGTH, max_iter=300, tol=1e-3),
        )
        _quietly(lambda: model.fit(texts, [present.index(label) for label in labels]))
        return lambda asked: _spread(model.predict_proba(asked), present, self.names)


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on the vectors of the encoder without its adapter."""

    names: tuple[str, ...]
    encoder: SentenceEncoder
    cache: Path
    name: str = PROBE

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Predict:
        """Encode what the cache lacks, and fit."""
        from training.fit import fit
        from training.vectors import vectors

        present = _present(labels, self.names)
        known = vectors(self.encoder, texts, self.cache, name=self.name)
        rows = np.stack([known[text] for text in texts])
        head = _quietly(lambda: fit(rows, labels, present, strength=_STRENGTH))

        def predict(asked: Sequence[str]) -> Probabilities:
            # Not kept on disk: what is measured may be somebody's own messages.
            found = self.encoder.encode(list(asked), progress=sys.stderr.isatty())
            features = np.stack([pool(each) for each in found])
            return _spread(head.probabilities(features), present, self.names)

        return predict


def fit_baselines(
    names: tuple[str, ...],
    encoder: SentenceEncoder,
    cache: Path,
    texts: Sequence[str],
    labels: Sequence[str],
) -> dict[str, Predict]:
    """Fit all baselines, with a progress bar.

    Args:
        names: the labels, in the order of the probabilities' columns.
        encoder: the plain encoder.
        cache: folder for its vectors of `texts`.
        texts: training text.
        labels: one of `names` for each text.
    """
    baselines: list[Baseline] = [Majority(names), TfIdf(names), LinearProbe(names, encoder, cache)]
    bar = tqdm(baselines, desc="baselines", disable=not sys.stderr.isatty())
    return {each.name: each.fit(texts, labels) for each in bar}


def _present(labels: Sequence[str], names: tuple[str, ...]) -> tuple[str, ...]:
    found = set(labels)
    if not found <= set(names) or len(found) < 3:
        raise DataError("the baselines need at least three known labels in the training data")
    return tuple(name for name in names if name in found)


def _spread(
    probabilities: Probabilities, present: tuple[str, ...], names: tuple[str, ...]
) -> Probabilities:
    whole = np.zeros((len(probabilities), len(names)))
    whole[:, [names.index(name) for name in present]] = probabilities
    return whole


def _quietly(fit: Callable[[], Fitted]) -> Fitted:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # The last digits of a baseline matter to nobody.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit()
