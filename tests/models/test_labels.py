"""The label sets, against the types that state uses and the weights that ship."""

from typing import get_args

import pytest

from graph.state import CrisisLevel, Intent
from models.encoder import EMBEDDED_ID
from models.heads import HeadName, load_head
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, EMOTIONS, INTENTS, UNSURE
from models.weight_files import WEIGHTS_DIR, check_sum


def test_the_sets_of_the_papers() -> None:
    assert len(EMOTIONS) == len(set(EMOTIONS)) == 32
    assert list(EMOTIONS) == sorted(EMOTIONS)
    assert len(INTENTS) == len(set(INTENTS)) == 9
    assert (*EMOTIONS, UNSURE) == EMOTION_LABELS
    assert UNSURE not in EMOTIONS


def test_state_knows_the_same_labels() -> None:
    assert get_args(Intent) == INTENTS
    assert get_args(CrisisLevel) == (*CRISIS_LEVELS, "unknown")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("emotion", EMOTION_LABELS),
        ("intent", INTENTS),
        ("reply_intent", INTENTS),
        ("crisis", CRISIS_LEVELS),
    ],
)
def test_the_shipped_heads_speak_these_labels(name: HeadName, labels: tuple[str, ...]) -> None:
    adapter = check_sum(WEIGHTS_DIR / "adapter.safetensors")
    head = load_head(name, f"{EMBEDDED_ID}+{adapter[:12]}")

    assert head.labels == labels
    assert len(head.thresholds) == (len(labels) - 1 if name == "crisis" else 0)
