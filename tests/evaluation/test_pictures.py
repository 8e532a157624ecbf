import struct
from pathlib import Path

import pytest

from evaluation.pictures import EMOTION_ORDER, confusion_picture, curve_picture
from models.labels import CRISIS_LEVELS, EMOTION_LABELS
from training.thresholds import threshold_curve


def size(path: Path) -> tuple[int, int]:
    """Return a PNG's width and height; fails when it is none."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_the_order_of_emotions_has_each_label_once() -> None:
    assert sorted(EMOTION_ORDER) == sorted(EMOTION_LABELS)


def test_a_confusion_picture_grows_with_its_labels(tmp_path: Path) -> None:
    counts = [[i == j for j in range(33)] for i in range(32)]
    large = confusion_picture(
        counts, EMOTION_ORDER[:32], "Emotion", tmp_path / "new" / "a.png", columns=EMOTION_ORDER
    )
    # A label that never occurs has an empty row, not a division by zero.
    small = confusion_picture([[3, 1], [0, 0]], ["a", "b"], "Two", tmp_path / "b.png")
    assert size(large)[0] > 2 * size(small)[0]
    assert size(large)[1] > 900


@pytest.mark.parametrize("curves", [True, False])
def test_a_curve_picture(tmp_path: Path, curves: bool) -> None:
    import numpy as np

    probabilities = np.random.default_rng(3).dirichlet(np.ones(4), 40).astype(np.float32)
    curve = threshold_curve(probabilities, list(CRISIS_LEVELS) * 10)
    points = [{"at_least": 2, "recall": 0.9, "false_alarms": 0.1}]
    path = curve_picture({"in use": curve} if curves else {}, points, tmp_path / "c.png")
    width, height = size(path)
    assert width > height > 300
