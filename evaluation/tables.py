"""The suites' reports as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_WIDTH: Final = 128
_HEADS: Final = {
    "top_1": "top-1",
    "top_3": "top-3",
    "top_5": "top-5",
    "macro_f1": "macro-F1",
    "ece": "ECE",
    "kl": "KL",
    "kappa": "kappa",
    "high_or_imminent_read_so": "high+ as high+",
    "high_or_imminent_flagged": "high+ flagged",
    "concern_flagged": "concern flagged",
    "harmless_flagged": "harmless flagged",
    "hit_1": "hit@1",
    "hit_3": "hit@3",
    "hit_5": "hit@5",
    "mrr_10": "MRR@10",
    "ndcg_10": "nDCG@10",
    "topic_5": "topic@5",
}
_PLAIN_NUMBERS: Final = {"ece", "kl", "kappa", "mrr_10", "ndcg_10"}
_RECALLS_A_LINE: Final = 4


def layout(reports: Mapping[str, Any]) -> str:
    """Lay out the reports of one or more suites."""
    parts: list[RenderableType] = []
    if "emotion" in reports:
        parts += _emotion(reports["emotion"])
    for task, report in reports.get("intent", {}).items():
        parts += _intent(task, report)
    if "crisis" in reports:
        parts += _crisis(reports["crisis"])
    if "retrieval" in reports:
        parts += _retrieval(reports["retrieval"])
    # A width of its own, so that a pipe or a narrow window cuts no column.
    console = Console(file=StringIO(), width=_WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(Group(*parts))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n")


def _emotion(report: Mapping[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = [
        figures_table(f"Emotion, {source} ({report['dialogues']} dialogues)", figures)
        for source, figures in report["figures"].items()
    ]
    unsure = ", ".join(f"{source} {_cell(None, x)}" for source, x in report["unsure"].items())
    return [*parts, _recall("Recall by emotion", report["recall"]), Text(f"Unsure: {unsure}\n")]


def _intent(task: str, report: Mapping[str, Any]) -> list[RenderableType]:
    title = f"{task.capitalize()} ({report['examples']} examples)"
    return [figures_table(title, report["figures"]), _recall("Recall by intent", report["recall"])]


def _crisis(report: Mapping[str, Any]) -> list[RenderableType]:
    read_as = Table(title=f"Danger ({report['messages']} messages)", **_STYLE)
    columns = list(next(iter(report["read_as"].values())))
    for name in ("true level", *columns):
        read_as.add_column(name, justify="left" if name == "true level" else "right")
    for level, row in report["read_as"].items():
        read_as.add_row(level, *(str(row[each]) for each in columns))
    changed = report["metamorphic"]
    lines = [
        f"Rewordings that keep their level: {_cell(None, changed['kept'])}; "
        f"read milder {changed['read_milder']}, graver {changed['read_graver']}"
    ]
    for name, key in (("False alarms", "false_alarms_by_kind"), ("Misses", "misses_by_kind")):
        kinds = (f"{kind} {each['count']}/{each['of']}" for kind, each in report[key].items())
        lines.append(f"{name} by kind: {', '.join(kinds) or 'none'}")
    figures = figures_table("Danger, with 95 % intervals", report["figures"])
    return [read_as, figures, Text("\n".join(lines))]


def _retrieval(report: Mapping[str, Any]) -> list[RenderableType]:
    kept = f"{report['documents']:,} answers, {report['passages']:,} passages"
    parts: list[RenderableType] = [
        figures_table(
            f"Retrieval by {way} ({each['questions']} questions; {kept})",
            each["systems"],
            "system",
        )
        for way, each in report["figures"].items()
    ]
    cards = report["cards"]
    title = f"Coping cards, leaving one out ({cards['situations']} situations)"
    parts.append(figures_table(title, cards["systems"], "system"))
    times = Table(title="Milliseconds a search, median and 95th percentile", **_STYLE)
    sized = list(report["speed"].items())
    for name in ("passages", *(key for key in (sized[0][1] if sized else ()) if key[0] == "k")):
        times.add_column(name.replace("_", " = "), justify="right")
    for size, each in sized:
        spans = [each[key] for key in each if key[0] == "k"]
        cells = (f"{span['median_ms']:.1f}, {span['p95_ms']:.1f}" for span in spans)
        times.add_row(f"{int(size):,}", *cells)
    return [*parts, times, Text("\n".join(report["notes"]))]


def figures_table(
    title: str, figures: Mapping[str, Mapping[str, Any]], first: str = "reader"
) -> Table:
    """Lay out the figures of each reader, a row a reader; "-" where one has no such figure."""
    names = list(dict.fromkeys(name for each in figures.values() for name in each))
    table = Table(title=title, **_STYLE)
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(_HEADS[name], justify="right")
    for reader, each in figures.items():
        table.add_row(reader, *(_cell(name, each.get(name)) for name in names))
    return table


def _recall(title: str, recall: Mapping[str, float | None]) -> Table:
    table = Table(title=title, show_header=False, **_STYLE)
    cells = [f"{label:<14}{_cell(None, value):>7}" for label, value in recall.items()]
    for start in range(0, len(cells), _RECALLS_A_LINE):
        table.add_row(*cells[start : start + _RECALLS_A_LINE])
    return table


def _cell(name: str | None, value: Any) -> str:
    if isinstance(value, Mapping):
        middle = value["mean"] if "mean" in value else value["share"]
        if middle is None:
            return "-"
        if name in _PLAIN_NUMBERS:
            return f"{middle:.3f} ({value['low']:.2f}-{value['high']:.2f})"
        return f"{middle:.1%} ({value['low']:.0%}-{value['high']:.0%})"
    if value is None:
        return "-"
    return f"{value:.3f}" if name in _PLAIN_NUMBERS else f"{value:.1%}"


_STYLE: Final[dict[str, Any]] = {
    "box": box.SIMPLE_HEAD,
    "title_justify": "left",
    "pad_edge": False,
}
