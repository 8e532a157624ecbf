"""Indexes on disk: built under a lock, published whole, replaced and never repaired.

An index is a folder of its own that nothing writes to once it is published, so several processes
can read it while another one builds the next.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from knowledge.index.chroma import SMALL, VectorIndex, close, configuration, fill, is_sound
from knowledge.index.passages import Passages

logger = logging.getLogger(__name__)

_RECORD: Final = "index.json"
_FOLDER = re.compile(r"index-[0-9a-f]{32}")
_LOCK_TIMEOUT_S: Final = 300.0
_KEEP_UNUSED_S: Final = 7 * 24 * 3600.0


def open_index(directory: Path, source: Passages, *, progress: bool = False) -> VectorIndex:
    """Open the index of `source` in `directory`, or build it when there is no sound one.

    Raises:
        OSError: the directory cannot be used.
        chromadb.errors.ChromaError: the index cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    with FileLock(directory / "index.lock", timeout=_LOCK_TIMEOUT_S):
        index = _find(directory, source) or _build(directory, source, progress=progress)
        _prune(directory, source.collection, keep=index.path)
        return index


def has_index(directory: Path, source: Passages) -> bool:
    """Tell whether an index of `source` was finished in `directory`.

    Whether it is sound is not looked at before it is opened.
    """
    if not directory.is_dir():
        return False
    records = (_read_record(path) for path in _folders(directory))
    return any(record is not None and record | source.record == record for record in records)


def remove_indexes(directory: Path, collection: str) -> None:
    """Remove all indexes of a collection in `directory`.

    Raises:
        OSError: one cannot be removed.
    """
    if not directory.is_dir():
        return
    with FileLock(directory / "index.lock", timeout=_LOCK_TIMEOUT_S):
        for path in _folders(directory):
            if (_read_record(path) or {}).get("collection") == collection:
                # First: what is left by a kill must not look like an index.
                (path / _RECORD).unlink(missing_ok=True)
                shutil.rmtree(path)


def memory_index(source: Passages, *, progress: bool = False) -> VectorIndex:
    """Build the index of `source` in memory."""
    # All in-memory clients of a process share one database, so the name must be unique.
    index = _connect(None, source, f"{source.collection}-{uuid.uuid4().hex}")
    fill(index.collection, source, progress=progress)
    return index


def _find(directory: Path, source: Passages) -> VectorIndex | None:
    for path in _folders(directory):
        record = _read_record(path)
        if record is None or record | source.record != record:
            continue
        index = _open_sound(path, record, source)
        if index is not None:
            # Says that the index is in use; `_prune` looks at it.
            with suppress(OSError):
                os.utime(path / _RECORD)
            return index
        logger.warning("the index %s is damaged and is built again", path.name)
        (path / _RECORD).unlink(missing_ok=True)
    return None


def _open_sound(path: Path, record: dict[str, Any], source: Passages) -> VectorIndex | None:
    index = None
    try:
        # Looked at before Chroma reads them: damaged graph files crash the process.
        if record.get("graph") != graph_digest(path, len(source.texts)):
            return None
        index = _connect(path, source, source.collection)
        if is_sound(index.collection, source):
            return index
    except Exception as exc:
        # Damage shows as whatever SQLite, the Rust bindings or numpy make of it, and the answer
        # is always the same: build again from the source.
        logger.info("the index %s cannot be read: %s", path.name, type(exc).__name__)
    if index is not None:
        index.close()
    return None


def _build(directory: Path, source: Passages, *, progress: bool) -> VectorIndex:
    path = directory / f"index-{uuid.uuid4().hex}"
    path.mkdir()
    index = None
    try:
        index = _connect(path, source, source.collection)
        fill(index.collection, source, progress=progress)
        index.close()
        # Last, and at once: a folder without this file is not an index.
        draft = path / f"{_RECORD}.new"
        record = source.record | {"graph": graph_digest(path, len(source.texts))}
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(path / _RECORD)
        return _connect(path, source, source.collection)
    except BaseException:  # Ctrl-C too must leave nothing half-made behind.
        if index is not None:
            index.close()
        shutil.rmtree(path, ignore_errors=True)
        raise


def graph_digest(path: Path, size: int) -> str | None:
    """Return the SHA-256 of the files of the search graph; None where they are not read."""
    if size <= SMALL:
        return None
    digest = hashlib.sha256()
    for file in sorted(path.glob("*/*.bin")) + sorted(path.glob("*/*.pickle")):
        digest.update(file.name.encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _prune(directory: Path, collection: str, *, keep: Path | None) -> None:
    """Remove unfinished indexes, and those of other content that nobody opened for a week.

    Other processes may still read the rest: Chroma opens its database anew now and then.
    """
    for path in _folders(directory):
        if path == keep:
            continue
        record = _read_record(path)
        with suppress(OSError):
            age = time.time() - (path / _RECORD).stat().st_mtime if record else 0
            if record and (record.get("collection") != collection or age < _KEEP_UNUSED_S):
                continue
        shutil.rmtree(path, ignore_errors=True)


def _folders(directory: Path) -> list[Path]:
    return [
        path
        for path in sorted(directory.iterdir())
        if _FOLDER.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((path / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("complete") is True else None


def _connect(path: Path | None, source: Passages, name: str) -> VectorIndex:
    from chromadb.api.client import Client
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False, is_persistent=path is not None)
    if path is not None:
        settings.persist_directory = str(path)
    client = Client(settings=settings)
    try:
        collection = client.get_or_create_collection(
            name,
            embedding_function=None,
            configuration={"hnsw": configuration(len(source.texts))},
        )
    except BaseException:  # Ctrl-C too must leave nothing half-made behind.
        close(client)
        raise
    return VectorIndex(client, collection, len(source.texts), path)
