"""Pictures of what a suite measured: confusion matrices and threshold curves, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from models.labels import CRISIS_LEVELS, UNSURE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EMOTION_ORDER: Final = tuple(
    "surprised excited joyful anticipating hopeful confident prepared proud impressed grateful "
    "content trusting faithful caring sentimental nostalgic lonely sad devastated disappointed "
    "guilty ashamed embarrassed jealous disgusted annoyed angry furious terrified afraid "
    f"apprehensive anxious {UNSURE}".split()
)
"""Near emotions stand together, so that what is mixed up lies near the diagonal."""

_DOTS_PER_INCH: Final = 120
_NUMBERED: Final = 12
"""Up to so many labels, each cell also says its share."""


def confusion_picture(
    counts: Sequence[Sequence[int]],
    labels: Sequence[str],
    title: str,
    path: Path,
    *,
    columns: Sequence[str] | None = None,
) -> Path:
    """Draw the shares of each true label's readings.

    Args:
        counts: a row for each true label, a column for each label read.
        labels: the true labels.
        title: what was read.
        path: the PNG to write.
        columns: the labels read, where they are not the same.
    """
    columns = columns or labels
    rows = np.asarray(counts, dtype=float)
    totals = rows.sum(axis=1, keepdims=True)
    shares = np.divide(rows, totals, out=np.zeros_like(rows), where=totals > 0)
    side = 3 + 0.26 * max(len(labels), len(columns))
    figure = _figure(side + 1, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_xlabel("read as")
    axes.set_ylabel("true label")
    axes.set_title(title, fontsize=10)
    if len(columns) <= _NUMBERED:
        for (row, column), value in np.ndenumerate(shares):
            colour = "white" if value > 0.5 else "black"
            axes.text(
                column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7
            )
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the row")
    return _save(figure, path)


def curve_picture(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
    points: Sequence[Mapping[str, float]],
    path: Path,
) -> Path:
    """Draw recall against false alarms, a panel for each level above none.

    Args:
        curves: for each reader, points of `training.thresholds.threshold_curve`.
        points: where the readings in use stand; `at_least`, `recall` and `false_alarms` of each.
        path: the PNG to write.
    """
    figure = _figure(12, 4.4)
    panels = figure.subplots(1, len(CRISIS_LEVELS) - 1, sharey=True)
    for step, axes in enumerate(panels, start=1):
        for name, curve in curves.items():
            chosen = [each for each in curve if each["at_least"] == step]
            alarms = [each["false_alarms"] for each in chosen]
            axes.plot(alarms, [each["recall"] for each in chosen], label=name, linewidth=1.3)
        for each in points:
            if each["at_least"] == step:
                axes.plot(each["false_alarms"], each["recall"], "k*", label="in use, with phrases")
        axes.set_title(f"at least {CRISIS_LEVELS[step]}", fontsize=10)
        axes.set_xlabel("false alarms")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.05)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("recall")
    if curves:
        panels[-1].legend(fontsize=7, loc="lower right")
    return _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    # A figure of its own draws with Agg, needs no screen and leaves no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=_DOTS_PER_INCH)
    return path
