"""Tiny sets in the layout of the training data."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORDS = {
    "sad": "tears and loss",
    "joyful": "laughter and cake",
    "angry": "shouting at traffic",
    "lonely": "empty silent house",
}
REPLIES = {
    "questioning": ("what happened then", "how long ago was it"),
    "consoling": ("it will pass in time", "you did what you could"),
    "wishing": ("good luck with it", "have a great weekend"),
    "agreeing": ("yes exactly so", "that is right"),
}

Write = Callable[..., Path]


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def dialogue(number: int) -> dict[str, Any]:
    emotion = list(WORDS)[number % len(WORDS)]
    intents = list(REPLIES)
    texts = (f"{WORDS[emotion]} {number}", f"again {WORDS[emotion]}")
    turns = []
    for i, text in enumerate(texts):
        intent = intents[(number + i) % len(intents)]
        turns += [
            {"role": "speaker", "text": text, "label": emotion},
            {"role": "listener", "text": REPLIES[intent][i], "label": intent},
        ]
    return {"emotion": emotion, "situation": f"story of {WORDS[emotion]}", "turns": turns}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Build 24 dialogues and 16 replies to learn from, half as many to measure."""
    data = tmp_path / "data"
    for split, dialogues, repeats in (("train", range(24), 2), ("valid", range(24, 36), 1)):
        rows = [dialogue(number) for number in dialogues]
        write_lines(data / "empathetic_dialogues" / f"{split}.jsonl.gz", rows)
        replies = [
            {"text": text, "label": intent}
            for intent, texts in REPLIES.items()
            for text in texts * repeats
        ]
        write_lines(data / "empathetic_intents" / f"{split}.jsonl.gz", replies)
    return data
