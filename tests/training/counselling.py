"""A tiny CounselChat, in the layout of the training data."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest


def lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(map(json.dumps, rows)).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.fixture
def counsel_chat(tmp_path: Path) -> Path:
    """Twelve questions of CounselChat with three answers each, of growing length."""
    data = tmp_path / "data"
    lines(
        data / "counsel_chat" / "questions.jsonl.gz",
        [
            {"id": i, "title": f"Title {i}", "text": f"Question {i}", "topic": f"topic {i % 2}"}
            for i in range(12)
        ],
    )
    lines(
        data / "counsel_chat" / "answers.jsonl.gz",
        [
            {
                "id": f"{i}-{n}",
                "question_id": i,
                "text": f"Answer {i}" + " more" * n,
                "topic": f"topic {i % 2}",
            }
            for i in range(12)
            for n in range(3)
        ],
    )
    return data


def row(group: int | str) -> dict[str, Any]:
    return {"group": group, "title": "Mine", "text": "My question", "chat": "my message"}
