"""How well danger is read in chat messages that were not trained on.

The shipped set is no longer blind: thresholds were changed after its table had been seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from langchain_core.messages import HumanMessage

from graph.resources import Perception
from graph.state import State
from models.labels import CRISIS_LEVELS
from nodes.crisis import CheckCrisis
from training.data import read_lines

SHIPPED: Final = Path(__file__).parent / "data" / "crisis_chat.jsonl"


def evaluate_crisis(seen: Perception, data: Path | None = None) -> dict[str, Any]:
    """Read each message alone and compare with its level.

    Returns:
        For each true level, how many messages there are and how many were read as each level.
    """
    check = CheckCrisis(seen.crisis_reader)
    rows = read_lines(data or SHIPPED)
    counts = {level: dict.fromkeys((*CRISIS_LEVELS, "unknown"), 0) for level in CRISIS_LEVELS}
    for row in rows:
        update = check(State(messages=[HumanMessage(row["text"])]))
        counts[row["level"]][update["crisis"]["level"]] += 1
    return {"messages": len(rows), "read_as": counts}


def table(report: dict[str, Any]) -> str:
    """Lay out the report: a row for each true level, the share flagged in the last column."""
    head = ["true level", *CRISIS_LEVELS, "unknown", "flagged"]
    lines = ["  ".join(f"{name:>10}" for name in head)]
    for level, row in report["read_as"].items():
        total = sum(row.values())
        flagged = f"{(total - row['none']) / total:.1%}" if total else "-"
        cells = [level, *(str(count) for count in row.values()), flagged]
        lines.append("  ".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)
