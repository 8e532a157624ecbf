"""Fits what the heads read beside the adapter's own layers: terms, and danger on frozen vectors.

The layers are fitted apart, and `calibrate` weighs them on text that none has seen. Fitted
together, the vectors, which know the training text by heart, would leave the terms nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from models.encoder import SentenceEncoder, Vector
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS
from models.terms import TERMS, terms_of
from training.examples import Example
from training.fit import fit
from training.vectors import vectors

_TERM_STRENGTH: Final = 10.0
"""Inverse of the L2 penalty: weak, as rows of length one keep the weights small."""

_VECTOR_STRENGTH: Final = 1.0


def with_terms(head: LinearHead, examples: Sequence[Example]) -> LinearHead:
    """Return the emotion head with weights for the terms of the examples that carry an emotion."""
    from sklearn.linear_model import SGDClassifier

    felt = [each for each in examples if each.emotion >= 0]
    # One against the rest by gradient descent: for 33 labels and as many texts, the exact solution
    # takes ten times as long and reads no better.
    model = SGDClassifier(
        loss="log_loss", alpha=3e-6, max_iter=12, tol=None, average=True, random_state=0
    )
    model.fit(terms_of([each.text for each in felt]), [each.emotion for each in felt])
    weight = np.zeros((TERMS, len(head.labels)), dtype=np.float32)
    weight[:, model.classes_] = _with_intercept(model.coef_, model.intercept_)
    return replace(head, term_weight=weight)


def crisis_head(encoder: SentenceEncoder, rated: Sequence[Example], cache: Path) -> LinearHead:
    """Fit danger on the adapted vectors and on terms.

    The adapter's own layer saw conversations as one text; this one also sees single messages from
    the middle of a conversation, which is how the crisis check reads them.

    Args:
        encoder: the encoder with its adapter.
        rated: texts with targets for danger; each counts with its weight.
        cache: folder for the vectors.
    """
    texts = [each.text for each in rated]
    levels = [CRISIS_LEVELS[int(np.argmax(each.crisis))] for each in rated]
    weights = np.array([each.crisis_weight for each in rated], dtype=np.float32)
    known = vectors(encoder, texts, cache, name="danger")
    rows = np.stack([known[text] for text in texts])
    head = fit(rows, levels, CRISIS_LEVELS, strength=_VECTOR_STRENGTH, weights=weights)
    terms = fit(terms_of(texts), levels, CRISIS_LEVELS, strength=_TERM_STRENGTH, weights=weights)
    return replace(head, term_weight=_with_intercept(terms.weight, terms.bias))


def _with_intercept(weight: Vector, intercept: Vector) -> Vector:
    """Return (TERMS, labels), the intercept as the weight of the last term, which is always one.

    As a bias of the head, `calibrate` could not scale it with the rest of the terms.
    """
    rows: Vector = np.ascontiguousarray(weight.T, dtype=np.float32)
    rows[-1] += intercept
    return rows
