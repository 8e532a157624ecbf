from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.emotion import TOGETHER, evaluate_emotion
from evaluation.parts import IN_USE
from models.labels import EMOTION_LABELS, EMOTIONS, UNSURE
from nodes.emotion import read_emotion
from tests.evaluation.conftest import WORDS, dialogue, write_lines
from tests.fakes import fake_head, fake_perception
from training.data import DataError

SOURCES = ["situation", "first utterance", "conversation"]


def seeing(**cues: str) -> Any:
    head = fake_head(EMOTION_LABELS, cues=cues or WORDS)
    return fake_perception(emotion_head=head)


def test_a_head_that_knows_every_text_is_right_every_time(folder: Path, tmp_path: Path) -> None:
    report = evaluate_emotion(seeing(), folder, tmp_path / "cache")
    assert report["dialogues"] == 6
    assert list(report["figures"]) == [*SOURCES, TOGETHER]
    for readers in report["figures"].values():
        assert len(readers) == 4
        assert readers[IN_USE]["top_1"] == 1
        # Only two of the 32 emotions are among every second dialogue, so the others count zero.
        assert readers[IN_USE]["macro_f1"] == pytest.approx(2 / 32, abs=1e-4)
        assert readers["majority"]["top_1"] < 1
        assert readers["majority"].keys() == {"top_1", "top_3", "top_5", "macro_f1", "ece"}
    assert report["unsure"] == dict.fromkeys(SOURCES, 0)
    assert list(report["recall"]) == list(EMOTIONS)
    assert {k: v for k, v in report["recall"].items() if v is not None} == {
        "joyful": 1,
        "lonely": 1,
    }


def test_a_head_that_is_unsure_of_everything_is_counted_so(folder: Path, tmp_path: Path) -> None:
    seen = fake_perception(emotion_head=fake_head(EMOTION_LABELS, cues={}, lean=UNSURE))
    report = evaluate_emotion(seen, folder, tmp_path / "cache")
    assert report["unsure"] == dict.fromkeys(SOURCES, 1)
    assert report["figures"][TOGETHER][IN_USE]["top_1"] == 0
    counts = np.array(report["confusion"]["counts"])
    assert counts.sum() == 18
    assert counts[:, report["confusion"]["labels"].index(UNSURE)].sum() == 18


def test_texts_are_read_as_the_graph_reads_them(folder: Path, tmp_path: Path) -> None:
    """The figures are those of `read_emotion` on the person's messages."""
    seen = fake_perception()
    report = evaluate_emotion(seen, folder, tmp_path / "cache")
    assert seen.reader and seen.emotion_head
    hits = []
    for number in range(25, 36, 2):
        row = dialogue(number)
        said = tuple(turn["text"] for turn in row["turns"] if turn["role"] == "speaker")
        hits.append(read_emotion(seen.reader, seen.emotion_head, said)["label"] == row["emotion"])
    assert report["figures"]["conversation"][IN_USE]["top_1"] == pytest.approx(
        np.mean(hits), abs=1e-4
    )


def test_only_every_second_dialogue_is_measured(folder: Path, tmp_path: Path) -> None:
    seen = seeing()
    evaluate_emotion(seen, folder, tmp_path / "cache")
    passed = seen.reader.encoder.passes
    measured, others = (
        [seen.reader.normalise(dialogue(n)["turns"][0]["text"]) for n in range(start, 36, 2)]
        for start in (25, 24)
    )
    assert all(text in passed for text in measured)
    assert not any(text in passed for text in others)


def test_too_little_data_and_missing_parts_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="emotion head could not be loaded: no such file"):
        seen = fake_perception(emotion_head=None, problems=("no such file",))
        evaluate_emotion(seen, folder, tmp_path)
    with pytest.raises(RuntimeError, match="adapter could not be loaded"):
        evaluate_emotion(fake_perception(reader=None), folder, tmp_path)
    write_lines(folder / "empathetic_dialogues" / "valid.jsonl.gz", [dialogue(1)])
    with pytest.raises(DataError, match="too few dialogues"):
        evaluate_emotion(seeing(), folder, tmp_path)
    odd = [dialogue(1), dialogue(2) | {"emotion": "hungry"}]
    write_lines(folder / "empathetic_dialogues" / "valid.jsonl.gz", odd)
    with pytest.raises(DataError, match="'hungry' is none of the labels"):
        evaluate_emotion(seeing(), folder, tmp_path)
