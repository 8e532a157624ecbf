"""One Chroma collection of passages: made, filled, checked and searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from tqdm import tqdm

from knowledge.index.passages import Passages
from models.encoder import Vector

if TYPE_CHECKING:
    import httpx
    from chromadb.api import ClientAPI
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.api.models.Collection import Collection

HUBNESS: Final = "hubness"
"""The key, in a passage's metadata, of how much of a hub it is."""

_EMBED: Final = 64
_WRITE: Final = 1000
_PROBES: Final = 8
_SAMPLE: Final = 256
_SAME: Final = 1e-3
SMALL: Final = 2_000
"""Up to so many passages, all of them are compared with their source when an index is opened."""


class IndexFailure(RuntimeError):
    """Chroma could not answer; not the same as finding nothing."""


@dataclass(frozen=True)
class StoredPassage:
    """A passage as the index holds it."""

    text: str
    metadata: Mapping[str, Any]
    vector: Vector


@dataclass(frozen=True)
class VectorIndex:
    """An open index of passages; threads may share it."""

    client: ClientAPI
    collection: Collection
    size: int
    path: Path | None
    """Its folder; None when it is in memory or on a server."""

    def nearest(self, vector: Sequence[float], count: int) -> list[tuple[str, float, float]]:
        """Return the `count` passages nearest to a unit vector: id, cosine similarity, hubness.

        Raises:
            IndexFailure: Chroma failed.
        """
        if count < 1 or not self.size:
            return []
        found = self._ask(
            "query",
            query_embeddings=[list(vector)],
            n_results=min(count, self.size),
            include=["distances", "metadatas"],
        )
        rows = zip(found["ids"][0], found["distances"][0], found["metadatas"][0], strict=True)
        return [
            (str(name), 1.0 - float(distance), float((about or {}).get(HUBNESS, 0.0)))
            for name, distance, about in rows
        ]

    def passages(self, ids: Sequence[str]) -> dict[str, StoredPassage]:
        """Return passages by id; one that is not there is left out.

        Raises:
            IndexFailure: Chroma failed.
        """
        if not ids:
            return {}
        found = self._ask("get", ids=list(ids), include=["documents", "metadatas", "embeddings"])
        vectors = np.asarray(found["embeddings"], dtype=np.float32)
        rows = zip(found["ids"], found["documents"], found["metadatas"], vectors, strict=True)
        return {
            name: StoredPassage(text, about or {}, vector) for name, text, about, vector in rows
        }

    def close(self) -> None:
        """Release the database; the index cannot be used after it."""
        close(self.client)

    def _ask(self, method: str, **arguments: Any) -> Any:
        try:
            return getattr(self.collection, method)(**arguments)
        except Exception as exc:
            # Chroma, its Rust bindings, SQLite and HTTP each have errors of their own, and callers
            # need one to catch. A message may quote what was asked, so only the type is kept.
            raise IndexFailure(f"the index failed: {type(exc).__name__}") from None


def close(client: ClientAPI) -> None:
    """Close a client of any kind, with its connections to a server."""
    connections = sessions(client)
    cast("Any", client).close()  # The type that clients share does not have the method.
    for each in connections:  # Chroma leaves them open.
        each.close()


def sessions(client: ClientAPI) -> list[httpx.Client]:
    """Return the connections of a client to a server; Chroma has no public way to set them up."""
    parts = [client, getattr(client, "_admin_client", None)]
    found = [getattr(getattr(each, "_server", None), "_session", None) for each in parts]
    return [each for each in found if each is not None]


def configuration(size: int) -> CreateHNSWConfiguration:
    """Return the settings of the search graph (HNSW, Malkov and Yashunin 2020) for `size` passages.

    A small index is searched exactly, or nearly so: the defaults (16, 100, 100) lose a third of
    the passages when many are alike, as cards after one pattern are. Chroma writes its HNSW files
    every `sync_threshold` passages and trusts them when it reads: bad ones crash the process.
    Below the threshold it makes the graph from SQLite on opening, and SQLite notices damage.
    """
    if size <= SMALL:
        return {
            "space": "cosine",
            "sync_threshold": 2 * SMALL,
            "max_neighbors": 64,
            "ef_construction": 1000,
            "ef_search": 1000,
            # Several threads that add at once lose a passage among many alike now and then.
            "num_threads": 1,
        }
    return {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 200}


def fill(collection: Collection, source: Passages, *, progress: bool) -> None:
    """Write all passages of `source`; those that are there already are written again."""
    ids = list(source.texts)
    parts: list[Vector] = []
    name = f"indexing {source.collection}"
    with tqdm(total=len(ids), desc=name, unit="passage", disable=not progress) as bar:
        for start in range(0, len(ids), _EMBED):
            batch = ids[start : start + _EMBED]
            parts.append(np.asarray(source.vectors(batch), dtype=np.float32))
            bar.update(len(batch))
    if not ids:
        return
    vectors = np.concatenate(parts)
    hubness = source.bank.hubness(vectors) if source.bank else np.zeros(len(ids), np.float32)
    # Relative to the collection, so that the scores of collections stay comparable.
    hubness -= hubness.mean()
    for start in range(0, len(ids), _WRITE):
        rows = slice(start, start + _WRITE)
        collection.upsert(
            ids=ids[rows],
            embeddings=vectors[rows],
            documents=[source.texts[each] for each in ids[rows]],
            metadatas=[
                {**source.metadata(each), HUBNESS: float(value)}
                for each, value in zip(ids[rows], hubness[rows], strict=True)
            ],
        )


def is_sound(collection: Collection, source: Passages) -> bool:
    """Compare the content with the source, and look up a few known passages."""
    # Chroma silently keeps the old space of a collection that is opened with another one.
    space = cast("Mapping[str, Any]", collection.configuration_json["hnsw"])["space"]
    if space != "cosine" or collection.count() != len(source.texts):
        return False
    if not source.texts:
        return True
    ids = list(source.texts)
    if len(ids) > SMALL:
        ids = ids[:: max(1, len(ids) // _SAMPLE)]
    stored = collection.get(ids=ids, include=["documents", "embeddings"])
    documents = dict(zip(stored["ids"], stored["documents"] or [], strict=True))
    if documents != {each: source.texts[each] for each in ids}:
        return False
    vectors = np.asarray(stored["embeddings"], dtype=np.float32)
    if not np.isfinite(vectors).all():
        return False
    # A text without a direction (a zero vector) is near nothing, itself included.
    rows = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0)
    probes = vectors[rows[:: max(1, len(rows) // _PROBES)]]
    if not len(probes):
        return True
    nearest = collection.query(query_embeddings=probes, n_results=1, include=["distances"])
    # HNSW is approximate: a miss is no proof of damage, and a needless build costs seconds.
    hits = sum(1 for each in nearest["distances"] or [] if each and abs(each[0]) < _SAME)
    return 2 * hits >= len(probes)
