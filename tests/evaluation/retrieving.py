"""What the tests of retrieval share: encoders, a tiny CounselChat, and a run over it."""

from pathlib import Path
from typing import Any

import numpy as np

from evaluation.retrieval import evaluate_retrieval
from evaluation.retrieval_parts import RetrievalEncoders
from models.query_bank import QueryBank
from tests.evaluation.conftest import write_lines
from tests.knowledge.fakes import HashedWords, make_card

HARMFUL = "You should stop taking your medication."
SHARED = "Write down one worry, then plan the exam week together with your teacher."

QUESTIONS = {
    0: ("Sleepless nights", "I lie awake every night", "sleep"),
    1: ("Angry dad", "My dad shouts at dinner", "family"),
    2: ("New town", "I know nobody in this city", "loneliness"),
    5: ("Side effects", "My tablets make me tired", "medicine"),
    6: ("Lost job", "They fired me last week", "work"),
    10: ("Exam fear", "", "school"),
    11: ("Tests at school", "Every test scares me", "stress"),
    15: ("Grief", "My dog died in spring", "loss"),
}
ANSWERS = {
    0: [
        "Go to bed at one hour each night; lying awake every night often fades.",
        "Warm milk helps some people sleep through nights.",
    ],
    1: ["Tell your dad at a calm dinner how the shouts feel."],
    2: ["A club in the city is where you meet somebody."],
    5: [HARMFUL],
    6: ["A week of rest, then one letter to an employer a day."],
    10: [SHARED.upper()],
    11: [SHARED],
    15: ["Plant a tree in spring for the dog that died."],
}


class Words(HashedWords):
    """An encoder of hashed words; a token is a word."""

    def __init__(self, id: str, dimensions: int = 64) -> None:
        super().__init__(dimensions=dimensions)
        self.id = id

    def count(self, text: str) -> int:
        return len(text.split())


class Blind(Words):
    """An encoder to which all texts are alike."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[1.0] + [0.0] * (self.dimensions - 1) for _ in texts]


def counsel_chat(path: Path) -> Path:
    """Build CounselChat with 16 questions, of which 0, 5, 10 and 15 are held out."""
    rows = [QUESTIONS.get(i, ("", f"filler {i}", "other")) for i in range(16)]
    questions = [
        {"id": str(i), "title": title, "text": text, "topic": topic, "url": ""}
        for i, (title, text, topic) in enumerate(rows)
    ]
    answers = [
        {"id": f"{i}-{n}", "question_id": str(i), "text": text, "topic": rows[i][2]}
        for i, texts in ANSWERS.items()
        for n, text in enumerate(texts)
    ]
    folder = path / "data" / "counsel_chat"
    write_lines(folder / "questions.jsonl.gz", questions)
    write_lines(folder / "answers.jsonl.gz", answers)
    return path / "data"


def encoders(**changes: Any) -> RetrievalEncoders:
    adapted = Words("fake+1")
    # In other dimensions, so that a mix-up of the two could not run.
    parts: dict[str, Any] = {
        "plain": Words("fake", 32),
        "adapted": adapted,
        "bank": QueryBank(np.asarray(adapted.embed_documents(["my day", "I feel"]), "f4"), "b"),
        "langchain": Words("langchain", 48).embed_documents,
    }
    return RetrievalEncoders(**parts | changes)


def evaluated(data: Path, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    cards = [
        make_card(word, situations=[f"{word} {word} {word} {number}" for number in "123"])
        for word in ("breath", "sleep", "friend")
    ]
    return evaluate_retrieval(encoders(**changes), data, tmp_path / "vectors", cards, sizes=(12,))
