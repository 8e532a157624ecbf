"""The thresholds keep to their shares of false alarms, and the curve is one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.encoder import Vector
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS
from training.thresholds import FALSE_ALARMS, choose_thresholds, threshold_curve


def messages(count: int, seed: int = 0) -> tuple[Vector, list[str]]:
    """Return probabilities of a head that is right more often than not, and the true levels."""
    random = np.random.default_rng(seed)
    ranks = random.integers(len(CRISIS_LEVELS), size=count)
    ranks[: len(CRISIS_LEVELS)] = range(len(CRISIS_LEVELS))
    logits = random.normal(size=(count, len(CRISIS_LEVELS)))
    logits[np.arange(count), ranks] += 2
    exp = np.exp(logits)
    probabilities = (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities, [CRISIS_LEVELS[rank] for rank in ranks]


def false_alarms(probabilities: Vector, levels: list[str], step: int, threshold: float) -> float:
    """Return the share of milder messages that reach a level, counted one by one."""
    milder = [
        row[step:].sum()
        for row, level in zip(probabilities.astype(np.float64), levels, strict=True)
        if CRISIS_LEVELS.index(level) < step
    ]
    return sum(value >= threshold for value in milder) / len(milder)


@given(st.integers(4, 400), st.integers(0, 10_000))
def test_no_more_milder_messages_than_allowed_reach_a_level(count: int, seed: int) -> None:
    probabilities, levels = messages(count, seed)

    thresholds = choose_thresholds(probabilities, levels)

    for step, (threshold, allowed) in enumerate(zip(thresholds, FALSE_ALARMS, strict=True), 1):
        assert false_alarms(probabilities, levels, step, threshold) <= allowed
        # The lowest that does: a little less and one too many would be flagged.
        assert false_alarms(probabilities, levels, step, threshold - 3e-4) >= allowed - 1e-9


def test_equal_probabilities_are_let_through_together_or_not_at_all() -> None:
    row = np.array([[0.5, 0.3, 0.15, 0.05]], dtype=np.float32)
    levels = [*["none"] * 40, *["concern"] * 40, *["high"] * 20, *["imminent"] * 20]
    probabilities = np.repeat(row, len(levels), axis=0)

    thresholds = choose_thresholds(probabilities, levels)

    for step, threshold in enumerate(thresholds, 1):
        assert false_alarms(probabilities, levels, step, threshold) == 0
        assert threshold == pytest.approx(row[0, step:].sum(), abs=3e-4)


def test_the_head_with_these_thresholds_keeps_to_the_bounds() -> None:
    probabilities, levels = messages(800, seed=5)
    thresholds = choose_thresholds(probabilities, levels)
    head = LinearHead(
        CRISIS_LEVELS,
        np.eye(len(CRISIS_LEVELS), dtype=np.float32),
        np.zeros(len(CRISIS_LEVELS), dtype=np.float32),
        thresholds,
    )

    read = [head.ordinal(np.log(row))[0] for row in probabilities]

    harmless = [found for found, level in zip(read, levels, strict=True) if level == "none"]
    # Any of the three thresholds can flag a harmless message.
    assert np.mean([found != "none" for found in harmless]) <= sum(FALSE_ALARMS)
    grave = [found for found, level in zip(read, levels, strict=True) if level == "imminent"]
    assert np.mean([found != "none" for found in grave]) > 0.5


def test_the_curve_falls_with_the_threshold_and_spans_all_of_it() -> None:
    curve = threshold_curve(*messages(300))

    assert {point["at_least"] for point in curve} == {1, 2, 3}
    for step in (1, 2, 3):
        points = [point for point in curve if point["at_least"] == step]
        thresholds = [point["threshold"] for point in points]
        assert thresholds == sorted(thresholds)
        for name in ("recall", "false_alarms"):
            shares = [point[name] for point in points]
            assert shares == sorted(shares, reverse=True)
            assert 0 <= shares[-1] < 0.2 < shares[0] == 1


def test_the_curve_counts_what_the_thresholds_promise() -> None:
    probabilities, levels = messages(300, seed=2)

    for point in threshold_curve(probabilities, levels):
        counted = false_alarms(probabilities, levels, int(point["at_least"]), point["threshold"])
        assert counted == pytest.approx(point["false_alarms"], abs=0.02)
