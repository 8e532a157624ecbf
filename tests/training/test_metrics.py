import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from training import metrics
from training.data import DataError

PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.45, 0.35], [0.05, 0.15, 0.8]]
)
TRUTH = np.array([0, 1, 2, 2, 0])
PREDICTED = PROBABILITIES.argmax(axis=1)


def test_indices_follow_the_names_and_name_an_unknown_label() -> None:
    assert metrics.indices(["b", "a", "b"], ("a", "b")).tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="'c' is none of the labels a, b"):
        metrics.indices(["a", "c"], ("a", "b"))


@pytest.mark.parametrize(("k", "expected"), [(1, 2 / 5), (2, 4 / 5), (3, 1.0), (9, 1.0)])
def test_top_k(k: int, expected: float) -> None:
    assert metrics.top_k(PROBABILITIES, TRUTH, k) == pytest.approx(expected)


def test_top_k_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(6), size=80)
    truth = rng.integers(0, 6, 80)
    for k in (1, 3, 5):
        expected = reference.top_k_accuracy_score(truth, probabilities, k=k, labels=range(6))
        assert metrics.top_k(probabilities, truth, k) == pytest.approx(expected)


def test_macro_f1_by_hand() -> None:
    # Label 0: one hit of two read and two true; label 1: none right; label 2: 1 of 2 and 2.
    assert metrics.macro_f1(PREDICTED, TRUTH, range(3)) == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert metrics.macro_f1(PREDICTED, TRUTH, [0]) == pytest.approx(0.5)


def test_a_label_that_never_occurs_counts_zero_in_macro_f1_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.macro_f1(TRUTH, TRUTH, range(4)) == pytest.approx(3 / 4)


def test_calibration_error_by_hand() -> None:
    # Two bins: 0.45 below one half, wrong; 0.7, 0.5, 0.6, 0.8 above it, two of four right.
    expected = 1 / 5 * 0.45 + 4 / 5 * abs(2 / 4 - 0.65)
    assert metrics.calibration_error(PROBABILITIES, TRUTH, bins=2) == pytest.approx(expected)


def test_calibration_error_is_near_zero_only_where_confidence_is_earned() -> None:
    rng = np.random.default_rng(2)
    scores = rng.random(40_000)
    happened = rng.random(40_000) < scores
    assert metrics.score_calibration_error(scores, happened) < 0.02
    assert metrics.score_calibration_error(np.ones(8), np.zeros(8, dtype=bool)) == 1


def test_confusion_and_recall() -> None:
    counts = metrics.confusion(PREDICTED, TRUTH, 4)
    assert counts.tolist() == [[1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert metrics.recall_by_label(counts) == [0.5, 0.0, 0.5, None]


def test_kl_divergence_by_hand() -> None:
    predicted, truth = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    # Shares of 0 and 1 after adding one: 4/6 and 2/6 against 2/6 and 4/6.
    expected = 4 / 6 * math.log(2) + 2 / 6 * math.log(1 / 2)
    assert metrics.kl_divergence(predicted, truth, 2) == pytest.approx(expected)
    assert metrics.kl_divergence(truth[::-1], truth, 2) == 0


def test_kl_divergence_runs_from_the_predicted_to_the_true_shares() -> None:
    predicted, truth = np.array([0] * 9), np.array([0, 1, 2] * 3)
    p, q = np.array([10, 1, 1]) / 12, np.array([4, 4, 4]) / 12
    forward, backward = (p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()
    assert metrics.kl_divergence(predicted, truth, 3) == pytest.approx(forward)
    assert forward != pytest.approx(backward)


def test_quadratic_kappa() -> None:
    truth, near, far = (np.array(each) for each in ([0, 1, 2, 3], [1, 1, 2, 3], [3, 1, 2, 3]))
    assert metrics.quadratic_kappa(truth, truth, 4) == 1
    close = metrics.quadratic_kappa(near, truth, 4)
    wide = metrics.quadratic_kappa(far, truth, 4)
    # Disagreement 1 of the 4 pairs, a chance of (sum over pairs of the squared distance) / 4.
    chance = sum((a - b) ** 2 for a in truth for b in near) / 4
    assert close == pytest.approx(1 - 1 / chance)
    assert wide is not None and close is not None and wide < close
    assert metrics.quadratic_kappa(np.zeros(3, int), np.zeros(3, int), 4) is None


def test_share_has_the_wilson_interval() -> None:
    # Wilson's interval of 8 out of 10, as in any textbook: 0.490 to 0.943.
    found = metrics.share(8, 10)
    assert (found["share"], found["hits"], found["of"]) == (0.8, 8, 10)
    assert found["low"] == pytest.approx(0.4902, abs=1e-4)
    assert found["high"] == pytest.approx(0.9433, abs=1e-4)
    assert metrics.share(0, 0)["share"] is None


def test_summary_names_its_figures() -> None:
    found = metrics.summary(PROBABILITIES, TRUTH, range(3), ks=(1, 2))
    assert found.keys() == {"top_1", "top_2", "macro_f1", "ece"}
    assert (found["top_1"], found["top_2"]) == (0.4, 0.8)
