"""Fits the heads' weights of terms: logistic regression beside the adapter's own layers.

The two parts are fitted apart, and `calibrate` weighs them on text that neither has seen. Fitted
together, the vectors, which know the training text by heart, would leave the terms nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from models.heads import LinearHead
from models.labels import CRISIS_LEVELS, EMOTION_LABELS
from models.terms import terms_of
from training.examples import Example
from training.fit import fit

_STRENGTH = 10.0
"""Inverse of the L2 penalty: weak, as rows of length one keep the weights small."""


def add_terms(
    heads: Mapping[str, LinearHead], examples: Sequence[Example]
) -> dict[str, LinearHead]:
    """Return the heads, those of emotion and danger with weights of terms."""
    felt = [each for each in examples if each.emotion >= 0]
    rated = [each for each in examples if each.crisis]
    weighted = dict(heads)
    with tqdm(total=2, desc="terms", unit="head") as bar:
        emotion = fit(
            terms_of([each.text for each in felt]),
            [EMOTION_LABELS[each.emotion] for each in felt],
            EMOTION_LABELS,
            strength=_STRENGTH,
        )
        bar.update()
        crisis = fit(
            terms_of([each.text for each in rated]),
            [CRISIS_LEVELS[int(np.argmax(each.crisis))] for each in rated],
            CRISIS_LEVELS,
            strength=_STRENGTH,
            weights=np.array([each.crisis_weight for each in rated], dtype=np.float32),
        )
        bar.update()
    for name, head in (("emotion", emotion), ("crisis", crisis)):
        # The intercept says how common a label was, which the adapter's own layer knows.
        weighted[name] = replace(heads[name], term_weight=np.ascontiguousarray(head.weight.T))
    return weighted
