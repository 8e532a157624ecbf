"""Makes the documents of one collection what its sources now say."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from tqdm import tqdm

from knowledge.cards import CardError
from knowledge.chunks import split
from knowledge.cleaning.advice import AdviceFault, harmful_advice
from knowledge.cleaning.personal_data import remove_personal_data
from knowledge.gather import Reader, origin_of
from knowledge.library import Library
from knowledge.sources import Document, SourceProblem

_TRANSACTION: Final = 200
_PUNCTUATION: Final = re.compile(
    r"[\s!-/:-@\[-`{-~\u00a1\u00ab\u00b7\u00bb\u00bf\u2010-\u205e\u3000-\u303f]+"
)

T = TypeVar("T")


@dataclass(frozen=True)
class LeftOut:
    """A document that is not offered to anybody, and why."""

    id: str
    faults: tuple[AdviceFault, ...]


@dataclass
class IngestReport:
    """What became of the sources; documents and cards are named by id."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """Those that were kept before and are not any more."""
    duplicates: list[str] = field(default_factory=list)
    """Those that say the same as one before them; letter case and punctuation do not count."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Those with harmful advice."""
    empty: list[str] = field(default_factory=list)
    """Those of which nothing is left without personal data."""
    personal_data: Counter[str] = field(default_factory=Counter)
    """How much of each kind was removed from the documents that were added or updated."""
    embedded: int = 0
    """How many chunks got a vector."""
    problems: list[SourceProblem | CardError] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        names = ("added", "updated", "unchanged", "removed", "duplicates", "empty", "embedded")
        return {name: getattr(self, name) for name in names} | {
            "left_out": [
                {"id": each.id, "faults": [{"name": f.name, "why": f.why} for f in each.faults]}
                for each in self.left_out
            ],
            "personal_data": dict(self.personal_data.most_common()),
            "problems": [
                {"path": origin_of(each.path), "line": each.line, "problem": _what(each)}
                for each in self.problems
            ],
        }


def _what(problem: SourceProblem | CardError) -> str:
    field_name = getattr(problem, "field", "")
    return f"{field_name}: {problem.problem}" if field_name else problem.problem


class _Known(NamedTuple):
    """A document that the library holds."""

    hash: str
    origin: str
    position: int
    fingerprint: str


class _New(NamedTuple):
    """A document to write, in the order of `Library.put`."""

    document: Document
    hash: str
    chunks: Sequence[str]
    origin: str
    position: int


class Update:
    """One run over the sources of a collection."""

    def __init__(
        self,
        library: Library,
        collection: str,
        readers: Sequence[Reader],
        report: IngestReport,
        *,
        encoder_id: str,
        count: Callable[[str], int],
        licence: str,
    ) -> None:
        self._library, self._collection, self._readers = library, collection, readers
        self._report, self._licence = report, licence
        self._encoder_id, self._count = encoder_id, count
        self._known: dict[str, _Known] = {}
        self._first: dict[str, str] = {}
        """The id of the document that says something first, by fingerprint."""
        self._read: set[str] = set()
        """Fingerprints, before cleaning, of the documents that are kept."""
        self._visited: dict[str, str] = {}
        """The origin of each document that was read, by id."""
        self._kept: set[str] = set()
        self._moved: list[tuple[str, int]] = []
        """Unchanged documents that stand elsewhere in their origin now."""
        self._unsure: set[str] = set()
        """Origins that could not be read to their end."""

    def run(self, *, progress: bool) -> None:
        """Write what is new, and remove what is gone from its origin."""
        for entry in self._library.entries(self._collection):
            print_ = fingerprint(entry.document.text)
            self._known[entry.document.id] = _Known(
                entry.hash, entry.origin, entry.position, print_
            )
            if not self._covered(entry.origin):
                self._first.setdefault(print_, entry.document.id)
        with tqdm(desc="Reading", unit=" documents", disable=not progress) as bar:
            for batch in batches(self._changed(bar), _TRANSACTION):
                with self._library.transaction():
                    for new in batch:
                        self._library.put(*new)
                for new in batch:
                    known = new.document.id in self._known
                    (self._report.updated if known else self._report.added).append(new.document.id)
        gone = [each for each, known in self._known.items() if self._is_gone(each, known)]
        with self._library.transaction():
            self._library.place(self._moved)
            self._library.delete(gone)
            self._library.prune()
        self._report.removed += gone

    def _changed(self, bar: Any) -> Iterator[_New]:
        """Read all documents and yield those that have to be written."""
        positions: Counter[str] = Counter()
        for reader in self._readers:
            for origin, item in reader.read(self._collection, self._licence):
                if isinstance(item, SourceProblem):
                    self._report.problems.append(item)
                    if not item.line:
                        self._unsure.add(origin)
                    continue
                bar.update()
                position = positions[origin]
                positions[origin] += 1
                document = self._with_free_id(_storable(item), origin)
                if document is None:
                    problem = f"has two documents with the id {item.id}; the later is left out"
                    self._report.problems.append(SourceProblem(Path(origin), problem))
                    continue
                self._visited[document.id] = origin
                # Most duplicates are so before cleaning, which takes a while, changes them.
                if (print_ := fingerprint(document.text)) in self._read:
                    self._report.duplicates.append(document.id)
                    continue
                hash = document_hash(document, self._encoder_id)
                known = self._known.get(document.id)
                if known is not None and (known.hash, known.origin) == (hash, origin):
                    if self._is_first(document.id, known.fingerprint):
                        self._keep(document.id, print_)
                        self._report.unchanged.append(document.id)
                        if known.position != position:
                            self._moved.append((document.id, position))
                elif (cleaned := self._clean(document)) is not None:
                    self._keep(document.id, print_)
                    document, chunks = cleaned
                    yield _New(document, hash, chunks, origin, position)

    def _clean(self, document: Document) -> tuple[Document, list[str]] | None:
        text, removed = remove_personal_data(document.text)
        title, in_title = remove_personal_data(document.title)
        if faults := harmful_advice(text):
            self._report.left_out.append(LeftOut(document.id, tuple(faults)))
            return None
        if not text.strip():
            self._report.empty.append(document.id)
            return None
        if not self._is_first(document.id, fingerprint(text)):
            return None
        self._report.personal_data += removed + in_title
        cleaned = replace(document, title=title, text=text)
        return cleaned, split(cleaned, self._count)

    def _keep(self, id: str, print_: str) -> None:
        self._kept.add(id)
        self._read.add(print_)

    def _is_first(self, id: str, print_: str) -> bool:
        if self._first.setdefault(print_, id) == id:
            return True
        self._report.duplicates.append(id)
        return False

    def _with_free_id(self, document: Document, origin: str) -> Document | None:
        """Add the file's name to an id that a document of another origin has; None: no way."""
        own = document.id.removeprefix(f"{self._collection}/")
        named = f"{self._collection}/{Path(origin).name}/{own}"
        for id in (document.id, named):
            if id not in self._visited and not self._is_elsewhere(id):
                return replace(document, id=id)
            if self._visited.get(id) == origin:
                return None
        return None

    def _is_elsewhere(self, id: str) -> bool:
        known = self._known.get(id)
        # A file that was moved takes its documents along.
        return known is not None and not self._covered(known.origin) and Path(known.origin).exists()

    def _is_gone(self, id: str, known: _Known) -> bool:
        if id in self._kept:
            return False
        # What could not be read now may be there again the next time.
        return id in self._visited or (
            self._covered(known.origin) and known.origin not in self._unsure
        )

    def _covered(self, origin: str) -> bool:
        return any(reader.covers(origin) for reader in self._readers)


def fingerprint(text: str) -> str:
    """Return the same for texts that differ in letter case, spaces and punctuation alone."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _PUNCTUATION.sub(" ", folded).strip()
    return hashlib.sha256((words or folded).encode()).hexdigest()


def document_hash(document: Document, encoder_id: str) -> str:
    """Return the SHA-256 of a document as its source has it, and of what is done to it."""
    content = json.dumps([_rules_digest(), encoder_id, *vars(document).values()])
    return hashlib.sha256(content.encode()).hexdigest()


@cache
def _rules_digest() -> str:
    """Return the SHA-256 of the files that say how documents are cleaned and cut."""
    here = Path(__file__).parent
    cleaning = [path for path in (here / "cleaning").iterdir() if path.suffix in {".py", ".toml"}]
    digest = hashlib.sha256()
    for path in [here / "chunks.py", here / "sentences.py", *sorted(cleaning)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`; the last may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _storable(document: Document) -> Document:
    """Replace lone surrogates, which JSON can bring in and no file can hold."""
    try:
        "".join([document.id, document.title, document.text, document.source]).encode()
    except UnicodeEncodeError:
        fields = {
            name: getattr(document, name).encode(errors="replace").decode()
            for name in ("id", "title", "text", "source", "licence")
        }
        return replace(document, **fields)
    return document
