"""Events that wait for delivery, on disk, so that no crash of the sender loses one."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from filelock import FileLock

_BUSY_S: Final = 30.0
"""How long to wait for another process that writes."""

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_lane ON outbox (lane, seq);
"""
# secure_delete: an event may hold a person's words, which must not outlive its delivery.


class Outbox:
    """Messages in the order in which they came, in SQLite.

    The transactional outbox pattern (Richardson 2018): written ahead, removed once delivered.
    Messages of one lane are delivered one after another; lanes do not wait for each other. Safe
    for several threads and processes. Works again after `close`, for an event that comes late.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._lock = Lock()
        self._db: sqlite3.Connection | None = None
        with self._connection():
            pass

    def put(self, id: str, lane: str, body: str) -> None:
        """Store a message; it is on disk on return. A message that waits already is kept once."""
        statement = "INSERT INTO outbox (id, lane, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        with self._connection() as db:
            db.execute(statement, (id, lane, body))

    def heads(self) -> list[int]:
        """Return the number of each lane's oldest message, oldest first."""
        with self._connection() as db:
            rows = db.execute("SELECT MIN(seq) AS head FROM outbox GROUP BY lane ORDER BY head")
            return [head for (head,) in rows]

    def get(self, seq: int) -> tuple[str, str] | None:
        """Return the id and body of a message that still waits."""
        with self._connection() as db:
            row = db.execute("SELECT id, body FROM outbox WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def remove(self, seq: int) -> None:
        """Forget a delivered message."""
        with self._connection() as db:
            db.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
            if db.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is None:
                # The log beside the file would keep a copy until it is full.
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def __len__(self) -> int:
        with self._connection() as db:
            (count,) = db.execute("SELECT COUNT(*) FROM outbox").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db is None:
                self._db = self._open()
            yield self._db

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite would let others read the file. O_EXCL, because closing a file that SQLite has
        # open elsewhere in this process would drop its POSIX locks.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
        # Two processes that both switch to WAL get "database is locked" despite the timeout.
        with FileLock(f"{self._path}.opening", timeout=_BUSY_S, mode=0o600):
            db = sqlite3.connect(
                self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                db.executescript(_SCHEMA)
            except sqlite3.Error:
                db.close()
                raise
        return db
