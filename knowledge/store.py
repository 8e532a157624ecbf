"""Search over the coping cards, in Chroma."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from typing_extensions import TypedDict

from graph.state import Strategy
from knowledge.cards import Card, content_hash
from knowledge.index import Embeddings, Index, Source, memory_index, open_index

logger = logging.getLogger(__name__)

COLLECTION: Final = "strategies"

EMOTION_WEIGHT: Final = 0.1
"""What full agreement of emotions adds to the cosine similarity.

Small on purpose: it orders cards that are about equally close, and cannot lift a card over one
that is plainly closer to what the person said.
"""


class StoreError(RuntimeError):
    """Chroma could not answer; not the same as finding nothing."""


class StoreStats(TypedDict):
    """What the store holds."""

    collection: str
    cards: int
    documents: int
    encoder: str
    content_hash: str
    directory: str | None
    """Where the index is kept; None when it is in memory only."""


class StrategyStore:
    """The coping cards, searched by the vector of what a person wrote.

    Each card is indexed under several texts and scores as its closest one (MaxP, Dai and
    Callan 2019). Use `open`; the store may be shared by threads.
    """

    def __init__(self, cards: Mapping[str, Card], source: Source, index: Index) -> None:
        self._cards, self._source, self._index = cards, source, index

    @classmethod
    def open(
        cls,
        directory: Path,
        cards: Sequence[Card],
        embeddings: Embeddings,
        encoder_id: str,
        *,
        progress: bool = False,
    ) -> StrategyStore:
        """Open the index of `cards` in `directory`, building it when there is no sound one.

        Where the directory cannot be used, the index is built in memory and a warning logged.
        """
        from chromadb.errors import ChromaError

        by_id = {card.id: card for card in cards}
        if len(by_id) < len(cards):
            raise ValueError("two cards have the same id")
        documents = {
            f"{card.id}#{number}": text
            for card in by_id.values()
            for number, text in enumerate(card.documents)
        }
        source = Source(COLLECTION, documents, embeddings, encoder_id, content_hash(cards))
        try:
            index = open_index(directory, source, progress=progress)
        except (OSError, ChromaError) as exc:
            logger.warning(
                "the strategy index cannot be kept on disk (%s); it is held in memory, and has "
                "to be built again at the next start",
                type(exc).__name__,
            )
            index = memory_index(source, progress=progress)
        return cls(by_id, source, index)

    def search(
        self,
        vector: Sequence[float],
        *,
        k: int = 3,
        emotions: Mapping[str, float] | None = None,
        exclude: Collection[str] = (),
        floor: float = 0.25,
    ) -> list[Strategy]:
        """Return up to `k` strategies for the unit vector of a text, best first.

        Args:
            vector: the text's vector; nothing is embedded here.
            k: how many at most.
            emotions: probabilities of emotions; cards meant for them are preferred a little.
            exclude: ids of cards that are not wanted, such as those already offered.
            floor: the lowest score that still counts as a match.

        Raises:
            StoreError: Chroma failed; an empty list means that nothing is close.
        """
        emotions, exclude = emotions or {}, set(exclude)
        values = [float(value) for value in vector]
        if not all(math.isfinite(value) for value in values):
            raise ValueError("the query vector holds a value that is not a number")
        total = len(self._source.documents)
        if k < 1 or not total:
            return []
        lead = EMOTION_WEIGHT if emotions else 0.0
        fetch = (k + len(exclude)) * 8
        while True:
            nearest, farthest = self._nearest(values, min(fetch, total))
            ranked = sorted(
                (
                    (similarity + _agreement(self._cards[card_id], emotions), card_id)
                    for card_id, similarity in nearest.items()
                    if card_id not in exclude
                ),
                key=lambda pair: (-pair[0], pair[1]),
            )[:k]
            # A card not seen yet is no closer than the last text, and its emotions add `lead`
            # at most: once that cannot change the result, there is no need to read further.
            bar = max(floor, ranked[-1][0]) if len(ranked) == k else floor
            if fetch >= total or farthest + lead < bar:
                break
            fetch *= 4
        return [self._strategy(card_id, score) for score, card_id in ranked if score >= floor]

    def search_text(
        self,
        text: str,
        *,
        k: int = 3,
        emotions: Mapping[str, float] | None = None,
        exclude: Collection[str] = (),
        floor: float = 0.25,
    ) -> list[Strategy]:
        """Embed `text`, then `search`."""
        vector = self._source.embeddings.embed_query(text)
        return self.search(vector, k=k, emotions=emotions, exclude=exclude, floor=floor)

    def stats(self) -> StoreStats:
        """Return what the store holds and where."""
        path = self._index.path
        return {
            "collection": COLLECTION,
            "cards": len(self._cards),
            "documents": len(self._source.documents),
            "encoder": self._source.encoder_id,
            "content_hash": self._source.content_hash,
            "directory": str(path.parent) if path else None,
        }

    def close(self) -> None:
        """Release the database; the store cannot be used after it."""
        self._index.client.close()

    def _nearest(self, vector: list[float], count: int) -> tuple[dict[str, float], float]:
        """Return the best similarity per card among `count` texts, and the lowest one seen."""
        try:
            found = self._index.chroma.similarity_search_by_vector_with_relevance_scores(
                vector, k=count
            )
        except Exception as exc:
            # Chroma, its Rust bindings and SQLite each have errors of their own, and callers
            # need one to catch. A message may quote what was asked, so only the type is kept.
            raise StoreError(f"the strategy index failed: {type(exc).__name__}") from None
        best: dict[str, float] = {}
        lowest = 1.0
        for document, distance in found:
            similarity, card_id = 1.0 - distance, str(document.id).rpartition("#")[0]
            best[card_id] = max(similarity, best.get(card_id, -1.0))
            lowest = min(similarity, lowest)
        return best, lowest

    def _strategy(self, card_id: str, score: float) -> Strategy:
        card = self._cards[card_id]
        return {
            "id": card.id,
            "title": card.title,
            "text": card.short,
            "source": card.source,
            "score": score,
        }


def _agreement(card: Card, emotions: Mapping[str, float]) -> float:
    mass = sum(emotions.get(label, 0.0) for label in card.emotions)
    return EMOTION_WEIGHT * min(1.0, mass)
