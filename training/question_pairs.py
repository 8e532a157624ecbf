"""Questions with their answers: CounselChat's, and those that were written for its answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from training.data import DataError, read_lines

WRITTEN: Final = Path(__file__).parent / "data" / "retrieval_questions.jsonl"
"""Our own questions: for each group of answers one as on a forum, and one chat message."""

_HELD_OUT: Final = 5
"""One question of so many is kept for measuring."""


@dataclass(frozen=True)
class Question:
    """A question of CounselChat."""

    id: str
    title: str
    text: str
    topic: str

    @property
    def whole(self) -> str:
        """Title and text."""
        return f"{self.title}\n{self.text}".strip()


@dataclass(frozen=True)
class Pair:
    """A question, and one answer to it."""

    group: str
    topic: str
    question: str
    answer: str
    title: str = ""

    def varied(self, rng: np.random.Generator, words: int) -> Pair:
        """Return the pair as one epoch shows it: now and then without title, or only a part.

        People write without titles, and a passage may begin in the middle of an answer.
        """
        draw = rng.random()
        question = f"{self.title}\n{self.question}" if self.title else self.question
        if self.title and draw < 0.25:
            question = self.question
        elif self.title and draw < 0.4:
            question = self.title
        parts = self.answer.split()
        answer = self.answer
        if len(parts) > words + 30 and rng.random() < 0.5:
            answer = " ".join(parts[int(rng.integers(0, len(parts) - words)) :])
        return replace(self, question=question, answer=answer, title="")


def questions(folder: Path, *, held_out: bool) -> list[Question]:
    """Read CounselChat's questions: every fifth, or all others.

    Raises:
        DataError: the data is missing.
    """
    rows = read_lines(folder / "counsel_chat" / "questions.jsonl.gz")
    return [
        Question(str(row["id"]), row["title"] or "", row["text"] or "", row["topic"] or "")
        for i, row in enumerate(rows)
        if (i % _HELD_OUT == 0) == held_out
    ]


def answers(folder: Path) -> list[tuple[str, str, str, str]]:
    """Read (id, question's id, text, topic) of CounselChat's answers."""
    rows = read_lines(folder / "counsel_chat" / "answers.jsonl.gz")
    return [
        (str(row["id"]), str(row["question_id"]), row["text"] or "", row["topic"] or "")
        for row in rows
    ]


def bank_questions(folder: Path, written: Path = WRITTEN) -> list[str]:
    """Return the questions of the bank that corrects for hubs; no held-out one is among them.

    Raises:
        DataError: the data is missing.
    """
    asked = [each.whole for each in questions(folder, held_out=False)]
    return [*asked, *(f"{row['title']}\n{row['text']}" for row in read_lines(written))]


def question_pairs(folder: Path, written: Path = WRITTEN) -> list[Pair]:
    """Return the pairs to train on; no held-out question is among them.

    Raises:
        DataError: the data is missing.
    """
    given: dict[str, list[str]] = {}
    topics: dict[str, str] = {}
    for _, group, text, topic in answers(folder):
        given.setdefault(group, []).append(text)
        topics[group] = topic
    asked = {each.id: each for each in questions(folder, held_out=False)}
    pairs = [
        Pair(group, topics[group], asked[group].text, answer, asked[group].title)
        for group in given
        if group in asked
        for answer in given[group]
    ]
    for row in read_lines(written):
        group = str(row["group"])
        if group not in asked or group not in given:
            raise DataError(
                f"{written} names a question that is held out or not in the data: {group}"
            )
        # The longest answers say most of the question.
        for answer in sorted(given[group], key=len, reverse=True)[:2]:
            pairs.append(Pair(group, topics[group], row["text"], answer, row["title"]))
        pairs.append(Pair(group, topics[group], row["chat"], given[group][0]))
    return pairs
