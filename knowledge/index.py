"""Chroma indexes on disk: built under a lock, published whole, replaced and never repaired.

An index is a folder of its own that nothing writes to once it is published, so several processes
can read it while another one builds the next.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import numpy as np
from filelock import FileLock
from tqdm import tqdm

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings as LangChainEmbeddings

logger = logging.getLogger(__name__)

_RECORD: Final = "index.json"
_FOLDER = re.compile(r"index-[0-9a-f]{32}")
_FORMAT: Final = 1
_BATCH: Final = 32
_PROBES: Final = 8
_SAME: Final = 1e-3
_LOCK_TIMEOUT_S: Final = 300.0
_KEEP_UNUSED_S: Final = 7 * 24 * 3600.0


class Embeddings(Protocol):
    """The two methods of LangChain's `Embeddings` that Chroma calls."""

    def embed_documents(self, texts: list[str], /) -> list[list[float]]:
        """Return one vector per text."""

    def embed_query(self, text: str, /) -> list[float]:
        """Return the vector of `text`."""


@dataclass(frozen=True)
class Source:
    """What an index is made from, and has to match."""

    collection: str
    documents: Mapping[str, str] = field(repr=False)
    """Text by id."""
    embeddings: Embeddings = field(repr=False)
    encoder_id: str
    content_hash: str

    @property
    def record(self) -> dict[str, Any]:
        """What is written down beside a finished index."""
        return {
            "format": _FORMAT,
            "collection": self.collection,
            "encoder": self.encoder_id,
            "content_hash": self.content_hash,
            "complete": True,
        }


@dataclass(frozen=True)
class Index:
    """An open index; `path` is None for one in memory."""

    client: Client
    chroma: Chroma
    path: Path | None


def open_index(directory: Path, source: Source, *, progress: bool = False) -> Index:
    """Open the index of `source` in `directory`, or build it when there is no sound one.

    Raises:
        OSError: the directory cannot be used.
        chromadb.errors.ChromaError: the index cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    with FileLock(directory / "index.lock", timeout=_LOCK_TIMEOUT_S):
        index = _find(directory, source) or _build(directory, source, progress=progress)
        _prune(directory, keep=index.path)
        return index


def memory_index(source: Source, *, progress: bool = False) -> Index:
    """Build the index of `source` in memory."""
    # All in-memory clients of a process share one database, so the name must be unique.
    index = _connect(None, source, f"{source.collection}-{uuid.uuid4().hex}")
    _fill(index.chroma, source, progress=progress)
    return index


def _find(directory: Path, source: Source) -> Index | None:
    for path in _folders(directory):
        if _read_record(path) != source.record:
            continue
        index = _open_sound(path, source)
        if index is not None:
            # Says that the index is in use; `_prune` looks at it.
            with suppress(OSError):
                os.utime(path / _RECORD)
            return index
        logger.warning("the index %s is damaged and is built again", path.name)
        (path / _RECORD).unlink(missing_ok=True)
    return None


def _open_sound(path: Path, source: Source) -> Index | None:
    index = None
    try:
        index = _connect(path, source, source.collection)
        if _is_sound(index, source):
            return index
    except Exception as exc:
        # Damage shows as whatever SQLite, the Rust bindings or numpy make of it, and the answer
        # is always the same: build again from the source.
        logger.info("the index %s cannot be read: %s", path.name, type(exc).__name__)
    if index is not None:
        index.client.close()
    return None


def _is_sound(index: Index, source: Source) -> bool:
    """Compare the content with the source, and look up a few known documents."""
    collection = index.client.get_collection(source.collection, embedding_function=None)
    # Chroma silently keeps the old space of a collection that is opened with another one.
    if collection.configuration_json["hnsw"]["space"] != "cosine":
        return False
    stored = index.chroma.get(include=["documents", "embeddings"])
    if dict(zip(stored["ids"], stored["documents"], strict=True)) != source.documents:
        return False
    if not source.documents:
        return True
    vectors = np.asarray(stored["embeddings"], dtype=np.float32)
    if not np.isfinite(vectors).all():
        return False
    # A text without a direction (a zero vector) is near nothing, itself included.
    rows = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0)
    probes = vectors[rows[:: max(1, len(rows) // _PROBES)]]
    found = [
        index.chroma.similarity_search_by_vector_with_relevance_scores(probe.tolist(), k=1)
        for probe in probes
    ]
    # HNSW is approximate: a miss is no proof of damage, and a needless build costs seconds.
    hits = sum(1 for nearest in found if nearest and abs(nearest[0][1]) < _SAME)
    return 2 * hits >= len(probes)


def _build(directory: Path, source: Source, *, progress: bool) -> Index:
    path = directory / f"index-{uuid.uuid4().hex}"
    path.mkdir()
    index = None
    try:
        index = _connect(path, source, source.collection)
        _fill(index.chroma, source, progress=progress)
        # Last, and at once: a folder without this file is not an index.
        draft = path / f"{_RECORD}.new"
        draft.write_text(json.dumps(source.record), encoding="utf-8")
        draft.replace(path / _RECORD)
    except BaseException:  # Ctrl-C too must leave nothing half-made behind.
        if index is not None:
            index.client.close()
        shutil.rmtree(path, ignore_errors=True)
        raise
    return index


def _prune(directory: Path, *, keep: Path | None) -> None:
    """Remove unfinished indexes, and those of other content that nobody opened for a week.

    Other processes may still read the rest: Chroma opens its database anew now and then.
    """
    for path in _folders(directory):
        if path == keep:
            continue
        finished = _read_record(path) is not None
        with suppress(OSError):
            if finished and time.time() - (path / _RECORD).stat().st_mtime < _KEEP_UNUSED_S:
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


def _connect(path: Path | None, source: Source, name: str) -> Index:
    from chromadb.api.client import Client
    from chromadb.config import Settings
    from langchain_chroma import Chroma

    settings = Settings(anonymized_telemetry=False, is_persistent=path is not None)
    if path is not None:
        settings.persist_directory = str(path)
    client = Client(settings=settings)
    try:
        chroma = Chroma(
            name,
            cast("LangChainEmbeddings", source.embeddings),
            client=client,
            collection_configuration={
                "hnsw": {
                    "space": "cosine",
                    # Chroma writes its HNSW files every `sync_threshold` documents and trusts
                    # them when it reads: bad ones crash the process. Below the threshold it
                    # makes the graph from SQLite on opening, and SQLite notices damage.
                    "sync_threshold": max(1000, 2 * len(source.documents)),
                    # The defaults (16, 100, 100) lose a third of the documents when many are
                    # alike, as cards after one pattern are; these lose none, and for 400
                    # documents cost no time that can be measured.
                    "max_neighbors": 64,
                    "ef_construction": 1000,
                    "ef_search": 1000,
                }
            },
        )
    except BaseException:  # Ctrl-C too must leave nothing half-made behind.
        client.close()
        raise
    return Index(client, chroma, path)


def _fill(chroma: Chroma, source: Source, *, progress: bool) -> None:
    ids = list(source.documents)
    with tqdm(
        total=len(ids), desc="Indexing coping strategies", unit="text", disable=not progress
    ) as bar:
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            chroma.add_texts([source.documents[each] for each in batch], ids=batch)
            bar.update(len(batch))
