"""What was ingested, in one SQLite file: documents, their chunks, and the chunks' vectors.

The library is the source of truth; search indexes are made from it and can be thrown away.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from knowledge.library_file import FORMAT, LibraryError, damaged, explained, open_database
from knowledge.sources.document import Document

__all__ = ["FILE_NAME", "CollectionStats", "Library", "LibraryEntry", "LibraryError", "chunk_hash"]

FILE_NAME: Final = "library.db"

_SLICE: Final = 256

_PUT: Final = """
INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET collection = excluded.collection, title = excluded.title,
    source = excluded.source, licence = excluded.licence, topics = excluded.topics,
    text = excluded.text, hash = excluded.hash, origin = excluded.origin,
    position = excluded.position
"""
_MISSING: Final = """
FROM chunks JOIN documents ON documents.id = chunks.document_id
WHERE documents.collection = ? AND NOT EXISTS (
    SELECT 1 FROM vectors WHERE vectors.hash = chunks.hash AND vectors.encoder = ?)
"""


@dataclass(frozen=True)
class LibraryEntry:
    """A document as it is kept, cleaned, with its chunks."""

    document: Document
    chunks: tuple[str, ...]
    hash: str
    """Of the document as its source had it, and of the rules that it was cleaned and cut by."""
    origin: str
    """The file, or name of the source, that it came from."""
    position: int
    """Where it is in its origin."""


class CollectionStats(TypedDict):
    """What the library holds of one collection."""

    collection: str
    documents: int
    chunks: int
    vectors: dict[str, int]
    """How many chunks have a vector, by encoder."""
    bytes: int


class Library:
    """Documents, chunks and vectors; use `open`, as a context manager.

    One process writes at a time, others wait. What a transaction wrote is there whole or not at
    all, whenever the process is killed.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path, self._db = path, db

    @classmethod
    def open(cls, path: Path) -> Library:
        """Open the library in the file `path`, which is made when it is not there.

        Raises:
            LibraryError: the file is damaged, of a newer version, or cannot be used.
        """
        return cls(path, open_database(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def check(self) -> None:
        """Read the whole file, so that damage is found before anything is built on it.

        Raises:
            LibraryError: the file is damaged.
        """
        with explained(self.path):
            if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise damaged(self.path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all of what the block writes, or nothing; a block within another belongs to it."""
        if self._db.in_transaction:
            yield
            return
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:  # Ctrl-C too must leave the library as it was.
                # A full disk makes SQLite roll back by itself.
                if self._db.in_transaction:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise

    def collections(self) -> list[str]:
        """Return the names of the collections that hold a document."""
        return [name for (name,) in self._rows("SELECT DISTINCT collection FROM documents")]

    def state(self, collection: str) -> dict[str, str]:
        """Return the hash of each document by its id."""
        return dict(self._rows("SELECT id, hash FROM documents WHERE collection = ?", collection))

    def put(
        self, document: Document, hash: str, chunks: Sequence[str], origin: str, position: int = 0
    ) -> None:
        """Write a document in the place of an earlier one with its id."""
        values = (
            document.id, document.collection, document.title, document.source, document.licence,
            json.dumps(document.topics), document.text, hash, origin, position,
        )  # fmt: skip
        with self.transaction():
            self._db.execute(_PUT, values)
            self._db.execute("DELETE FROM chunks WHERE document_id = ?", (document.id,))
            self._db.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                [(document.id, i, text, chunk_hash(text)) for i, text in enumerate(chunks)],
            )

    def place(self, positions: Iterable[tuple[str, int]]) -> None:
        """Write where documents, by id, are in their origin now."""
        pairs = [(position, id) for id, position in positions]
        with self.transaction():
            self._db.executemany("UPDATE documents SET position = ? WHERE id = ?", pairs)

    def delete(self, ids: Iterable[str]) -> None:
        """Remove documents with their chunks; unknown ids are passed over."""
        with self.transaction():
            self._db.executemany("DELETE FROM documents WHERE id = ?", [(each,) for each in ids])

    def remove_collection(self, name: str) -> None:
        """Remove all documents of a collection, and vectors that no other chunk needs."""
        with self.transaction():
            self._db.execute("DELETE FROM documents WHERE collection = ?", (name,))
            self.prune()

    def prune(self) -> None:
        """Remove vectors of texts that are no longer in any chunk."""
        with self.transaction():
            self._db.execute("DELETE FROM vectors WHERE hash NOT IN (SELECT hash FROM chunks)")

    def entries(self, collection: str) -> Iterator[LibraryEntry]:
        """Read the documents of a collection with their chunks, in the order of their origin."""
        chunks = "SELECT text FROM chunks WHERE document_id = ? ORDER BY number"
        for row in self._rows(
            "SELECT * FROM documents WHERE collection = ? ORDER BY origin, position, id", collection
        ):
            id, name, title, source, licence, topics, text, hash, origin, position = row
            try:
                kept = tuple(json.loads(topics))
            except (TypeError, ValueError) as exc:
                raise damaged(self.path) from exc
            document = Document(id, name, title, text, source, licence, kept)
            texts = tuple(text for (text,) in self._rows(chunks, id))
            yield LibraryEntry(document, texts, hash, origin, position)

    def missing(self, encoder_id: str, collection: str) -> int:
        """Count the texts of a collection that have no vector of this encoder."""
        count = f"SELECT COUNT(DISTINCT chunks.hash) {_MISSING}"
        return sum(number for (number,) in self._rows(count, collection, encoder_id))

    def missing_vectors(self, encoder_id: str, collection: str) -> Iterator[tuple[str, str]]:
        """Return hash and text of the chunks without a vector of this encoder.

        Vectors may be stored meanwhile. The longest texts come first, so that texts of one batch
        are about as long and an estimate of the time left errs on the long side.
        """
        ordered = f"SELECT DISTINCT chunks.hash {_MISSING} ORDER BY LENGTH(chunks.text) DESC, 1"
        hashes = [each for (each,) in self._rows(ordered, collection, encoder_id)]
        for start in range(0, len(hashes), _SLICE):
            some = hashes[start : start + _SLICE]
            marks = ", ".join("?" * len(some))
            texts = dict(
                self._rows(f"SELECT hash, text FROM chunks WHERE hash IN ({marks})", *some)
            )
            # A text that another process removed meanwhile needs no vector.
            yield from ((each, texts[each]) for each in some if each in texts)

    def store_vectors(
        self, encoder_id: str, pairs: Iterable[tuple[str, NDArray[np.float32]]]
    ) -> None:
        """Write the vectors of texts by the texts' hash, all of them or none.

        Raises:
            ValueError: a vector holds a value that is not a number.
        """
        rows = []
        for hash, vector in pairs:
            if not np.isfinite(vector).all():
                raise ValueError("the encoder gave a vector with a value that is not a number")
            rows.append((hash, encoder_id, np.asarray(vector, dtype="<f4").tobytes()))
        with self.transaction():
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def vectors(self, collection: str, encoder_id: str) -> tuple[list[str], NDArray[np.float32]]:
        """Return the ids of the chunks that have a vector of this encoder, and the vectors.

        Both are in the order of document and chunk; an id is "document#number".
        """
        ids: list[str] = []
        blobs: list[bytes] = []
        for document, number, blob in self._rows(
            "SELECT chunks.document_id, chunks.number, vectors.vector FROM chunks "
            "JOIN documents ON documents.id = chunks.document_id "
            "JOIN vectors ON vectors.hash = chunks.hash AND vectors.encoder = ? "
            "WHERE documents.collection = ? ORDER BY chunks.document_id, chunks.number",
            encoder_id,
            collection,
        ):
            if blobs and len(blob) != len(blobs[0]):
                raise damaged(self.path)
            ids.append(f"{document}#{number}")
            blobs.append(blob)
        matrix = np.frombuffer(b"".join(blobs), dtype="<f4").astype(np.float32)
        return ids, matrix.reshape(len(ids), -1) if ids else matrix.reshape(0, 0)

    def content_hash(self, collection: str, encoder_id: str) -> str:
        """Return the SHA-256 of a collection's content, whatever the order it came in."""
        digest = hashlib.sha256(json.dumps([FORMAT, collection, encoder_id]).encode())
        for row in self._rows(
            "SELECT documents.id, documents.hash, chunks.number, chunks.hash FROM documents "
            "LEFT JOIN chunks ON chunks.document_id = documents.id "
            "WHERE documents.collection = ? ORDER BY documents.id, chunks.number",
            collection,
        ):
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()

    def stats(self) -> list[CollectionStats]:
        """Return what each collection holds, by name."""
        return [self._stats_of(name) for name in sorted(self.collections())]

    def _stats_of(self, name: str) -> CollectionStats:
        documents = self._rows(
            "SELECT COUNT(*), TOTAL(LENGTH(CAST(text AS BLOB))) FROM documents "
            "WHERE collection = ?", name
        )  # fmt: skip
        chunks = self._rows(
            "SELECT COUNT(*), TOTAL(LENGTH(CAST(chunks.text AS BLOB))) FROM chunks "
            "JOIN documents ON documents.id = document_id WHERE collection = ?", name
        )  # fmt: skip
        vectors = list(self._rows(
            "SELECT encoder, COUNT(*), TOTAL(LENGTH(vector)) FROM vectors "
            "JOIN chunks ON chunks.hash = vectors.hash "
            "JOIN documents ON documents.id = document_id WHERE collection = ? "
            "GROUP BY encoder ORDER BY encoder", name
        ))  # fmt: skip
        [(document_count, document_bytes)], [(chunk_count, chunk_bytes)] = documents, chunks
        return {
            "collection": name,
            "documents": document_count,
            "chunks": chunk_count,
            "vectors": {encoder: count for encoder, count, _ in vectors},
            "bytes": int(document_bytes + chunk_bytes + sum(size for _, _, size in vectors)),
        }

    def _rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        with explained(self.path):
            yield from self._db.execute(query, values)


def chunk_hash(text: str) -> str:
    """Return the name under which the vector of a text is kept."""
    return hashlib.sha256(text.encode()).hexdigest()
