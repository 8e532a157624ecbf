"""How well search finds what was written for a question: CounselChat (Bertagnolli 2020).

Documents are therapists' answers alone, as ingestion keeps them; queries are the held-out
questions. An answer that was given to the very question is relevant. The measure is strict: an
answer to a question that is much like it counts as wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tqdm import tqdm

from evaluation.parts import IN_USE
from evaluation.retrieval_baselines import KeptEmbeddings, bm25, kept, langchain_chroma
from evaluation.retrieval_cards import leave_one_out
from evaluation.retrieval_data import Asked, Benchmark, load_benchmark
from evaluation.retrieval_metrics import Ranked, Search, figures
from evaluation.retrieval_parts import (
    BM25,
    LANGCHAIN,
    MEASURING,
    NO_HUBS,
    PLAIN,
    VARIANTS,
    OurSearch,
    RetrievalEncoders,
    Side,
)
from evaluation.retrieval_speed import SIZES, search_times
from knowledge.cards import Card
from knowledge.search import DEFAULT_WEIGHTS
from knowledge.store import IndexPlace, Store, open_collection

WHOLE: Final = "title and text"
TEXT: Final = "text only"
NEITHER_ON_CARDS: Final = "without both"
UNSEEN: Final = "title and text, answers unseen in training"


def evaluate_retrieval(
    encoders: RetrievalEncoders,
    data: Path,
    cache: Path,
    cards: Sequence[Card],
    *,
    sizes: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """Measure our search, with its parts switched off too, beside BM25 and LangChain's defaults.

    Args:
        encoders: with and without the retrieval adapter.
        data: folder of the training data.
        cache: folder for vectors.
        cards: the coping cards.
        sizes: of the collections in which search is timed.

    Returns:
        Figures for each way to ask and each system, the check of the cards, the times, and what
        was counted. No text of anybody is in it.

    Raises:
        DataError: the data is missing, or no held-out question has an answer.
    """
    adapted = Side(kept(encoders.adapted, cache), encoders.bank)
    with TemporaryDirectory(prefix="empathy-retrieval-") as folder, ExitStack() as opened:
        place = IndexPlace(Path(folder) / "index")
        benchmark = load_benchmark(data, adapted.embeddings, adapted.bank, place)
        plain = _plain_side(encoders, adapted, benchmark, cache)
        own = KeptEmbeddings(f"LangChain {encoders.plain.id}", encoders.langchain, cache)
        systems: dict[str, Search] = {
            BM25: bm25(benchmark.documents),
            LANGCHAIN: opened.enter_context(langchain_chroma(benchmark.documents, own)),
        }
        stores = {
            id: opened.enter_context(
                Store([open_collection(place, side.passages(benchmark.passages))])
            )
            for id, side in {each.embeddings.id: each for each in (adapted, plain)}.items()
        }
        for name, (with_adapter, weights) in VARIANTS.items():
            embeddings = (adapted if with_adapter else plain).embeddings
            store = replace(stores[embeddings.id], weights=weights)
            systems[name] = OurSearch(store, embeddings)
        compared = _compare(benchmark, systems)
    return {
        "questions": benchmark.counts,
        "documents": len(benchmark.documents),
        "passages": len(benchmark.passages.texts),
        "encoder": encoders.adapted.id,
        "floor": MEASURING.floor,
        "figures": compared,
        "cards": _cards(cards, adapted, plain),
        "speed": search_times(sizes),
        "notes": _notes(encoders, benchmark),
    }


def _plain_side(
    encoders: RetrievalEncoders, adapted: Side, benchmark: Benchmark, cache: Path
) -> Side:
    if not encoders.has_adapter:
        return adapted
    embeddings = kept(encoders.plain, cache)
    if encoders.bank is None:
        return Side(embeddings, None)
    return Side.untrained(embeddings, benchmark.trained)


def _compare(benchmark: Benchmark, systems: Mapping[str, Search]) -> dict[str, Any]:
    asked = benchmark.asked
    ways: dict[str, tuple[list[Asked], list[str]]] = {}
    for way, some in (
        (WHOLE, asked),
        (TEXT, [each for each in asked if each.text.strip()]),
        (UNSEEN, [each for each in asked if not each.seen]),
    ):
        texts = [each.text if way == TEXT else each.whole for each in some]
        if some:
            ways[way] = (list(some), texts)
    report: dict[str, Any] = {
        way: {"questions": len(some), "systems": {}} for way, (some, _) in ways.items()
    }
    total = len(ways) * len(systems)
    with tqdm(total=total, desc="searching", disable=not sys.stderr.isatty()) as bar:
        for name, search in systems.items():
            for way, (some, texts) in ways.items():
                found = zip(search(texts), some, strict=True)
                ranked = [Ranked(ids, each.relevant, benchmark.about(each)) for ids, each in found]
                report[way]["systems"][name] = figures(ranked)
                bar.update()
    return report


def _cards(cards: Sequence[Card], adapted: Side, plain: Side) -> dict[str, Any]:
    rows = {
        name: leave_one_out(cards, side.embeddings, side.embeddings.id, side.bank, hubness)
        for name, side, hubness in (
            (IN_USE, adapted, DEFAULT_WEIGHTS.hubness),
            (NO_HUBS, adapted, 0.0),
            (PLAIN, plain, DEFAULT_WEIGHTS.hubness),
            (NEITHER_ON_CARDS, plain, 0.0),
        )
    }
    situations = sum(len(card.situations) for card in cards)
    return {"cards": len(cards), "situations": situations, "systems": rows}


def _notes(encoders: RetrievalEncoders, benchmark: Benchmark) -> list[str]:
    """Say what a reader of the figures must know."""
    counts = benchmark.counts
    notes = [
        f"Similarities have no floor here (-1; in use {DEFAULT_WEIGHTS.floor:g}), so that none of "
        "the results is hidden. Emotions and intents play no part.",
        f"{counts['without_answers']} of {counts['held_out']} held-out questions are not counted: "
        "ingestion left out all of their answers.",
        f"{counts['seen']} held-out questions share an answer, word for word, with a question that "
        "was trained on; the third table is without them.",
        "Cards: a self-consistency check, each situation against all others; there are no labels.",
        "Speed: a search with a vector that is given, in collections of random unit vectors.",
    ]
    if not encoders.has_adapter:
        notes.append("There is no retrieval adapter for this encoder: with and without it is one.")
    if encoders.bank is None:
        notes.append("There is no bank of questions: hubs are not corrected.")
    return notes
