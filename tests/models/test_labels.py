"""The label sets, against the types that state uses and the weights that ship."""

from typing import get_args

import pytest

from graph.state import CrisisLevel, Intent
from models.encoder import EMBEDDED_ID
from models.heads import HeadName, load_head
from models.labels import CRISIS_LEVELS, EMOTIONS, INTENTS


def test_the_sets_of_the_papers() -> None:
    assert len(EMOTIONS) == len(set(EMOTIONS)) == 32
    assert list(EMOTIONS) == sorted(EMOTIONS)
    assert len(INTENTS) == len(set(INTENTS)) == 9


def test_state_knows_the_same_labels() -> None:
    assert get_args(Intent) == INTENTS
    assert get_args(CrisisLevel) == (*CRISIS_LEVELS, "unknown")


@pytest.mark.parametrize(
    ("name", "labels"),
    [("emotion", EMOTIONS), ("intent", INTENTS), ("crisis", CRISIS_LEVELS)],
)
def test_the_shipped_heads_speak_these_labels(name: HeadName, labels: tuple[str, ...]) -> None:
    head = load_head(name, EMBEDDED_ID)

    assert head.labels == labels
    assert len(head.thresholds) == (len(labels) - 1 if name == "crisis" else 0)
