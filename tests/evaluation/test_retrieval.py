"""The suite of retrieval: its questions and answers, whole runs, and what the command prints."""

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli
from evaluation import retrieval_parts, retrieval_speed, run
from evaluation.parts import IN_USE
from evaluation.retrieval import NEITHER_ON_CARDS, TEXT, UNSEEN, WHOLE
from evaluation.retrieval_data import load_benchmark
from evaluation.retrieval_parts import (
    BM25,
    EQUAL,
    LANGCHAIN,
    NEITHER,
    NO_HUBS,
    NOTHING,
    PLAIN,
    VARIANTS,
)
from evaluation.tables import layout
from knowledge.store import IndexPlace
from tests.evaluation.conftest import write_lines
from tests.evaluation.retrieving import (
    HARMFUL,
    SHARED,
    Blind,
    Words,
    counsel_chat,
    encoders,
    evaluated,
)
from training.data import DataError

SYSTEMS = [BM25, LANGCHAIN, IN_USE, PLAIN, NO_HUBS, EQUAL, NEITHER, NOTHING]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return counsel_chat(tmp_path)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("whole")
    return evaluated(counsel_chat(path), path)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep temporary folders where the test can look."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_questions_and_answers_are_counted_as_they_are(data: Path, tmp_path: Path) -> None:
    place = IndexPlace(tmp_path / "library" / "index")
    place.directory.mkdir(parents=True)
    found = load_benchmark(data, Words("w"), None, place)
    assert found.counts == {
        "held_out": 4,
        "counted": 3,
        "without_answers": 1,
        "seen": 1,
        "answers_left_out": 1,
        "answers_duplicate": 1,
    }
    assert not any(HARMFUL in text for text in found.documents.values())
    by_title = {each.whole.splitlines()[0]: each for each in found.asked}
    assert by_title.keys() == {"Sleepless nights", "Exam fear", "Grief"}
    assert by_title["Sleepless nights"].relevant == {"counsel_chat/0-0", "counsel_chat/0-1"}
    # Its own answer, and the same one to a question that was trained on, are one document.
    assert by_title["Exam fear"].relevant == {"counsel_chat/10-0"}
    assert [each.seen for each in by_title.values()] == [False, True, False]
    assert not {each.whole for each in found.asked} & set(found.trained)
    assert len(found.trained) == 12
    assert found.about(by_title["Grief"]) == {"counsel_chat/15-0"}


def test_a_later_duplicate_is_answered_by_the_document_that_was_kept(
    data: Path, tmp_path: Path
) -> None:
    path = data / "counsel_chat" / "answers.jsonl.gz"
    rows = [
        {"id": f"{i}-0", "question_id": str(i), "text": text, "topic": "school"}
        for i, text in ((11, SHARED), (10, SHARED.lower()))
    ]
    write_lines(path, rows)
    place = IndexPlace(tmp_path / "library" / "index")
    place.directory.mkdir(parents=True)
    found = load_benchmark(data, Words("w"), None, place)
    assert [each.relevant for each in found.asked] == [{"counsel_chat/11-0"}]


def test_the_whole_run(report: dict[str, Any]) -> None:
    assert list(report["figures"]) == [WHOLE, TEXT, UNSEEN]
    assert {way: each["questions"] for way, each in report["figures"].items()} == {
        WHOLE: 3,
        TEXT: 2,
        UNSEEN: 2,
    }
    for each in report["figures"].values():
        assert list(each["systems"]) == SYSTEMS
    # Shared words, which all of these can see, name the answers to these two questions.
    for name in (BM25, IN_USE, NEITHER):
        assert report["figures"][UNSEEN]["systems"][name]["hit_1"]["mean"] == 1.0
    assert (report["documents"], report["passages"], report["floor"]) == (7, 7, -1.0)
    assert list(report["speed"]) == ["12"]
    assert report["cards"]["situations"] == 9
    assert "awake" not in json.dumps(report)


def test_without_the_adapter_means_the_plain_encoder(data: Path, tmp_path: Path) -> None:
    report = evaluated(data, tmp_path, plain=Blind("blind", 32))
    systems = report["figures"][UNSEEN]["systems"]
    for name, (adapter, _) in VARIANTS.items():
        assert (systems[name]["hit_1"]["mean"] == 1.0) == adapter, name
    cards = {name: each["hit_1"]["hits"] for name, each in report["cards"]["systems"].items()}
    # To the blind one all cards are alike, and the first by id is found.
    assert cards == {IN_USE: 9, NO_HUBS: 9, PLAIN: 3, NEITHER_ON_CARDS: 3}


def test_an_encoder_without_an_adapter_is_measured_and_said_to_have_none(
    data: Path, tmp_path: Path
) -> None:
    words = Words("fake")
    report = evaluated(data, tmp_path, plain=words, adapted=words, bank=None)
    systems = report["figures"][WHOLE]["systems"]
    assert systems[IN_USE] == systems[PLAIN] == systems[NO_HUBS]
    assert any("no retrieval adapter" in each for each in report["notes"])
    assert any("hubs are not corrected" in each for each in report["notes"])


def test_the_notes_say_what_is_measured(report: dict[str, Any]) -> None:
    notes = " ".join(report["notes"])
    assert "no floor here (-1" in notes and "self-consistency check" in notes
    assert "1 of 4 held-out questions are not counted" in notes
    assert "no retrieval adapter" not in notes


@pytest.mark.parametrize("texts", [[], [HARMFUL]])
def test_without_an_answer_there_is_nothing_to_measure(
    data: Path, tmp_path: Path, texts: list[str]
) -> None:
    rows = [
        {"id": f"0-{n}", "question_id": "0", "text": text, "topic": ""}
        for n, text in enumerate(texts)
    ]
    write_lines(data / "counsel_chat" / "answers.jsonl.gz", rows)
    with pytest.raises(DataError, match="has an answer that ingestion keeps"):
        evaluated(data, tmp_path)


def test_missing_data_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"questions.jsonl.gz is missing"):
        evaluated(tmp_path, tmp_path)


def test_a_stop_leaves_no_folder_behind(data: Path, tmp_path: Path, scratch: Path) -> None:
    def stopped(texts: list[str]) -> list[list[float]]:
        assert list(scratch.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluated(data, tmp_path, langchain=stopped)
    assert list(scratch.iterdir()) == []


def test_a_second_run_embeds_nothing_and_says_the_same(
    data: Path, tmp_path: Path, scratch: Path
) -> None:
    def never(texts: list[str]) -> list[list[float]]:
        raise AssertionError("asked for vectors that are kept")

    first = evaluated(data, tmp_path)
    plain, adapted = Words("fake", 32), Words("fake+1")
    again = evaluated(data, tmp_path, plain=plain, adapted=adapted, langchain=never)
    assert list(scratch.iterdir()) == []
    assert plain.documents == adapted.documents == 0
    assert again["figures"] == first["figures"] and again["cards"] == first["cards"]


def test_the_table_names_every_system_and_fits(report: dict[str, Any]) -> None:
    text = layout({"retrieval": report})
    lines = text.splitlines()
    for name in SYSTEMS:
        # A row for each of the three ways to ask; the cards have four of the systems.
        assert sum(line.strip().startswith(f"{name} ") for line in lines) >= 3, name
    for said in ("hit@1", "hit@5", "MRR@10", "nDCG@10", "topic@5", "k = 3", "k = 10", "hit@3"):
        assert said in text
    assert all(note[:60] in text for note in report["notes"])
    assert max(map(len, lines)) <= 128


Evaluate = Callable[..., tuple[Any, str, str]]


@pytest.fixture
def evaluate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Evaluate:
    """Run the command with fakes, tiny sizes and a cache of its own."""
    monkeypatch.setattr(run, "FOLDER", tmp_path / "cache")
    monkeypatch.setattr(retrieval_parts, "load_retrieval_encoders", lambda settings: encoders())
    monkeypatch.setattr(retrieval_speed, "SIZES", (12,))
    monkeypatch.setattr(retrieval_speed, "LARGE", 20)

    def call(*args: str) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["empathy", "evaluate", "retrieval", *args])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(("more", "sizes"), [([], ["12"]), (["--large"], ["12", "20"])])
def test_the_command_prints_one_object(
    evaluate: Evaluate, data: Path, more: list[str], sizes: list[str]
) -> None:
    code, out, _ = evaluate("--data", str(data), "--json", *more)
    assert code == 0
    report = json.loads(out)["retrieval"]
    assert list(report["speed"]) == sizes
    # The coping cards that are shipped.
    assert report["cards"]["cards"] > 50


def test_the_command_prints_a_table(evaluate: Evaluate, data: Path, tmp_path: Path) -> None:
    code, out, _ = evaluate("--data", str(data))
    assert code == 0 and LANGCHAIN in out and "Coping cards" in out
    assert list((tmp_path / "cache" / "vectors").glob("*.npy"))


def test_a_missing_folder_or_library_is_one_line(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, err = evaluate("--data", str(tmp_path / "none"))
    assert (code, out) == (2, "") and "is no folder of the training data" in err
    real = importlib.util.find_spec
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "bm25s" else real(name))
    code, out, err = evaluate()
    assert (code, out) == (2, "") and err.startswith("error: bm25s not installed: `make eval`")
