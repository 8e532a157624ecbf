"""Readers of the training data: gzipped JSON lines in one folder, or the public sets' layout."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.labels import INTENTS

DEFAULT_FOLDER: Final = Path(__file__).parent.parent.parent / "shared" / "data"
"""Beside the checkout; `EMPATHY_TRAINING_DATA` or `--data` names another place."""

CHAT_EXAMPLES: Final = Path(__file__).parent / "data" / "crisis_chat.jsonl"
"""Our own chat-length examples of each level of danger."""


class DataError(RuntimeError):
    """The training data is missing or not in the expected layout."""


def data_folder() -> Path:
    """Return the folder of the training data."""
    return Path(os.environ.get("EMPATHY_TRAINING_DATA", DEFAULT_FOLDER))


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
    """Role ("speaker" or "listener"), text, label."""

    @property
    def speaker(self) -> list[str]:
        """What the person said, in order."""
        return [text for role, text, _ in self.turns if role == "speaker"]

    def listener_turns(self) -> Iterator[tuple[list[str], list[str], str]]:
        """Yield (the person's messages so far, earlier intents, this intent) a listener turn."""
        said: list[str] = []
        intents: list[str] = []
        for role, text, label in self.turns:
            if role == "speaker":
                said.append(text)
            else:
                if label in INTENTS and said:
                    yield list(said), list(intents), label
                intents.append(label)


def dialogues(folder: Path, split: str) -> list[Dialogue]:
    """Read one split of EmpatheticDialogues with EmpatheticIntents' labels on its turns."""
    rows = read_lines(folder / "empathetic_dialogues" / f"{split}.jsonl.gz")
    return [
        Dialogue(
            row["emotion"],
            row["situation"],
            tuple((turn["role"], turn["text"], turn["label"]) for turn in row["turns"]),
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


def crisis_examples(path: Path = CHAT_EXAMPLES) -> list[tuple[str, str]]:
    """Read (text, level) of our chat-length examples."""
    return [(row["text"], row["level"]) for row in read_lines(path)]
