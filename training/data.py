"""Readers of the training data: gzipped JSON lines in one folder, or the public sets' layout."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_path

from models.labels import INTENTS

DEFAULT_FOLDER: Final = Path(__file__).parent.parent.parent / "shared" / "data"
"""Beside the checkout; `EMPATHY_TRAINING_DATA` or `--data` names another place."""

PUBLIC_FOLDER: Final = user_cache_path("empathy-graph") / "data"
"""Where the public sets go when there is no folder of the data."""

CHAT_EXAMPLES: Final = Path(__file__).parent / "data" / "crisis_chat.jsonl"
"""Our own chat-length examples of each level of danger."""

MORE_EXAMPLES: Final = (
    "crisis_danger_a.jsonl",
    "crisis_danger_b.jsonl",
    "crisis_danger_c.jsonl",
    "crisis_concern.jsonl",
    "crisis_contrast.jsonl",
    "crisis_long.jsonl",
    "crisis_hard_negatives.jsonl",
    "distress_safe.jsonl",
)
"""Further examples, beside `CHAT_EXAMPLES`: danger, look-alikes, and distress without danger."""

TURNS: Final = Path(__file__).parent / "data" / "crisis_turns.jsonl"
"""Our own messages from the middle of a conversation, with and without danger."""

CALIBRATION: Final = Path(__file__).parent / "data" / "crisis_calibration.jsonl"
"""Our own chat messages that choose the crisis head's thresholds; never trained on."""

NO_EMOTION: Final = Path(__file__).parent / "data" / "no_emotion.jsonl"
"""Our own chat messages that carry no emotion."""

_HELD_OUT: Final = 5
"""One post of so many is kept for measuring."""


class DataError(RuntimeError):
    """The training data is missing or not in the expected layout."""


def data_folder() -> Path:
    """Return the folder of the training data; without one, that of the public sets.

    Raises:
        DataError: there is no folder, and no public set can be had.
    """
    folder = Path(os.environ.get("EMPATHY_TRAINING_DATA", DEFAULT_FOLDER))
    if folder.is_dir():
        return folder
    # Here, because that module needs this one.
    from training.public_data import fetch_public_data

    return fetch_public_data(PUBLIC_FOLDER)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines, gzipped or not.

    Raises:
        DataError: the file is missing, or a line is not a JSON object.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError as exc:
        raise DataError(f"{path} is missing; name the folder of the data with --data") from exc
    except ValueError as exc:
        raise DataError(f"{path} is not JSON lines: {exc}") from exc


@dataclass(frozen=True)
class Dialogue:
    """One conversation of EmpatheticDialogues."""

    emotion: str
    situation: str
    turns: tuple[tuple[str, str, str], ...]
    """Role ("speaker" or "listener"), text, label; the label is empty where none is known."""

    @property
    def speaker(self) -> list[str]:
        """What the person said, in order."""
        return [text for role, text, _ in self.turns if role == "speaker"]

    def points(self) -> Iterator[tuple[list[str], list[str], str]]:
        """Yield a point for each of the person's messages.

        Yields:
            The person's messages so far, the listener's earlier intents, and the intent that
            follows (empty at the end, or another label than an intent where the data has one).
        """
        said: list[str] = []
        intents: list[str] = []
        for i, (role, text, label) in enumerate(self.turns):
            if role == "speaker":
                said.append(text)
                follows = self.turns[i + 1] if i + 1 < len(self.turns) else ("", "", "")
                yield list(said), list(intents), follows[2] if follows[0] == "listener" else ""
            else:
                intents.append(label)


def dialogues(folder: Path, split: str) -> list[Dialogue]:
    """Read one split of EmpatheticDialogues with EmpatheticIntents' labels on its turns."""
    rows = read_lines(folder / "empathetic_dialogues" / f"{split}.jsonl.gz")
    return [
        Dialogue(
            row["emotion"],
            row["situation"],
            tuple((turn["role"], turn["text"], turn["label"] or "") for turn in row["turns"]),
        )
        for row in rows
    ]


def labelled_replies(folder: Path, split: str) -> list[tuple[str, str]]:
    """Read (text, intent) of EmpatheticIntents, the nine listener intents only."""
    rows = read_lines(folder / "empathetic_intents" / f"{split}.jsonl.gz")
    return [(row["text"], row["label"]) for row in rows if row["label"] in INTENTS]


def counselling_questions(folder: Path) -> list[tuple[str, str]]:
    """Read (text, topic) of CounselChat's questions."""
    rows = read_lines(folder / "counsel_chat" / "questions.jsonl.gz")
    return [(f"{row['title']} {row['text']}", row["topic"]) for row in rows]


def sdcnl(folder: Path, *, held_out: bool = False) -> list[tuple[str, bool]]:
    """Read (post, from r/SuicideWatch) of SDCNL (Haque et al. 2021), the rest r/depression.

    The label is the forum's name and so noisy: many a post on depression tells of suicide.

    Args:
        folder: the folder of the data.
        held_out: read every fifth post, which is never trained on, instead of the others.
    """
    rows = read_lines(folder / "crisis" / "sdcnl_train.jsonl.gz")
    return [
        (row["text"], bool(row["suicide"]))
        for i, row in enumerate(rows)
        if (i % _HELD_OUT == _HELD_OUT - 1) == held_out
    ]


def neutral_examples(path: Path = NO_EMOTION) -> list[str]:
    """Read our chat messages that carry no emotion."""
    return [row["text"] for row in read_lines(path)]


def crisis_examples(path: Path = CHAT_EXAMPLES) -> list[tuple[str, str]]:
    """Read (text, level) of our chat-length examples, without exact duplicates.

    Args:
        path: the first file; those of `MORE_EXAMPLES` that lie beside it are read too.
    """
    more = [path.with_name(name) for name in MORE_EXAMPLES]
    rows = [
        row for each in (path, *more) if each == path or each.is_file() for row in read_lines(each)
    ]
    return list(dict.fromkeys((row["text"], row["level"]) for row in rows))


def crisis_turns() -> list[tuple[str, str]]:
    """Read (text, level) of our messages from the middle of a conversation."""
    return [(row["text"], row["level"]) for row in read_lines(TURNS)]


def crisis_calibration() -> list[tuple[str, str]]:
    """Read (text, level) of the messages that choose the crisis head's thresholds."""
    return [(row["text"], row["level"]) for row in read_lines(CALIBRATION)]
