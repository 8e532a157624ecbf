"""What is indexed: the coping cards, and the collections of the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from knowledge.cards import Card, content_hash
from knowledge.index.passages import Passages, entry_of
from models.query_bank import QueryBank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from knowledge.library import Library

CARDS: Final = "strategies"
"""The collection of coping cards."""


class CollectionError(RuntimeError):
    """A collection cannot be searched; says which, and what to do."""


class Embeddings(Protocol):
    """The method of LangChain's `Embeddings` by which an index is filled."""

    def embed_documents(self, texts: list[str], /) -> list[list[float]]:
        """Return one vector per text."""


def card_passages(
    cards: Sequence[Card],
    embeddings: Embeddings,
    encoder_id: str,
    bank: QueryBank | None = None,
) -> Passages:
    """Return the passages of coping cards: the offer, and each situation on its own."""
    by_id = {card.id: card for card in cards}
    if len(by_id) < len(cards):
        raise ValueError("two cards have the same id")
    texts = {
        f"{card.id}#{number}": text
        for card in by_id.values()
        for number, text in enumerate(card.documents)
    }

    def metadata(passage_id: str) -> Mapping[str, str]:
        card = by_id[entry_of(passage_id)]
        return {"entry": card.id, "title": card.title, "source": card.source}

    def vectors(ids: Sequence[str]) -> ArrayLike:
        return embeddings.embed_documents([texts[each] for each in ids])

    return Passages(CARDS, texts, metadata, vectors, encoder_id, content_hash(cards), bank)


def library_passages(
    library: Library, collection: str, encoder_id: str, bank: QueryBank | None = None
) -> Passages:
    """Return the passages of a collection of the library: the chunks of its documents.

    Raises:
        CollectionError: there is no such collection, or it was embedded by another encoder.
    """
    if collection not in library.collections():
        known = ", ".join([CARDS, *library.collections()])
        raise CollectionError(f"there is no collection {collection!r}; there is: {known}")
    if missing := library.missing(encoder_id, collection):
        raise CollectionError(
            f"{missing} passages of the collection {collection!r} have no vector of the encoder "
            f"{encoder_id}: run the same `empathy knowledge ingest` again, which makes them"
        )
    texts: dict[str, str] = {}
    about: dict[str, Mapping[str, str]] = {}
    for entry in library.entries(collection):
        document = entry.document
        about[document.id] = {
            "entry": document.id,
            "title": document.title,
            "source": document.source,
            "licence": document.licence,
            "topics": ", ".join(document.topics),
        }
        texts |= {f"{document.id}#{number}": text for number, text in enumerate(entry.chunks)}
    ids, matrix = library.vectors(collection, encoder_id)
    rows = {name: row for row, name in enumerate(ids)}

    def vectors(wanted: Sequence[str]) -> ArrayLike:
        return matrix[[rows[each] for each in wanted]]

    return Passages(
        collection,
        texts,
        lambda passage_id: about[entry_of(passage_id)],
        vectors,
        encoder_id,
        library.content_hash(collection, encoder_id),
        bank,
    )
