"""The review of replies, measured on drafts that are known to be good or bad."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from graph.state import Fault
from nodes.review.context import review_context
from nodes.review.reviewer import Reviewer
from nodes.review.sentences import split_sentences
from training.data import DataError, read_lines

SHIPPED: Final = Path(__file__).parent / "data" / "review_drafts.jsonl"
"""Our own drafts, written by a language model that had not seen the rules."""


def evaluate_review(reviewer: Reviewer, path: Path = SHIPPED) -> dict[str, Any]:
    """Return what share of the bad drafts is stopped, and of the good ones, by kind.

    Args:
        reviewer: the rules.
        path: JSON lines of {"messages", "reply", "bad", "kind"}.

    Raises:
        DataError: the file is missing, or a line is not such a draft.
    """
    drafts: Counter[tuple[bool, str]] = Counter()
    stopped: Counter[tuple[bool, str]] = Counter()
    for row in read_lines(path):
        try:
            key = (bool(row["bad"]), str(row["kind"]))
            faults = _faults(reviewer, row)
        except (KeyError, TypeError) as exc:
            raise DataError(f"{path} holds a line that is not a draft: {exc!r}") from exc
        drafts[key] += 1
        stopped[key] += bool(faults)
    return {
        name: {
            "drafts": sum(count for (each, _), count in drafts.items() if each == bad),
            "stopped": sum(count for (each, _), count in stopped.items() if each == bad),
            "by_kind": {
                kind: {"drafts": drafts[bad, kind], "stopped": stopped[bad, kind]}
                for each, kind in sorted(drafts)
                if each == bad
            },
        }
        for name, bad in (("bad", True), ("good", False))
    }


def table(report: dict[str, Any]) -> str:
    """Lay the report out for reading."""
    lines = []
    for name, figures in report.items():
        share = figures["stopped"] / max(figures["drafts"], 1)
        lines.append(
            f"{name} drafts stopped: {figures['stopped']} of {figures['drafts']} ({share:.1%})"
        )
        kinds = figures["by_kind"].items()
        # The kinds that went wrong: bad ones that passed, good ones that did not.
        wrong = {
            kind: each["drafts"] - each["stopped"] if name == "bad" else each["stopped"]
            for kind, each in kinds
        }
        listed = ", ".join(
            f"{kind} {count}" for kind, count in Counter(wrong).most_common() if count
        )
        lines.append(f"  {'passed' if name == 'bad' else 'stopped'}: {listed or 'none'}")
    return "\n".join(lines)


def _faults(reviewer: Reviewer, row: dict[str, Any]) -> list[Fault]:
    said: list[AnyMessage] = [
        HumanMessage(each["content"]) if each["role"] == "user" else AIMessage(each["content"])
        for each in row["messages"]
    ]
    context = review_context({"messages": said})
    return reviewer.review(split_sentences(row["reply"]), context, finished=True)
