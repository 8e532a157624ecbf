"""The library's file: its tables, and its errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

FORMAT: Final = 1

_BUSY_S: Final = 30.0
"""How long to wait for another process that writes."""

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    licence TEXT NOT NULL,
    topics TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    origin TEXT NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX documents_collection ON documents (collection);
CREATE TABLE chunks (
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (document_id, number)
);
CREATE INDEX chunks_hash ON chunks (hash);
CREATE TABLE vectors (
    hash TEXT NOT NULL,
    encoder TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (hash, encoder)
);
"""
_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written; check it, and that it is not full",
    sqlite3.SQLITE_BUSY: "another process is writing to it; try again once that has ended",
    sqlite3.SQLITE_LOCKED: "another process is writing to it; try again once that has ended",
    sqlite3.SQLITE_READONLY: "it cannot be written; check who may write to it and to its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is a file that you may read",
    sqlite3.SQLITE_PERM: "it cannot be opened; check who may read and write it",
}


class LibraryError(RuntimeError):
    """The library cannot be used; says which file, and what to do."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"the library {path}: {problem}")


def open_database(path: Path) -> sqlite3.Connection:
    """Open the library's file; a new one gets its tables.

    Raises:
        LibraryError: the file is damaged, of a newer version, or cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that both switch to WAL get "database is locked" despite the timeout.
        with FileLock(f"{path}.opening", timeout=_BUSY_S), explained(path):
            db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            try:
                _prepare(path, db)
            except BaseException:  # Ctrl-C too must leave no file open.
                db.close()
                raise
            return db
    except OSError as exc:
        raise LibraryError(path, f"it cannot be opened: {exc.strerror or exc}") from exc


def _prepare(path: Path, db: sqlite3.Connection) -> None:
    """Check the format, or make the tables of a new file."""
    db.execute("PRAGMA foreign_keys = ON")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        # Works on an empty file only, and gives the space of what is removed back to the disk.
        db.execute("PRAGMA auto_vacuum = FULL")
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('format', '{FORMAT}'); COMMIT;"
        )
    elif "meta" not in tables:
        raise LibraryError(path, "it is another program's database; move the file away")
    db.execute("PRAGMA synchronous = NORMAL")
    row = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise damaged(path)
    if int(row[0]) > FORMAT:
        raise LibraryError(
            path,
            f"it was written by a newer version of this program (format {row[0]}, this one reads "
            f"{FORMAT}); update the program, or move the file away and ingest the sources again",
        )
    if tables and not tables >= {"documents", "chunks", "vectors"}:
        raise damaged(path)


def damaged(path: Path, name: str = "") -> LibraryError:
    """Return the error of a file whose content makes no sense."""
    detail = f" ({name})" if name else ""
    return LibraryError(
        path, f"it is damaged{detail}; move the file away and ingest the sources again"
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into words that name the file and the remedy."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake of ours, such as use after `close`
        raise
    except sqlite3.DatabaseError as exc:
        # The low byte is the kind of error; the rest says where in SQLite it arose.
        remedy = _REMEDIES.get(getattr(exc, "sqlite_errorcode", 0) & 0xFF)
        if remedy is None:
            raise damaged(path, getattr(exc, "sqlite_errorname", "")) from exc
        raise LibraryError(path, remedy) from exc
