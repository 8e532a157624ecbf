"""Ranking: which entries of a collection fit what a person wrote, and why.

An entry scores as its closest passage (MaxP, Dai and Callan 2019): cosine similarity, less what it
owes to being near to everything, plus a little for agreement with the person's emotion and the
listener's intent. Results are then picked for relevance and variety (maximal marginal relevance,
Carbonell and Goldstein 1998).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from graph.state import Strategy
from knowledge.cards import Card
from knowledge.contraindications import RuledOut
from knowledge.index.chroma import StoredPassage, VectorIndex
from knowledge.index.passages import entry_of, is_continuation
from models.encoder import Vector
from models.labels import PLEASANT, UNPLEASANT

_NOTHING_RULED_OUT: Final = RuledOut()
_POOL: Final = 64
"""Passages that are looked at, besides some for each result that is wanted or refused."""
_CARDS_POOL: Final = 400
_AGAIN: Final = 10.0
"""More than any score."""
_CLEARLY: Final = 0.6
"""Probability from which a person's emotions count as pleasant, or unpleasant, together."""
_NOTABLE: Final = 0.5
_SOME: Final = 0.1


@dataclass(frozen=True)
class Weights:
    """What each part adds to the cosine similarity; `evaluate retrieval` switches them off."""

    hubness: float = 0.5
    """What a passage loses for being near to every question (see `models.query_bank`)."""
    continuation: float = 0.1
    """What a later passage of a document loses: it says less of what the document is about."""
    emotion: float = 0.25
    """For full agreement of emotions. So much that a general card for what the person feels comes
    before one that shares a word with what happened; a card for just this event still leads."""
    intent: float = 0.02
    diversity: float = 0.1
    """The share of maximal marginal relevance that goes to being unlike what was picked."""
    floor: float = 0.15
    """The lowest cosine similarity that still counts as a match."""
    specific_floor: float = 0.55
    """The same for cards that take something for granted: to offer a ritual for the dead to whose
    father is away is worse than to offer nothing."""
    sure: float = 0.7
    """A similarity from which the reading of the emotion has no say."""
    least_agreement: float = 0.05
    """The least probability, together, of the emotions that a card is meant for."""


DEFAULT_WEIGHTS: Final = Weights()

# Consoling asks for care, encouraging for something to do; the other intents prefer nothing.
_PREFERRED: Final[Mapping[str, frozenset[str]]] = {
    "consoling": frozenset({"self-compassion", "grounding", "ritual", "connection"}),
    "sympathizing": frozenset({"self-compassion", "ritual", "connection"}),
    "encouraging": frozenset({"activity", "values", "problem-solving", "savouring"}),
    "suggesting": frozenset({"problem-solving", "activity", "communication", "seeking-help"}),
    "wishing": frozenset({"savouring", "values"}),
    "agreeing": frozenset({"savouring", "connection"}),
}


@dataclass(frozen=True)
class Query:
    """What is looked for."""

    vector: Sequence[float] = field(repr=False)
    """Unit vector of what the person wrote."""
    emotions: Mapping[str, float] = field(default_factory=dict)
    """Probabilities of emotions."""
    intent: str = ""
    """What the listener is about to do."""
    exclude: Collection[str] = ()
    """Ids of entries that are not wanted, such as those already offered."""
    again: Collection[str] = ()
    """Ids of entries that the person asks for again: these come first, however far they are."""
    ruled_out: RuledOut = _NOTHING_RULED_OUT
    """What the person cannot or will not do."""


@dataclass(frozen=True)
class Found:
    """An entry that fits, with the reasons."""

    strategy: Strategy
    collection: str
    passage: str
    """The passage that is closest to the query."""
    reasons: tuple[str, ...]
    """Why it was found, in plain words."""
    vector: Vector = field(repr=False, compare=False)
    """The passage's."""
    card: bool = False
    """Whether it is a card."""


@dataclass(frozen=True)
class _Hit:
    """A passage and what speaks for it."""

    entry: str
    name: str
    similarity: float
    score: float


@dataclass(frozen=True)
class SearchCollection:
    """One collection, ready to be searched."""

    name: str
    index: VectorIndex
    cards: Mapping[str, Card] = field(default_factory=dict, repr=False)
    """The cards by id, where the entries are cards."""
    weight: float = 1.0
    """What similarities are multiplied with when several collections are searched."""
    encoder_id: str = ""
    entries: int = 0
    """How many entries it holds."""

    def find(self, query: Query, k: int, weights: Weights = DEFAULT_WEIGHTS) -> list[Found]:
        """Return the best `k` entries, highest score first.

        Raises:
            ValueError: the query's vector holds a value that is not a number.
            IndexFailure: Chroma failed; an empty list means that nothing is close.
        """
        vector = np.asarray(query.vector, dtype=np.float32)
        if not np.isfinite(vector).all():
            raise ValueError("the query vector holds a value that is not a number")
        if k < 1:
            return []
        refused = {*query.exclude, *(each for each in self.cards if not self._allowed(each, query))}
        # What suits the feeling may share no word with what happened, so more cards are looked at.
        pool = _CARDS_POOL if self.cards else _POOL
        count = self.index.size if query.again else pool + 8 * (k + len(refused))
        nearest = self.index.nearest(vector.tolist(), count)
        best: dict[str, _Hit] = {}
        for name, similarity, hubness in nearest:
            entry = entry_of(name)
            wanted = entry in query.again
            if entry in refused or not (wanted or self._fits(entry, similarity, query, weights)):
                continue
            closeness = similarity - weights.hubness * hubness
            if entry not in self.cards and is_continuation(name):
                closeness -= weights.continuation
            score = self._score(entry, closeness, query, weights) + _AGAIN * wanted
            if entry not in best or score > best[entry].score:
                best[entry] = _Hit(entry, name, similarity, score)
        ranked = sorted(best.values(), key=lambda hit: (-hit.score, hit.entry))[:k]
        passages = self.index.passages([hit.name for hit in ranked])
        return [
            self._found(hit, passages[hit.name], query) for hit in ranked if hit.name in passages
        ]

    def _fits(self, entry: str, similarity: float, query: Query, weights: Weights) -> bool:
        """Tell whether an entry is close enough, and a card right for what is felt.

        A card that takes something for granted has to be near in words and in feeling; a general
        one in either.
        """
        card = self.cards.get(entry)
        if card is not None and _jars(card, query):
            return False
        if card is None or similarity >= weights.sure:
            return similarity >= weights.floor
        felt = not query.emotions or _agreement(card, query) >= weights.least_agreement
        closer = max(weights.floor, weights.specific_floor)
        if card.scope == "specific":
            return felt and similarity >= closer
        return similarity >= (weights.floor if felt else closer)

    def _allowed(self, entry: str, query: Query) -> bool:
        card = self.cards.get(entry)
        if entry in query.exclude or entry in query.ruled_out.cards:
            return False
        return card is None or card.technique not in query.ruled_out.techniques

    def _score(self, entry: str, similarity: float, query: Query, weights: Weights) -> float:
        score = self.weight * similarity
        card = self.cards.get(entry)
        if card is None:
            return score
        score += weights.emotion * _agreement(card, query)
        return score + weights.intent * (card.technique in _PREFERRED.get(query.intent, ()))

    def _found(self, hit: _Hit, passage: StoredPassage, query: Query) -> Found:
        card = self.cards.get(hit.entry)
        reasons = [f"closest passage {hit.similarity:.2f}"]
        if card is not None and _agreement(card, query) >= _NOTABLE:
            felt = [each for each in card.emotions if query.emotions.get(each, 0.0) >= _SOME]
            reasons.append(f"meant for {', '.join(felt) or 'this emotion'}")
        strategy: Strategy = {
            "id": hit.entry,
            "title": str(passage.metadata.get("title", "")),
            "text": card.short if card is not None else passage.text,
            "source": str(passage.metadata.get("source", "")),
            "score": hit.score,
        }
        return Found(
            strategy, self.name, passage.text, tuple(reasons), passage.vector, card is not None
        )


def diverse(found: Sequence[Found], k: int, share: float) -> list[Found]:
    """Pick `k` of `found` by maximal marginal relevance; the best one is always picked first.

    Documents that are alike stay together: answers to one question are, and any may be right.
    """
    left = sorted(found, key=lambda each: -each.strategy["score"])
    picked: list[Found] = []

    def marginal(each: Found) -> float:
        others = [other.vector for other in picked if other.card] if each.card else []
        likeness = max((float(each.vector @ other) for other in others), default=0.0)
        return (1 - share) * each.strategy["score"] - share * likeness

    while left and len(picked) < k:
        picked.append(max(left, key=marginal))
        left.remove(picked[-1])
    return picked


def _jars(card: Card, query: Query) -> bool:
    """Tell whether a card is for a bad time and the person is glad, or the other way round.

    Words alone do not tell: "I got the job" is near to "I didn't get the job".
    """
    for felt, other in ((PLEASANT, UNPLEASANT), (UNPLEASANT, PLEASANT)):
        mass = sum(query.emotions.get(label, 0.0) for label in felt)
        if mass > _CLEARLY and other.issuperset(card.emotions):
            return True
    return False


def _agreement(card: Card, query: Query) -> float:
    return min(1.0, sum(query.emotions.get(label, 0.0) for label in card.emotions))
