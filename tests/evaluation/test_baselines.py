from pathlib import Path

import numpy as np
import pytest

from evaluation.baselines import Baseline, LinearProbe, Majority, TfIdf, fit_baselines
from tests.evaluation.conftest import WORDS
from tests.fakes import FakeEncoder
from training.data import DataError

NAMES = ("never seen", *WORDS)
TEXTS = [f"{words} {i}" for words in WORDS.values() for i in range(6)]
LABELS = [label for label in WORDS for _ in range(6)]


def learners(cache: Path, encoder: FakeEncoder) -> list[Baseline]:
    return [TfIdf(NAMES), LinearProbe(NAMES, encoder, cache)]


def test_majority_says_how_common_each_label_is(tmp_path: Path) -> None:
    predict = Majority(("a", "b", "c")).fit(["x"] * 4, ["b", "a", "b", "b"])
    assert predict(["new", "text"]).tolist() == [[0.25, 0.75, 0], [0.25, 0.75, 0]]


@pytest.mark.parametrize("which", [0, 1])
def test_a_learner_tells_texts_apart_that_it_has_not_seen(tmp_path: Path, which: int) -> None:
    predict = learners(tmp_path, FakeEncoder())[which].fit(TEXTS, LABELS)
    asked = [f"so much {words}" for words in WORDS.values()]
    found = predict(asked)
    assert found.shape == (4, 5)
    assert found.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert [NAMES[i] for i in found.argmax(axis=1)] == list(WORDS)
    assert not found[:, 0].any()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("labels", [["sad"] * 24, ["sad", "angry"] * 12, [*LABELS[:-1], "odd"]])
def test_too_few_or_unknown_labels_are_a_data_error(
    tmp_path: Path, which: int, labels: list[str]
) -> None:
    with pytest.raises(DataError, match="three known labels"):
        learners(tmp_path, FakeEncoder())[which].fit(TEXTS, labels)


def test_the_probe_keeps_vectors_of_training_text_only(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    predict = LinearProbe(NAMES, encoder, tmp_path).fit(TEXTS, LABELS)
    kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept
    predict(["somebody's own message"])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == kept

    again = FakeEncoder()
    LinearProbe(NAMES, again, tmp_path).fit(TEXTS, LABELS)
    assert again.calls == 0


def test_all_baselines_are_fitted_on_the_same_text(tmp_path: Path) -> None:
    found = fit_baselines(NAMES, FakeEncoder(), tmp_path, TEXTS, LABELS)
    assert list(found) == [
        "majority",
        "TF-IDF + logistic regression",
        "linear probe, plain encoder",
    ]
    assert {predict(TEXTS).shape for predict in found.values()} == {(24, 5)}
