from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.intent import BY_POSITION, NEXT, REPLY, evaluate_intent
from evaluation.parts import IN_USE
from models.labels import INTENTS
from tests.evaluation.conftest import REPLIES, dialogue, write_lines
from tests.fakes import INTENT_FEATURES, fake_head, fake_perception
from training.data import DataError


def test_a_head_that_knows_the_replies_is_right_every_time(folder: Path, tmp_path: Path) -> None:
    cues = {intent: texts[1] for intent, texts in REPLIES.items()}
    seen = fake_perception(reply_intent_head=fake_head(INTENTS, cues=cues))
    report = evaluate_intent(seen, folder, tmp_path / "cache")[REPLY]
    # Every second of the eight replies: the second of each intent.
    assert report["examples"] == 4
    assert report["figures"][IN_USE]["top_1"] == 1
    assert report["figures"][IN_USE]["kl"] == 0
    assert report["figures"]["majority"]["top_1"] == 0.25
    assert report["figures"]["majority"]["kl"] > 0
    assert {intent for intent, value in report["recall"].items() if value == 1} == set(REPLIES)
    assert report["recall"]["neutral"] is None
    assert np.trace(report["confusion"]["counts"]) == 4


def test_the_next_intent_is_measured_on_every_second_listener_turn(
    folder: Path, tmp_path: Path
) -> None:
    lean = fake_head(INTENTS, INTENT_FEATURES, cues={}, lean="questioning")
    report = evaluate_intent(fake_perception(intent_head=lean), folder, tmp_path / "c")[NEXT]
    # Twelve dialogues of two listener turns; of dialogue n the second is intent n + 1.
    truth = [list(REPLIES)[(number + 1) % 4] for number in range(24, 36)]
    assert report["examples"] == len(truth) == 12
    expected = truth.count("questioning") / 12
    assert report["figures"][IN_USE]["top_1"] == pytest.approx(expected, abs=1e-4)
    assert report["recall"]["questioning"] == 1
    assert report["recall"]["wishing"] == 0


def test_majority_by_position_is_the_commonest_of_each_position(
    folder: Path, tmp_path: Path
) -> None:
    rows = [dialogue(0) for _ in range(3)] + [dialogue(1), dialogue(2)]
    write_lines(folder / "empathetic_dialogues" / "train.jsonl.gz", rows)
    measured = [dialogue(0), dialogue(0), dialogue(1)]
    write_lines(folder / "empathetic_dialogues" / "valid.jsonl.gz", measured)
    report = evaluate_intent(fake_perception(), folder, tmp_path / "c")[NEXT]
    # Measured are the second turns; consoling, as in two of the three, is commonest there.
    assert report["figures"][BY_POSITION] == {"top_1": pytest.approx(2 / 3, abs=1e-4)}


@pytest.mark.parametrize("part", ["intent_head", "reply_intent_head", "reader"])
def test_a_missing_part_is_named(folder: Path, tmp_path: Path, part: str) -> None:
    missing: dict[str, Any] = {part: None}
    with pytest.raises(RuntimeError, match="could not be loaded: see `empathy doctor`"):
        evaluate_intent(fake_perception(**missing), folder, tmp_path)


@pytest.mark.parametrize("name", ["empathetic_intents", "empathetic_dialogues"])
def test_an_empty_set_is_a_data_error(folder: Path, tmp_path: Path, name: str) -> None:
    write_lines(folder / name / "valid.jsonl.gz", [])
    with pytest.raises(DataError, match="too few"):
        evaluate_intent(fake_perception(), folder, tmp_path / "cache")
