"""The store of strategies: its collections, opened in Chroma and searched together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from typing_extensions import TypedDict

from knowledge.cards import Card
from knowledge.contents import CollectionError
from knowledge.index.chroma import VectorIndex
from knowledge.index.passages import Passages, entry_of
from knowledge.search import DEFAULT_WEIGHTS, Found, Query, SearchCollection, Weights, diverse

logger = logging.getLogger(__name__)

_VARIETY_POOL: Final = 4


class CollectionInfo(TypedDict):
    """What is searched of one collection."""

    collection: str
    entries: int
    passages: int
    encoder: str
    weight: float
    where: str
    """The folder of the index, if it has one of its own."""


@dataclass(frozen=True)
class IndexPlace:
    """Where indexes are kept: a folder, or a Chroma server."""

    directory: Path
    chroma_url: str = ""

    def open(self, passages: Passages, *, progress: bool = False) -> VectorIndex:
        """Open the index of `passages`, or make it when there is no sound one.

        Where the folder cannot be used, it is made in memory and a warning logged.

        Raises:
            ServerError: the Chroma server cannot be used.
        """
        from chromadb.errors import ChromaError

        from knowledge.index.folder import memory_index, open_index
        from knowledge.index.server import open_on_server

        if self.chroma_url:
            return open_on_server(self.chroma_url, passages, progress=progress)
        try:
            return open_index(self.directory, passages, progress=progress)
        except (OSError, ChromaError) as exc:
            logger.warning(
                "the index of %s cannot be kept on disk (%s); it is held in memory, and has to be "
                "built again at the next start",
                passages.collection,
                type(exc).__name__,
            )
            return memory_index(passages, progress=progress)

    def has(self, passages: Passages) -> bool:
        """Tell whether an index of `passages` was finished here; a server has to be asked."""
        from knowledge.index.folder import has_index

        return not self.chroma_url and has_index(self.directory, passages)

    def remove(self, collection: str) -> None:
        """Remove the indexes of a collection; whoever has one open loses it.

        Raises:
            ServerError: the Chroma server cannot be used.
            OSError: the folder cannot be written.
        """
        from knowledge.index.folder import remove_indexes
        from knowledge.index.server import remove_from_server

        if self.chroma_url:
            remove_from_server(self.chroma_url, collection)
        else:
            remove_indexes(self.directory, collection)


def open_collection(
    place: IndexPlace,
    passages: Passages,
    *,
    cards: Sequence[Card] = (),
    weight: float = 1.0,
    progress: bool = False,
) -> SearchCollection:
    """Open one collection for search.

    Args:
        place: where its index is kept.
        passages: what it holds.
        cards: the cards, for the collection of cards.
        weight: what its similarities are multiplied with beside those of other collections.
        progress: show a bar while the index is built.
    """
    return SearchCollection(
        passages.collection,
        place.open(passages, progress=progress),
        {card.id: card for card in cards},
        weight,
        passages.encoder_id,
        len({entry_of(name) for name in passages.texts}),
    )


@dataclass(frozen=True)
class Store:
    """Collections that are searched together; threads may share it."""

    collections: Sequence[SearchCollection] = field(repr=False)
    weights: Weights = DEFAULT_WEIGHTS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(self, query: Query, *, k: int = 3, collection: str = "") -> list[Found]:
        """Return up to `k` entries that fit, of all collections or of one.

        Raises:
            CollectionError: there is no such collection.
            IndexFailure: Chroma failed; an empty list means that nothing is close.
        """
        searched = [each for each in self.collections if collection in ("", each.name)]
        if not searched:
            known = ", ".join(each.name for each in self.collections) or "none"
            raise CollectionError(f"there is no collection {collection!r}; there is: {known}")
        found = [
            one
            for each in searched
            for one in each.find(query, k * (_VARIETY_POOL if each.cards else 1), self.weights)
        ]
        return diverse(found, k, self.weights.diversity)

    def info(self) -> list[CollectionInfo]:
        """Return what is searched."""
        return [
            {
                "collection": each.name,
                "entries": each.entries,
                "passages": each.index.size,
                "encoder": each.encoder_id,
                "weight": each.weight,
                "where": str(each.index.path) if each.index.path else "memory or server",
            }
            for each in self.collections
        ]

    def close(self) -> None:
        """Release the databases; the store cannot be used after it."""
        for each in self.collections:
            each.index.close()
