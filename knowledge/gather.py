"""Finds what there is to ingest: cards, files of documents, and public collections."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from knowledge.own_cards import is_card
from knowledge.sources import Document, SourceProblem, read_source
from knowledge.sources.counsel_chat import read_counsel_chat

COUNSEL_CHAT: Final = "counsel-chat"
"""The word that stands for the collection of Bertagnolli (2020), and its documents' origin."""

Item = tuple[str, Document | SourceProblem]
"""A document or problem, after the origin that it is of."""


class Reader(Protocol):
    """Reads the documents of one or more origins."""

    def read(self, collection: str, licence: str) -> Iterator[Item]:
        """Yield each document, and what had to be left out."""

    def covers(self, origin: str) -> bool:
        """Tell whether `read` would yield all there is of this origin."""


@dataclass(frozen=True)
class CounselChatReader:
    """Reads CounselChat from a folder, or from the Hugging Face hub."""

    folder: Path | None

    def read(self, collection: str, licence: str) -> Iterator[Item]:
        """Yield each answer; the collection has a licence of its own."""
        for item in read_counsel_chat(self.folder):
            if isinstance(item, Document) and item.collection != collection:
                own = item.id.removeprefix(f"{item.collection}/")
                item = replace(item, id=f"{collection}/{own}", collection=collection)
            yield COUNSEL_CHAT, item

    def covers(self, origin: str) -> bool:
        """Tell whether the origin is CounselChat, wherever it was read from."""
        return origin == COUNSEL_CHAT


@dataclass
class FileReader:
    """Reads files, in the order of their names."""

    files: dict[Path, str] = field(default_factory=dict)
    """The name that ids begin with, by resolved path."""
    roots: list[Path] = field(default_factory=list)
    """The sources, resolved."""
    unread: list[Path] = field(default_factory=list)
    """Folders below them that could not be looked into."""

    def read(self, collection: str, licence: str) -> Iterator[Item]:
        """Yield the documents of each file; the licence is for those that name none."""
        for path, name in self.files.items():
            for item in read_source(path, collection=collection, licence=licence, name=name):
                yield origin_of(path), item

    def covers(self, origin: str) -> bool:
        """Tell whether a file is one of the sources, or in one of them, there or not."""
        return _within(origin, self.roots) and not _within(origin, self.unread)


@dataclass
class Gathered:
    """What the sources hold."""

    cards: list[Path] = field(default_factory=list)
    files: FileReader = field(default_factory=FileReader)
    counsel_chat: CounselChatReader | None = None
    problems: list[SourceProblem] = field(default_factory=list)


def gather(sources: Sequence[str | Path], counsel_chat: Path | None = None) -> Gathered:
    """Walk the sources, without reading more of a file than tells a card.

    Args:
        sources: files, folders, and the word `counsel-chat` (a folder of that name is
            `./counsel-chat`). A folder that holds `answers.jsonl` is CounselChat too.
        counsel_chat: the folder that the word stands for; None: the Hugging Face hub.
    """
    found = Gathered()
    for source in sources:
        if source == COUNSEL_CHAT:
            found.counsel_chat = CounselChatReader(counsel_chat)
            continue
        root = Path(source)
        if root.is_dir() and _is_counsel_chat(root):
            found.counsel_chat = CounselChatReader(root)
            continue
        if not root.exists():
            found.problems.append(SourceProblem(root, "does not exist"))
            continue
        found.files.roots.append(root.resolve())
        for path, name in _walk(root, found):
            if is_card(path):
                found.cards.append(path)
            else:
                found.files.files.setdefault(path.resolve(), name)
    return found


def origin_of(path: Path) -> str:
    """Return the origin of a file's documents."""
    # A name that is not UTF-8 could not be stored.
    return os.fsencode(path).decode(errors="replace")


def _is_counsel_chat(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("answers.jsonl", "answers.jsonl.gz"))


def _walk(root: Path, found: Gathered) -> Iterator[tuple[Path, str]]:
    """Yield the files of a source, sorted, with their names within it."""
    if not root.is_dir():
        yield root, root.name
        return

    def refuse(error: OSError) -> None:
        folder = Path(error.filename or root)
        found.files.unread.append(folder.resolve())
        problem = f"cannot be looked into: {error.strerror or type(error).__name__}"
        found.problems.append(SourceProblem(folder, problem))

    paths: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(folder) / name for name in names if not name.startswith(".")]
    for path in sorted(paths):
        if path.is_file():
            yield path, origin_of(path.relative_to(root)).replace(os.sep, "/")


def _within(origin: str, folders: Sequence[Path]) -> bool:
    return any(
        origin == (folder := origin_of(each)) or origin.startswith(folder.rstrip(os.sep) + os.sep)
        for each in folders
    )
