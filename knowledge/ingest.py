"""Brings sources into the library: read, cleaned, cut into chunks, embedded, and indexed.

Each step is written down as soon as it is done, so a run that was killed goes on where it was.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from knowledge.cards import DEFAULT_FOLDER, CardError
from knowledge.contents import CARDS, card_passages, library_passages
from knowledge.gather import Reader, gather
from knowledge.library import Library
from knowledge.own_cards import copy_cards, load_all_cards
from knowledge.search import SearchCollection
from knowledge.sources.counsel_chat import COLLECTION as COUNSEL_CHAT_COLLECTION
from knowledge.store import IndexPlace, open_collection
from knowledge.update import IngestReport, LeftOut, Update, batches
from models.query_bank import QueryBank

__all__ = [
    "ChunkEncoder",
    "CollectionNameError",
    "IngestReport",
    "LeftOut",
    "check_name",
    "ingest",
    "open_cards",
    "remove",
]

logger = logging.getLogger(__name__)

DEFAULT_COLLECTION: Final = "documents"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{1,58}[a-z0-9]")
_BATCH: Final = 64


class CollectionNameError(ValueError):
    """A collection cannot have this name."""


class ChunkEncoder(Protocol):
    """LangChain's `Embeddings` that count tokens; should load nothing before it has to embed."""

    @property
    def id(self) -> str:
        """A stable name of the weights."""

    def count(self, text: str, /) -> int:
        """Count the tokens of `text`."""

    def embed_documents(self, texts: list[str], /) -> list[list[float]]:
        """Return one unit vector per text."""

    def embed_query(self, text: str, /) -> list[float]:
        """Return the unit vector of `text`."""


def ingest(
    sources: Sequence[str | Path],
    library: Library,
    encoder: ChunkEncoder,
    place: IndexPlace,
    *,
    bank: QueryBank | None = None,
    collection: str = "",
    licence: str = "unknown",
    counsel_chat: Path | None = None,
    shipped_cards: Path = DEFAULT_FOLDER,
    progress: bool = True,
    say: Callable[[str], None] = logger.info,
) -> IngestReport:
    """Bring the library and the indexes up to date with `sources`.

    Without sources only the index of the cards is. Sources that cannot be read are reported, and
    the rest goes on. One process ingests at a time; others wait.

    Args:
        sources: what `gather` takes.
        library: where documents are kept; cards and indexes are kept beside it.
        encoder: makes the vectors.
        place: where the indexes are kept.
        bank: the questions that correct for hubs.
        collection: where documents go. Left out: `counsel_chat` or `documents`.
        licence: of the documents that name none.
        counsel_chat: the folder of CounselChat; None: the Hugging Face hub.
        shipped_cards: the folder of the cards that come with the program.
        progress: show bars.
        say: takes a line for the user.

    Raises:
        CollectionNameError: the collection cannot have this name.
        LibraryError: the library cannot be used; what was ingested before stays.
        OSError: a card or an index cannot be written.
    """
    if collection:
        check_name(collection)
    report = IngestReport()
    with _alone(library, say):
        library.check()
        found = gather(sources, counsel_chat)
        report.problems += found.problems
        copied = copy_cards(found.cards, library.path.parent)
        report.added += copied.added
        report.updated += copied.updated
        report.unchanged += copied.unchanged
        report.problems += copied.errors

        readers: dict[str, list[Reader]] = {}
        if found.counsel_chat is not None:
            name = collection or COUNSEL_CHAT_COLLECTION
            readers.setdefault(name, []).append(found.counsel_chat)
        if found.files.roots:
            readers.setdefault(collection or DEFAULT_COLLECTION, []).append(found.files)
        for name, each in readers.items():
            Update(
                library,
                name,
                each,
                report,
                encoder_id=encoder.id,
                count=encoder.count,
                licence=licence,
            ).run(progress=progress)
        for name in readers:
            report.embedded += _embed(library, encoder, name, progress=progress)
            if library.state(name):
                passages = library_passages(library, name, encoder.id, bank)
                if not place.has(passages):
                    place.open(passages, progress=progress).close()
            else:
                place.remove(name)
        if found.cards or not sources:
            cards, errors = open_cards(
                library.path.parent,
                encoder,
                place,
                bank=bank,
                shipped=shipped_cards,
                progress=progress,
            )
            cards.index.close()
            report.problems += errors
    return report


def remove(
    library: Library,
    place: IndexPlace,
    collection: str,
    *,
    say: Callable[[str], None] = logger.info,
) -> None:
    """Remove a collection from the library and its index; waits for a running ingestion."""
    with _alone(library, say):
        library.remove_collection(collection)
        place.remove(collection)


def check_name(collection: str) -> None:
    """Check that documents may be ingested under this name.

    Raises:
        CollectionNameError: they may not.
    """
    if collection == CARDS:
        raise CollectionNameError(f"{CARDS!r} is the collection of cards; choose another name")
    if not _NAME.fullmatch(collection):
        raise CollectionNameError(
            f"{collection!r} cannot be a collection: 3 to 60 of a-z, 0-9, _ and -, with a letter "
            "or digit at both ends"
        )


def open_cards(
    data_dir: Path,
    encoder: ChunkEncoder,
    place: IndexPlace,
    *,
    bank: QueryBank | None = None,
    shipped: Path = DEFAULT_FOLDER,
    progress: bool = False,
) -> tuple[SearchCollection, list[CardError]]:
    """Open the index of the cards, brought up to date, and say which cards are left out."""
    cards, errors = load_all_cards(data_dir, shipped)
    passages = card_passages(cards, encoder, encoder.id, bank)
    return open_collection(place, passages, cards=cards, progress=progress), errors


@contextmanager
def _alone(library: Library, say: Callable[[str], None]) -> Iterator[None]:
    lock = FileLock(library.path.with_name("library.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say("Another process is changing the library; waiting until it has ended …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _embed(library: Library, encoder: ChunkEncoder, collection: str, *, progress: bool) -> int:
    """Make the vectors that are missing; each batch is kept at once."""
    missing = library.missing(encoder.id, collection)
    if not missing:
        return 0
    with tqdm(total=missing, desc="Embedding", unit=" chunks", disable=not progress) as bar:
        for batch in batches(library.missing_vectors(encoder.id, collection), _BATCH):
            vectors = encoder.embed_documents([text for _, text in batch])
            hashes = [hash for hash, _ in batch]
            arrays = [np.asarray(vector, dtype=np.float32) for vector in vectors]
            library.store_vectors(encoder.id, zip(hashes, arrays, strict=True))
            bar.update(len(batch))
    return missing
