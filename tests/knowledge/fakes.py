import re
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from knowledge.cards import Card
from knowledge.contents import Embeddings, card_passages
from knowledge.search import Found, Query, Weights
from knowledge.store import IndexPlace, Store, open_collection
from models.query_bank import QueryBank

QUERY = "I lie awake and cannot sleep"
LENIENT = Weights(
    hubness=0.4,
    continuation=0.0,
    emotion=0.1,
    intent=0.02,
    diversity=0.0,
    floor=-1.0,
    specific_floor=-1.0,
    sure=2.0,
    least_agreement=0.0,
)
"""No floor and no wish for variety; the rest is fixed, for tuning the defaults to move no test."""


class Open(Protocol):
    def __call__(
        self, cards: list[Card], encoder: str = "fake", bank: QueryBank | None = None
    ) -> Store: ...


def open_cards(
    place: IndexPlace,
    cards: list[Card],
    embeddings: Embeddings,
    encoder: str = "fake",
    bank: QueryBank | None = None,
) -> Store:
    """Open a store of cards that finds by similarity alone."""
    passages = card_passages(cards, embeddings, encoder, bank)
    return Store([open_collection(place, passages, cards=cards)], LENIENT)


def search(store: Store, text: str, k: int = 3, **query: Any) -> list[Found]:
    """Search for a text as `HashedWords` of the usual size embeds it."""
    return store.search(Query(HashedWords().embed_query(text), **query), k=k)


@dataclass
class HashedWords:
    """Deterministic bag of hashed words, which also counts what it was asked to embed."""

    pause: float = 0.0
    dimensions: int = 64
    documents: int = 0
    queries: int = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        time.sleep(self.pause)
        self.documents += len(texts)
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.queries += 1
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        vector = np.zeros(self.dimensions)
        for word in re.findall(r"[a-z0-9']+", text.lower()):
            vector[zlib.crc32(word.encode()) % self.dimensions] += 1
        length = np.linalg.norm(vector)
        return [float(value) for value in (vector / length if length else vector)]


def make_card(card_id: str, **changes: object) -> Card:
    fields: dict[str, object] = {
        "id": card_id,
        "title": f"Technique {card_id}",
        "emotions": ["anxious", "afraid"],
        "topics": ["stress"],
        "technique": "grounding",
        "situations": [f"{card_id} in the morning", f"{card_id} at work", f"{card_id} at night"],
        "steps": ["Sit down.", "Breathe out slowly.", "Look around you."],
        "short": f"You could try {card_id} for one minute.",
        "when_not": ["It makes you dizzy."],
        "source": "WHO (2020), Doing What Matters in Times of Stress",
        "evidence": "moderate",
        "body": "It may help.",
    }
    return Card.model_validate(fields | changes)


def library() -> list[Card]:
    return [
        make_card(
            "paced-breathing",
            situations=[
                "my heart is racing and I cannot breathe",
                "panic attack in the shop",
                "my chest feels tight",
            ],
            emotions=["terrified", "afraid"],
        ),
        make_card(
            "wind-down",
            situations=[
                "I lie awake every night and cannot sleep",
                "my sleep is broken",
                "tired but awake until dawn",
            ],
            emotions=["annoyed"],
        ),
        make_card(
            "small-contact",
            situations=[
                "nobody ever calls me",
                "I feel alone in this city",
                "I have no friends here",
            ],
            emotions=["lonely", "sad"],
        ),
    ]


CARD_TEXT = """\
---
id: {id}
title: Ground yourself
emotions: [anxious, afraid]
topics: [anxiety]
technique: grounding
situations:
  - My heart is racing and I can't calm down
  - Everything feels unreal
  - I keep spiralling
steps:
  - Look around and name five things.
  - Notice four things that you can feel.
  - Listen for three sounds.
short: You could slowly name five things that you can see.
when_not:
  - Looking closely makes it stronger.
source: "WHO (2020), Doing What Matters in Times of Stress: Grounding"
evidence: moderate
---
It brings attention back to the present.
"""


def write_card(folder: Path, card_id: str, old: str = "", new: str = "") -> Path:
    """Write a valid card file, with one replacement."""
    assert old in CARD_TEXT
    folder.mkdir(parents=True, exist_ok=True)
    text = CARD_TEXT.replace(old, new, 1) if old else CARD_TEXT
    path = folder / f"{card_id}.md"
    path.write_text(text.replace("{id}", card_id), encoding="utf-8")
    return path


def index_of(directory: Path) -> Path:
    (path,) = directory.glob("index-*")
    return path


def ids(found: list[Found]) -> list[str]:
    return [each.strategy["id"] for each in found]
