"""The command `empathy evaluate`: what it prints and writes, and what it refuses."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import cli
import graph.resources
from evaluation import crisis, pictures, run
from tests.evaluation.conftest import write_lines
from tests.evaluation.test_crisis import TAUGHT, message
from tests.fakes import fake_perception
from training import data as training_data


class Done(NamedTuple):
    code: Any
    out: str
    err: str


Evaluate = Callable[..., Done]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def perception(settings: Any) -> Any:
        asked.append(settings)
        return fake_perception()

    monkeypatch.setattr(graph.resources, "load_perception", perception)
    return asked


@pytest.fixture
def evaluate(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    loads: list[Any],
) -> Evaluate:
    """Run the command, with a cache of its own."""
    monkeypatch.setattr(run, "FOLDER", tmp_path / "cache")
    monkeypatch.setattr(pictures, "_DOTS_PER_INCH", 20)

    def call(*args: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["empathy", "evaluate", *args])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Done(left.value.code, *capsys.readouterr())

    return call


def quick_crisis(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = crisis.evaluate_crisis

    def small(*args: Any) -> Any:
        return whole(*args, examples=lambda: TAUGHT, calibration=lambda: TAUGHT)

    monkeypatch.setattr(crisis, "evaluate_crisis", small)


def test_all_suites_print_their_tables_and_write_their_pictures(
    evaluate: Evaluate, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick_crisis(monkeypatch)
    shipped = write_lines(tmp_path / "m.jsonl", [message("none"), message("imminent")])
    monkeypatch.setattr(crisis, "SHIPPED", shipped)
    monkeypatch.setenv("EMPATHY_TRAINING_DATA", str(folder))
    done = evaluate()
    assert done.code == 0
    for said in (
        *("Emotion, situation", "Emotion, all three", "Intent of a reply", "Next intent"),
        *("top-1", "top-3", "macro-F1", "ECE", "KL", "kappa", "majority by position"),
        *("linear probe, plain encoder", "TF-IDF + logistic regression", "explicit phrases alone"),
        *("Recall by emotion", "Unsure: ", "Rewordings that keep their level", "Misses by kind"),
    ):
        assert said in done.out
    assert max(map(len, done.out.splitlines()[:-1])) <= 128
    last = done.out.splitlines()[-1]
    drawn = sorted((tmp_path / "cache").glob("*.png"))
    assert [path.stem for path in drawn] == [
        "crisis_confusion",
        "crisis_curve",
        "emotion_confusion",
        "intent_of_a_reply_confusion",
        "next_intent_confusion",
    ]
    assert last.startswith("Pictures: ") and all(str(path) in last for path in drawn)


def test_json_is_one_object_and_the_pictures_go_where_they_are_told(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick_crisis(monkeypatch)
    file = write_lines(tmp_path / "own.jsonl", [message("none"), message("high")])
    shown = tmp_path / "shown"
    done = evaluate("crisis", "--data", str(file), "--pictures", str(shown), "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert list(report) == ["crisis", "pictures"]
    assert report["crisis"]["messages"] == 2
    assert sorted(report["pictures"]) == sorted(map(str, shown.iterdir()))
    assert len(report["pictures"]) == 2


def test_a_suite_reads_the_named_folder(evaluate: Evaluate, folder: Path, loads: list[Any]) -> None:
    done = evaluate("emotion", "--data", str(folder), "--json")
    assert done.code == 0
    assert json.loads(done.out)["emotion"]["dialogues"] == 6
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["kindness"], "no suite 'kindness'; there is: crisis, emotion, intent"),
        (["--data", "."], "say which suite --data is for"),
        (["crisis", "--data", "none.jsonl"], "none.jsonl is no file of JSON lines"),
        (["crisis", "--data", "."], ". is no file of JSON lines"),
        (["emotion", "--data", "none"], "none is no folder of the training data"),
        (["crisis", "--pictures", "a_file/here"], "cannot be written"),
    ],
    ids=" ".join,
)
def test_what_cannot_run_is_one_line_and_loads_nothing(
    evaluate: Evaluate,
    loads: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    args: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a_file").touch()
    done = evaluate(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and says in done.err
    assert done.err.count("\n") == 1
    assert loads == []


@pytest.mark.parametrize("module", ["sklearn", "matplotlib"])
def test_a_missing_extra_says_how_to_install_it(
    evaluate: Evaluate, loads: list[Any], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == module else real(name))
    done = evaluate("crisis")
    assert (done.code, done.out) == (2, "")
    package = {"sklearn": "scikit-learn"}.get(module, module)
    assert done.err.startswith(f"error: {package} not installed: `make eval`")
    assert loads == []


def test_a_folder_without_the_sets_is_one_line(evaluate: Evaluate, tmp_path: Path) -> None:
    done = evaluate("intent", "--data", str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and "valid.jsonl.gz is missing" in done.err


def test_no_network_and_no_folder_is_one_line(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise training_data.DataError("the public sets cannot be downloaded")

    monkeypatch.setattr(run, "data_folder", fail)
    done = evaluate("emotion")
    assert (done.code, done.err) == (2, "error: the public sets cannot be downloaded\n")


@pytest.mark.parametrize("suite", run.READINGS)
def test_weights_that_cannot_be_loaded_are_named(
    evaluate: Evaluate,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    suite: str,
) -> None:
    broken = fake_perception(encoder=None, problems=("adapter: file is missing",))
    monkeypatch.setattr(graph.resources, "load_perception", lambda settings: broken)
    monkeypatch.setenv("EMPATHY_TRAINING_DATA", str(folder))
    done = evaluate(suite)
    assert done.code == 1
    assert "could not be loaded: adapter: file is missing" in done.err
    assert "Traceback" not in done.err
