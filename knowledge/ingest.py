"""Adding cards of one's own, and bringing the index up to date."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knowledge.cards import DEFAULT_FOLDER, Card, CardError, load_card, load_valid_cards
from knowledge.index import Embeddings
from knowledge.store import StoreStats, StrategyStore

OWN_FOLDER: Final = "cards"


@dataclass(frozen=True)
class IngestReport:
    """What became of the sources; cards are named by id."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    errors: tuple[CardError, ...] = ()
    stats: StoreStats | None = None
    """The index afterwards; None when only the files were copied."""


def ingest_strategies(
    sources: Sequence[Path],
    data_dir: Path,
    directory: Path,
    embeddings: Embeddings,
    encoder_id: str,
    *,
    progress: bool = True,
) -> IngestReport:
    """Copy the cards of `sources` to the own ones and bring the index in `directory` up to date.

    Without sources it only brings the index up to date.
    """
    copied = copy_cards(sources, data_dir)
    cards, errors = load_library(data_dir)
    store = StrategyStore.open(directory, cards, embeddings, encoder_id, progress=progress)
    try:
        return IngestReport(
            added=copied.added,
            updated=copied.updated,
            unchanged=copied.unchanged,
            errors=(*copied.errors, *errors),
            stats=store.stats(),
        )
    finally:
        store.close()


def load_library(data_dir: Path) -> tuple[list[Card], list[CardError]]:
    """Read our cards and the own ones in `data_dir`, which win where the id is the same."""
    own = data_dir / OWN_FOLDER
    return load_valid_cards(DEFAULT_FOLDER, *([own] if own.is_dir() else []))


def copy_cards(sources: Sequence[Path], data_dir: Path) -> IngestReport:
    """Check the cards of `sources` (files, or folders with what is below) and keep a copy.

    A source that cannot be used is reported, and the rest goes on.

    Raises:
        OSError: the copy cannot be written.
    """
    folder = data_dir / OWN_FOLDER
    seen: dict[str, Path] = {}
    done: dict[str, list[str]] = {"added": [], "updated": [], "unchanged": []}
    errors: list[CardError] = []
    for path in dict.fromkeys(path for source in sources for path in _files(source)):
        try:
            card = _readable_card(path)
            earlier = seen.setdefault(card.id, path)
            if earlier != path:
                raise CardError(path, f"is already the id of {earlier}", field="id")
            done[_keep(path, folder / f"{card.id}.md")].append(card.id)
        except CardError as exc:
            errors.append(exc)
    return IngestReport(
        added=tuple(done["added"]),
        updated=tuple(done["updated"]),
        unchanged=tuple(done["unchanged"]),
        errors=tuple(errors),
    )


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for path in sorted(source.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if path.is_file() and not hidden:
            yield path


def _readable_card(path: Path) -> Card:
    if not path.exists():
        raise CardError(path, "does not exist")
    if path.suffix.lower() != ".md":
        raise CardError(path, "only Markdown cards (.md) are read so far")
    return load_card(path)


def _keep(path: Path, target: Path) -> str:
    """Copy `path` to `target` in one step; say whether that was new."""
    content = path.read_bytes()
    existed = target.exists()
    if existed and target.read_bytes() == content:
        return "unchanged"
    target.parent.mkdir(parents=True, exist_ok=True)
    # The hidden draft is never read as a card, even when a kill leaves it behind.
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as draft:
            draft.write(content)
        Path(name).replace(target)
    except BaseException:  # Ctrl-C too must leave nothing half-made behind.
        with suppress(OSError):
            Path(name).unlink()
        raise
    return "updated" if existed else "added"
