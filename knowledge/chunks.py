"""Splits documents into chunks that an encoder can read whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from knowledge.sentences import split_sentences
from knowledge.sources.document import Document

_PARAGRAPH: Final = re.compile(r"\n[^\S\n]*\n\s*")
_WORD: Final = re.compile(r"\S+\s*")
_WINDOW: Final = 64
"""Characters for each allowed token above which a text is not even counted, as it is too long."""


def split(document: Document, count: Callable[[str], int], most: int = 250) -> list[str]:
    """Split the document's text into chunks of at most `most` tokens, none of them empty.

    Along paragraphs first; one that is too long along its sentences, and a sentence that is too
    long along its words. Text that an encoder cuts off is never found, so nothing is left over;
    only a single character of more tokens than allowed still makes a chunk.

    Args:
        document: what to split.
        count: how many tokens a text has for the encoder.
        most: tokens a chunk may have.

    Raises:
        ValueError: `most` is less than 1.
    """
    if most < 1:
        raise ValueError("a chunk needs at least one token")
    paragraphs = [each.strip() for each in _PARAGRAPH.split(document.text)]
    return list(_pack([each for each in paragraphs if each], "\n\n", count, most, _by_sentences))


_Splitter = Callable[[str, Callable[[str], int], int], Iterable[str]]


def _pack(
    pieces: Iterable[str],
    glue: str,
    count: Callable[[str], int],
    most: int,
    split_piece: _Splitter,
) -> Iterator[str]:
    """Join neighbours while they fit; a piece that does not fit alone is split further."""
    chunk = ""
    for piece in pieces:
        joined = f"{chunk}{glue}{piece}" if chunk else piece
        if _fits(joined, count, most):
            chunk = joined
            continue
        if chunk:
            yield chunk
        if _fits(piece, count, most):
            chunk = piece
        else:
            chunk = ""
            yield from split_piece(piece, count, most)
    if chunk:
        yield chunk


def _fits(text: str, count: Callable[[str], int], most: int) -> bool:
    return len(text) <= most * _WINDOW and count(text) <= most


def _by_sentences(text: str, count: Callable[[str], int], most: int) -> Iterator[str]:
    sentences = (each.strip() for each in split_sentences(text))
    yield from _pack((each for each in sentences if each), " ", count, most, _by_words)


def _by_words(text: str, count: Callable[[str], int], most: int) -> Iterator[str]:
    yield from _pack((word.strip() for word in _WORD.findall(text)), " ", count, most, _by_letters)


def _by_letters(text: str, count: Callable[[str], int], most: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        fits, too_long = 1, min(len(text) - start, most * _WINDOW) + 1
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if count(text[start : start + middle]) <= most:
                fits = middle
            else:
                too_long = middle
        yield text[start : start + fits]
        start += fits
