"""What the retrieval suite measures: our search whole, and with its parts switched off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from evaluation.parts import IN_USE
from evaluation.retrieval_baselines import Embed, KeptEmbeddings, langchain_embeddings
from evaluation.retrieval_metrics import DEPTH
from graph.settings import Settings
from knowledge.index.passages import Passages
from knowledge.ingest import ChunkEncoder
from knowledge.search import DEFAULT_WEIGHTS, Query, Weights
from knowledge.store import Store
from models.encoder import load_encoder
from models.lazy_encoder import LazyEncoder
from models.query_bank import QueryBank

BM25: Final = "BM25"
LANGCHAIN: Final = "plain encoder + Chroma by LangChain"
PLAIN: Final = "without the retrieval adapter"
NO_HUBS: Final = "without the correction for hubs"
EQUAL: Final = "later passages weighing as much"
NEITHER: Final = "without both of these"
NOTHING: Final = "without all three"

MEASURING: Final = replace(DEFAULT_WEIGHTS, floor=-1.0)
"""The weights in use, but nothing that was found is hidden."""

VARIANTS: Final[dict[str, tuple[bool, Weights]]] = {
    IN_USE: (True, MEASURING),
    PLAIN: (False, MEASURING),
    NO_HUBS: (True, replace(MEASURING, hubness=0.0)),
    EQUAL: (True, replace(MEASURING, continuation=0.0)),
    NEITHER: (True, replace(MEASURING, hubness=0.0, continuation=0.0)),
    NOTHING: (False, replace(MEASURING, hubness=0.0, continuation=0.0)),
}
"""Whether the retrieval adapter is used, and the weights, by name."""


@dataclass(frozen=True)
class RetrievalEncoders:
    """The encoder as search uses it, without its adapter, and as LangChain runs it."""

    plain: ChunkEncoder
    adapted: ChunkEncoder
    """The plain one where no adapter was trained for it."""
    bank: QueryBank | None
    """The questions by which hubs are known, as vectors of `adapted`."""
    langchain: Embed
    """LangChain's embeddings of the plain encoder."""

    @property
    def has_adapter(self) -> bool:
        """Whether the two differ."""
        return self.adapted.id != self.plain.id


@dataclass(frozen=True)
class Side:
    """One encoder, with the questions by which hubs are known to it."""

    embeddings: KeptEmbeddings
    bank: QueryBank | None

    @classmethod
    def untrained(cls, embeddings: KeptEmbeddings, questions: Sequence[str]) -> Side:
        """Give an encoder its own bank; another encoder's vectors do not tell its hubs."""
        vectors = embeddings.embed_documents(list(questions))
        name = f"{embeddings.id} {len(vectors)}"
        return cls(embeddings, QueryBank(np.asarray(vectors, dtype=np.float32), name))

    def passages(self, source: Passages) -> Passages:
        """Return the same passages with vectors of this encoder."""
        if source.encoder_id == self.embeddings.id:
            return source
        # All at once, in batches of like lengths, and with one bar.
        self.embeddings.embed_documents(list(source.texts.values()))

        def vectors(ids: Sequence[str]) -> list[list[float]]:
            return self.embeddings.embed_documents([source.texts[each] for each in ids])

        id = self.embeddings.id
        return replace(source, encoder_id=id, bank=self.bank, vectors=vectors)


@dataclass(frozen=True)
class OurSearch:
    """Our store, asked as the graph asks it."""

    store: Store
    embeddings: KeptEmbeddings

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the ids of the best documents for each text."""
        vectors = self.embeddings.embed_documents(list(texts))
        found = [self.store.search(Query(each), k=DEPTH) for each in vectors]
        return [[each.strategy["id"] for each in some] for some in found]


def load_retrieval_encoders(settings: Settings) -> RetrievalEncoders:
    """Return the encoders that `settings` ask for; each is loaded when it has to embed.

    Raises:
        WeightsError: the adapter or the bank of questions is missing or damaged.
    """
    from graph.retrieval import Retrieval

    device = None if settings.device == "auto" else settings.device
    found = Retrieval.of(settings)
    return RetrievalEncoders(
        plain=LazyEncoder(settings.encoder, load=lambda name: load_encoder(name, device=device)),
        adapted=found.encoder,
        bank=found.bank,
        langchain=langchain_embeddings(settings.encoder, device),
    )
