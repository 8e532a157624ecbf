"""Runs the suites: what `empathy evaluate` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_path

from graph.resources import Perception
from training.data import DataError, data_folder

READINGS: Final = ("crisis", "emotion", "intent")
TABLED: Final = ("protocol", "retrieval", "review")
"""Suites that need no picture, and load what they measure themselves."""
SUITES: Final = (*READINGS, *TABLED)
FOLDER: Final = user_cache_path("empathy-graph") / "evaluation"
"""Where pictures go, and vectors of the texts, so that a second run is quick."""

_EXTRA: Final = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}


class EvaluationError(RuntimeError):
    """The suites cannot run as they were asked to; the message says what to change."""


def evaluate(
    suite: str | None,
    data: Path | None,
    pictures: Path | None,
    load: Callable[[], Perception],
) -> tuple[dict[str, Any], list[Path]]:
    """Run one suite of the readings, or all of them.

    Args:
        suite: "crisis", "emotion" or "intent"; all three when left out.
        data: folder of the training data, or for crisis a file; the usual ones when left out.
        pictures: folder for the pictures.
        load: loads the encoder and the heads, once all else is known to be there.

    Returns:
        The report of each suite, and the pictures.

    Raises:
        EvaluationError: there is no such suite, a library is missing, or a folder is read-only.
        DataError: the data is missing or not of the expected form.
        RuntimeError: a part of perception could not be loaded.
    """
    chosen = _chosen(suite, data)
    folder = _writable(pictures or FOLDER)
    vectors = _writable(FOLDER / "vectors")
    sets = data
    if chosen != ["crisis"]:
        sets = _data_folder(data)
    elif data and not data.is_file():
        raise DataError(f"{data} is no file of JSON lines")
    seen = load()
    reports: dict[str, Any] = {}
    drawn: list[Path] = []
    for name in chosen:
        source = data if name == "crisis" else sets
        reports[name], made = _SUITES[name](seen, source, vectors, folder)
        drawn += made
    return reports, drawn


def evaluate_tabled(
    suite: str, data: Path | None, *, large: bool = False
) -> tuple[dict[str, Any], str]:
    """Run one of `TABLED`; return its report and its tables, with the errors of the suite."""
    if suite == "retrieval":
        return evaluate_search(data, large=large)
    if suite == "review":
        return evaluate_drafts(data)
    return evaluate_conversations(data)


def evaluate_drafts(data: Path | None) -> tuple[dict[str, Any], str]:
    """Review drafts that are known to be good or bad; return the report and its table.

    Raises:
        DataError: `data` is missing or holds something else than drafts.
    """
    from evaluation.review import SHIPPED, evaluate_review, table
    from knowledge.helplines import load_registry
    from nodes.review.reviewer import Reviewer
    from nodes.review.rules import load_review_rules

    report = evaluate_review(Reviewer(load_review_rules(), load_registry()), data or SHIPPED)
    return report, table(report)


def evaluate_conversations(data: Path | None) -> tuple[dict[str, Any], str]:
    """Play transcripts through the graph without a chat model; return the report and its table.

    Raises:
        DataError: `data` is missing or holds something else than transcripts.
        ProtocolRuleError: the rules cannot be read.
    """
    from evaluation.protocol import evaluate_protocol, table
    from evaluation.transcripts import SHIPPED, load_transcripts
    from graph.build import build_graph
    from graph.resources import load_resources
    from graph.settings import Settings

    transcripts = load_transcripts(data or SHIPPED)
    graph = build_graph(load_resources(Settings(chat_model="none").measuring()))
    report = evaluate_protocol(graph, transcripts)
    return report, table(report)


def evaluate_search(data: Path | None, *, large: bool = False) -> tuple[dict[str, Any], str]:
    """Measure retrieval beside baselines; return the report and its tables.

    Args:
        data: folder of the training data; the usual one when left out.
        large: time the search of 100,000 passages too, whose index takes minutes to build.

    Raises:
        EvaluationError: a library is missing, or the cache is read-only.
        DataError: the data is missing or not of the expected form.
        WeightsError: the adapter or the bank of questions is missing or damaged.
        CardError: a coping card is broken.
    """
    from graph.environment import quiet_environment
    from graph.lines import all_cores
    from graph.settings import Settings

    _check_installed({"bm25s": "bm25s"})
    cache = _writable(FOLDER / "vectors")
    folder = _data_folder(data)
    settings = Settings()
    # Before the libraries below are imported, which read it.
    quiet_environment(settings)

    from evaluation.retrieval import evaluate_retrieval
    from evaluation.retrieval_parts import load_retrieval_encoders
    from evaluation.retrieval_speed import LARGE, SIZES
    from evaluation.tables import layout
    from knowledge.cards import DEFAULT_FOLDER, load_cards

    cards = load_cards(settings.cards_dir or DEFAULT_FOLDER)
    encoders = load_retrieval_encoders(settings)
    sizes = (*SIZES, LARGE) if large else SIZES
    with all_cores(settings):
        report = evaluate_retrieval(encoders, folder, cache, cards, sizes=sizes)
    return report, layout({"retrieval": report})


def _chosen(suite: str | None, data: Path | None) -> list[str]:
    if suite is not None and suite not in READINGS:
        raise EvaluationError(f"no suite {suite!r}; there is: {', '.join(SUITES)}")
    if suite is None and data is not None:
        raise EvaluationError(f"say which suite --data is for: {', '.join(SUITES)}")
    _check_installed(_EXTRA)
    return [suite] if suite else ["emotion", "intent", "crisis"]


def _check_installed(extra: Mapping[str, str]) -> None:
    missing = [package for module, package in extra.items() if find_spec(module) is None]
    if missing:
        raise EvaluationError(
            f"{' and '.join(missing)} not installed: `make eval` installs what is needed, "
            "or run pip install -e '.[train]'"
        )


def _data_folder(data: Path | None) -> Path:
    folder = data or data_folder()
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of the training data; see training/data.py")
    return folder


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise EvaluationError(f"{folder} cannot be written: {exc.strerror}") from exc
    return folder


# The suites need scikit-learn, whose absence is reported above: they are imported when they run.


def _emotion(seen: Perception, data: Any, cache: Path, folder: Path) -> Any:
    from evaluation.emotion import evaluate_emotion
    from evaluation.pictures import EMOTION_ORDER, confusion_picture

    report = evaluate_emotion(seen, data, cache)
    labels: list[str] = report["confusion"]["labels"]
    columns = [name for name in EMOTION_ORDER if name in labels]
    rows = [name for name in columns if name in report["recall"]]
    counts = [
        [report["confusion"]["counts"][labels.index(row)][labels.index(c)] for c in columns]
        for row in rows
    ]
    path = folder / "emotion_confusion.png"
    return report, [confusion_picture(counts, rows, "Emotion", path, columns=columns)]


def _intent(seen: Perception, data: Any, cache: Path, folder: Path) -> Any:
    from evaluation.intent import evaluate_intent
    from evaluation.pictures import confusion_picture

    report = evaluate_intent(seen, data, cache)
    drawn = []
    for task, each in report.items():
        path = folder / f"{task.replace(' ', '_')}_confusion.png"
        confusion = each["confusion"]
        drawn.append(
            confusion_picture(confusion["counts"], confusion["labels"], task.capitalize(), path)
        )
    return report, drawn


def _crisis(seen: Perception, data: Any, cache: Path, folder: Path) -> Any:
    from evaluation.crisis import evaluate_crisis, operating_points
    from evaluation.pictures import confusion_picture, curve_picture

    report = evaluate_crisis(seen, data, cache)
    read_as: dict[str, dict[str, int]] = report["read_as"]
    rows = list(read_as)
    columns = list(read_as[rows[0]])
    counts = [list(row.values()) for row in read_as.values()]
    path = folder / "crisis_confusion.png"
    points = operating_points(read_as)
    return report, [
        confusion_picture(counts, rows, "Danger", path, columns=columns),
        curve_picture(report["curves"], points, folder / "crisis_curve.png"),
    ]


_SUITES: Final[dict[str, Callable[[Perception, Any, Path, Path], Any]]] = {
    "emotion": _emotion,
    "intent": _intent,
    "crisis": _crisis,
}
