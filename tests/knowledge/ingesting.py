"""What the tests of the library and of ingestion share: an encoder, sources, and a full picture."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from knowledge.ingest import IngestReport, ingest
from knowledge.library import FILE_NAME, CollectionStats, Library
from knowledge.sources import Document
from tests.knowledge.fakes import HashedWords
from tests.knowledge.list_index import ListPlace


class WordEncoder(HashedWords):
    """Vectors of hashed words; a token is a word."""

    id = "fake"

    def count(self, text: str) -> int:
        return len(text.split())


def document(number: int | str, text: str = "", **fields: Any) -> Document:
    """Build a document of the collection `notes`."""
    values: dict[str, Any] = {
        "id": f"notes/{number}",
        "collection": "notes",
        "title": f"Note {number}",
        "text": text or f"Text of note {number}.",
        "source": "notes.jsonl",
        "licence": "MIT",
    }
    return Document(**values | fields)


def write_rows(path: Path, texts: Sequence[str] | dict[str, str]) -> Path:
    """Write JSON lines, each with an id and a text."""
    rows = texts if isinstance(texts, dict) else {str(i): text for i, text in enumerate(texts)}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": id, "text": text}) for id, text in rows.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(
    data: Path,
    *sources: str | Path,
    encoder: WordEncoder | None = None,
    place: Any = None,
    **options: Any,
) -> IngestReport:
    """Ingest into the collection `notes` of the library in the folder `data`."""
    settings: dict[str, Any] = {"collection": "notes", "progress": False} | options
    place = cast(Any, place or ListPlace())
    with Library.open(data / FILE_NAME) as library:
        return ingest(sources, library, encoder or WordEncoder(), place, **settings)


def texts(data: Path, collection: str = "notes") -> dict[str, str]:
    """Return the text of each document by the id within its collection."""
    with Library.open(data / FILE_NAME) as library:
        entries = list(library.entries(collection))
    return {e.document.id.removeprefix(f"{collection}/"): e.document.text for e in entries}


def stats(data: Path) -> list[CollectionStats]:
    """Return what the library holds."""
    with Library.open(data / FILE_NAME) as library:
        return library.stats()


def picture(data: Path) -> dict[str, list[Any]]:
    """Return every row of every table."""
    db = sqlite3.connect(data / FILE_NAME)
    try:
        names = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {name: sorted(db.execute(f"SELECT * FROM {name}")) for name in names}
    finally:
        db.close()
