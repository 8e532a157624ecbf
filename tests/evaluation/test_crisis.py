import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.baselines import MAJORITY
from evaluation.crisis import PHRASES, evaluate_crisis, figures, operating_points
from evaluation.crisis_reading import Read, metamorphic, most_danger, read_alone
from evaluation.parts import IN_USE
from models.labels import CRISIS_LEVELS
from tests.evaluation.conftest import write_lines
from tests.fakes import FakeEncoder, fake_crisis_head, fake_perception
from training.data import DataError

SECRET = "zanzibar"
CUES = {"concern": "heavy grey fog", "high": "dark deep thoughts", "imminent": "tonight goodbye"}
WORDS = CUES | {"none": "sunny walk with my dog"}
TAUGHT = [(f"{words} {i}", level) for level, words in WORDS.items() for i in range(5)]


DIMS = 512
"""Enough that no two of the words share a place."""


def seeing() -> Any:
    encoder = FakeEncoder(dims=DIMS)
    return fake_perception(encoder=encoder, crisis_head=fake_crisis_head(CUES, DIMS))


def message(level: str, text: str | None = None, kind: str | None = None) -> dict[str, Any]:
    row = {"text": text or f"the {WORDS[level]}", "level": level}
    return row | ({"kind": kind} if kind else {})


@pytest.fixture
def evaluate(tmp_path: Path) -> Any:
    def run(*rows: Any, seen: Any = None) -> dict[str, Any]:
        return evaluate_crisis(
            seen or seeing(),
            write_lines(tmp_path / "messages.jsonl", list(rows)),
            tmp_path / "cache",
            examples=lambda: TAUGHT,
            calibration=lambda: TAUGHT,
        )

    return run


def test_messages_are_counted_by_true_level_and_level_read(evaluate: Any) -> None:
    report = evaluate(
        *(message(level) for level in CRISIS_LEVELS),
        message("high", WORDS["concern"], "veiled"),
        message("imminent", WORDS["none"], "veiled"),
        message("none", f"I want to kill myself {SECRET}", "fiction"),
        message("none", "das ist ein Brief für dich und mich", "tech"),
    )
    assert report["messages"] == 8
    rows = report["read_as"]
    assert list(rows["none"].values()) == [1, 0, 1, 0, 1]
    assert list(rows["concern"].values()) == [0, 1, 0, 0, 0]
    assert list(rows["high"].values()) == [0, 1, 1, 0, 0]
    assert list(rows["imminent"].values()) == [1, 0, 0, 1, 0]
    found = report["figures"][IN_USE]
    assert (found["high_or_imminent_read_so"]["hits"], found["high_or_imminent_read_so"]["of"]) == (
        2,
        4,
    )
    assert found["high_or_imminent_flagged"]["hits"] == 3
    assert found["concern_flagged"]["share"] == 1
    # The unreadable one escalates, and so counts as flagged.
    assert (found["harmless_flagged"]["hits"], found["harmless_flagged"]["of"]) == (2, 3)
    assert report["misses_by_kind"] == {"veiled": {"count": 1, "of": 2}}
    assert report["false_alarms_by_kind"] == {
        "fiction": {"count": 1, "of": 1},
        "tech": {"count": 1, "of": 1},
    }
    # Nobody's words are in what is printed or kept.
    assert SECRET not in json.dumps(report)
    assert "fog" not in json.dumps(report)


def test_the_baselines_stand_beside_it(evaluate: Any) -> None:
    report = evaluate(*(message(level) for level in CRISIS_LEVELS for _ in range(2)))
    assert list(report["figures"]) == [
        IN_USE,
        PHRASES,
        MAJORITY,
        "TF-IDF + logistic regression",
        "linear probe, plain encoder",
    ]
    # Four levels are equally common, and the first is then the guess.
    assert report["figures"][MAJORITY]["high_or_imminent_flagged"]["hits"] == 0
    assert report["figures"][PHRASES]["ece"] is None
    for name in ("TF-IDF + logistic regression", "linear probe, plain encoder"):
        learned = report["figures"][name]
        assert learned["high_or_imminent_read_so"]["share"] == 1
        assert learned["kappa"] > 0.9
        assert report["curves"][name]
    assert report["figures"][IN_USE]["kappa"] == 1


def test_the_curve_falls_from_everything_to_little(evaluate: Any) -> None:
    report = evaluate(*(message(level) for level in CRISIS_LEVELS for _ in range(3)))
    for step in (1, 2, 3):
        curve = [each for each in report["curves"][IN_USE] if each["at_least"] == step]
        assert (curve[0]["recall"], curve[0]["false_alarms"]) == (1, 1)
        assert curve[-1]["false_alarms"] == 0
        # Full recall without a false alarm exists, since the head knows all the words.
        assert any(each["recall"] == 1 and each["false_alarms"] == 0 for each in curve)


def test_a_set_without_a_level_has_no_curve_for_it_and_no_nan(evaluate: Any) -> None:
    report = evaluate(message("none"), message("concern"), message("none"))
    assert {each["at_least"] for each in report["curves"][IN_USE]} == {1}
    text = json.dumps(report, allow_nan=False)
    assert report["figures"][IN_USE]["high_or_imminent_flagged"]["share"] is None
    assert "null" in text


def test_unknown_counts_as_flagged_and_as_concern_but_has_no_probability() -> None:
    levels = ["none", "none", "high", "concern"]
    found = figures(levels, Read(["none", "unknown", "unknown", "concern"], [0.0, 0.9, 0.0, 1.0]))
    same = figures(levels, Read(["none", "concern", "concern", "concern"], [0.0, 0.9, 0.0, 1.0]))
    assert found["kappa"] == same["kappa"]
    assert found["harmless_flagged"]["hits"] == 1
    assert found["high_or_imminent_read_so"]["hits"] == 0
    assert found["ece"] == 0
    assert same["ece"] == pytest.approx((0.9 + 1) / 4)


def test_operating_points_by_hand() -> None:
    empty = dict.fromkeys([*CRISIS_LEVELS, "unknown"], 0)
    read_as = {
        "none": empty | {"none": 8, "concern": 2},
        "concern": empty | {"none": 1, "concern": 3},
        "high": empty | {"concern": 1, "high": 1},
        "imminent": empty | {"imminent": 4},
    }
    assert operating_points(read_as) == [
        {"at_least": 1, "recall": 0.9, "false_alarms": 0.2},
        {"at_least": 2, "recall": pytest.approx(5 / 6), "false_alarms": 0},
        {"at_least": 3, "recall": 1, "false_alarms": 0},
    ]
    assert operating_points({"none": empty}) == []


def test_each_message_is_read_alone() -> None:
    reader = seeing().crisis_reader
    found = read_alone(reader, [WORDS["imminent"], WORDS["none"]], "test")
    assert found.levels == ["imminent", "none"]


def test_the_gravest_window_decides_the_curve_with_its_share_of_the_odds() -> None:
    reader = seeing().crisis_reader
    long = "sunny walk with my dog " * 120 + WORDS["imminent"] + " sunny walk" * 2
    windows = reader.head.probabilities(*reader.texts.message(long))
    assert len(windows) > 1
    found = most_danger(reader, long)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    gravest = windows[:, 3].max()
    assert found[3] == pytest.approx(gravest / (gravest + len(windows) * (1 - gravest)), abs=1e-4)
    assert np.all(found >= -1e-6)


def test_rewordings_that_change_the_level_are_counted_by_direction(tmp_path: Path) -> None:
    groups = [
        {"base": WORDS["high"], "variants": [WORDS["high"].upper(), WORDS["concern"]]},
        {"base": WORDS["none"], "variants": [WORDS["none"], "I want to kill myself"]},
    ]
    found = metamorphic(seeing().crisis_reader, write_lines(tmp_path / "m.jsonl", groups))
    assert (found["kept"]["hits"], found["kept"]["of"]) == (2, 4)
    assert (found["read_milder"], found["read_graver"]) == (1, 1)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"level": "none"}, "message 2: needs"),
        ({"text": SECRET, "level": "severe"}, "none, concern, high, imminent"),
        ({"text": 5, "level": "none"}, "message 2: needs"),
        ([SECRET], "message 2: needs"),
    ],
)
def test_a_bad_row_is_named_by_its_number_and_not_quoted(
    evaluate: Any, row: Any, says: str
) -> None:
    with pytest.raises(DataError, match=says) as raised:
        evaluate(message("none"), row)
    assert SECRET not in str(raised.value)


def test_no_rows_and_no_head_are_errors(evaluate: Any) -> None:
    with pytest.raises(DataError, match="holds no messages"):
        evaluate()
    with pytest.raises(RuntimeError, match="crisis head could not be loaded"):
        evaluate(message("none"), seen=fake_perception(crisis_reader=None))
