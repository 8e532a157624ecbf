"""What all formats share: what a file really is, its encoding, and tidy text."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from knowledge.sources.document import Document, SourceProblem

Found = Iterator[Document | SourceProblem]

_PIECE: Final = 1 << 16
_SAMPLE: Final = 1 << 18
_MAX_CHAOS: Final = 0.1
"""Share of messy characters up to which a guessed encoding is believed."""
_MIN_WORDLIKE: Final = 0.9
_MAX_LABEL: Final = 300

_BOMS: Final = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC: Final = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"{\\rtf", "a rich text document (RTF)"),
    (b"\x7fELF", "a program"),
    (b"PAR1", "a Parquet table"),
    (b"%!PS", "a PostScript file"),
)
_INVISIBLE: Final = re.compile(
    # Controls, zero-width and direction marks hide text from the person who checks a source;
    # lone surrogates, which JSON can bring in, cannot be stored.
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    r"\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACES: Final = re.compile(r"[^\S\n]+")
_BLANK_LINES: Final = re.compile(r" ?\n ?(?:\n ?)+")


class UnreadableText(ValueError):
    """A file's bytes are no text that can be told; the message has nothing of its content."""


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and what its documents have in common."""

    path: Path
    name: str
    """Its name within the source, which its documents' ids begin with."""
    collection: str
    licence: str

    def document(
        self,
        text: str,
        *,
        part: str = "",
        title: str = "",
        source: str = "",
        licence: str = "",
        topics: tuple[str, ...] = (),
        own_id: str = "",
    ) -> Document:
        """Make a document of this file; `own_id` takes the place of the name and part."""
        return Document(
            id=f"{self.collection}/{label(own_id) or self.name + part}",
            collection=self.collection,
            title=label(title),
            text=text,
            source=label(source) or self.name,
            licence=label(licence) or self.licence,
            topics=tuple(each for topic in topics if (each := label(topic))),
        )

    def problem(self, problem: str, line: int = 0) -> SourceProblem:
        """Make a problem of this file."""
        return SourceProblem(self.path, problem, line)


def label(text: str) -> str:
    """Return the text on one line, cut to a length fit for titles and ids."""
    return " ".join(_INVISIBLE.sub("", text).split())[:_MAX_LABEL].strip()


def tidy(text: str) -> str:
    """Return the text without invisible characters, odd spaces and surplus blank lines."""
    text = html.unescape(text) if "&" in text else text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    text = _INVISIBLE.sub("", text.replace("\u2028", "\n").replace("\u2029", "\n\n"))
    text = _SPACES.sub(" ", text)
    return _BLANK_LINES.sub("\n\n", text.replace(" \n", "\n").replace("\n ", "\n")).strip()


def not_readable(head: bytes) -> str:
    """Name what a file's first bytes show it to be, when that is nothing we read."""
    return next((what for magic, what in _MAGIC if head.startswith(magic)), "")


def open_text(path: Path) -> IO[str]:
    """Open a text file in the encoding that its bytes are found to have.

    Raises:
        UnreadableText: it holds NUL bytes, or no encoding is certain enough.
        OSError: it cannot be read.
    """
    return path.open(encoding=_encoding(path), newline="")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    try:
        _check(path, encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise UnreadableText(f"is damaged: not the {encoding} that it begins as") from None
        encoding = _guess(path)
        try:
            _check(path, encoding)
        except UnicodeDecodeError:
            raise UnreadableText("is in no encoding that can be told; save it as UTF-8") from None
    return encoding


def _check(path: Path, encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if "\0" in decoder.decode(piece):
                raise UnreadableText("is not a text: it holds NUL bytes")
    decoder.decode(b"", final=True)


def _guess(path: Path) -> str:
    from charset_normalizer import from_bytes

    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    if b"\0" in sample:
        raise UnreadableText("is not a text: it holds NUL bytes")
    guesses = list(from_bytes(sample))
    best = guesses[0] if guesses else None
    # Between equals the commonest one of the web wins (WHATWG Encoding Standard).
    for guess in guesses:
        if guess.encoding == "cp1252" and best is not None and guess.chaos <= best.chaos:
            best = guess if guess.coherence >= best.coherence else best
    if best is None or best.chaos > _MAX_CHAOS or _wordlike(str(best)) < _MIN_WORDLIKE:
        raise UnreadableText("is in no encoding that can be told; save it as UTF-8")
    return best.encoding


def _wordlike(text: str) -> float:
    good = sum(char.isalnum() or char.isspace() or char in "'\".,;:!?()-’“”–" for char in text)
    return good / max(len(text), 1)
