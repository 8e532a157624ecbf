"""A check of the coping cards, for which there are no labels: each situation must find its card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.cards import Card
from knowledge.contents import Embeddings, card_passages
from knowledge.index.passages import entry_of
from models.encoder import Vector
from models.query_bank import QueryBank
from training.metrics import share


def leave_one_out(
    cards: Sequence[Card],
    embeddings: Embeddings,
    encoder_id: str,
    bank: QueryBank | None,
    hubness: float,
) -> dict[str, Any]:
    """Ask with each situation of each card for the card, of which that situation is left out.

    This tells whether the cards are consistent, and apart from each other; people write otherwise
    than cards. Scores are those of `knowledge.search`, without emotions and intents.

    Args:
        cards: all cards.
        embeddings: makes the vectors of their passages.
        encoder_id: names the encoder.
        bank: the questions by which hubs are known.
        hubness: the weight of the correction for hubs.

    Returns:
        Shares of situations whose card comes first, and is among the first three.
    """
    ordered = sorted(cards, key=lambda card: card.id)
    passages = card_passages(ordered, embeddings, encoder_id, bank)
    names = list(passages.texts)
    vectors = np.asarray(passages.vectors(names), dtype=np.float32)
    hubs = bank.hubness(vectors) if bank else np.zeros(len(names), dtype=np.float32)
    ranks = card_ranks(names, vectors, hubness * hubs)
    return {"hit_1": _at(ranks, 1), "hit_3": _at(ranks, 3)}


def card_ranks(names: Sequence[str], vectors: Vector, penalties: Vector) -> NDArray[np.intp]:
    """Return, for each passage that is a situation, the rank of its card by all other passages.

    Args:
        names: ids of the passages, those of a card together and cards in the order of their ids,
            which decides between cards of one score. Number 0 of a card is its offer, the others
            are situations.
        vectors: of shape (passages, dimensions).
        penalties: what each passage's score is lowered by.
    """
    scores = vectors @ vectors.T - penalties
    np.fill_diagonal(scores, -np.inf)
    entries = [entry_of(name) for name in names]
    firsts = [row for row, entry in enumerate(entries) if row == 0 or entries[row - 1] != entry]
    # A card scores as its closest passage.
    by_card = np.maximum.reduceat(scores, firsts, axis=1)
    own = np.searchsorted(firsts, np.arange(len(names)), side="right") - 1
    order = np.argsort(-by_card, axis=1, kind="stable")
    ranks: NDArray[np.intp] = np.argmax(order == own[:, None], axis=1) + 1
    return ranks[[not name.endswith("#0") for name in names]]


def _at(ranks: NDArray[np.intp], k: int) -> dict[str, float | int | None]:
    return share(int((ranks <= k).sum()), len(ranks))
