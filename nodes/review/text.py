"""Folding of text, so that one spelling of a pattern meets every way to type it."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_STRAIGHT: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ`´′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        # Invisible characters split a word for a pattern but not for a reader.
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None),
    }
)
_EMPHASIS: Final = re.compile(r"(?<![\w*])[*_~]{1,3}(?=\S)|(?<=\S)[*_~]{1,3}(?![\w*])")
_MARKS: Final = frozenset("*_~")
_BREAK: Final = re.compile(r"(?<=[.!?])[\"')]*\s")
_QUOTE: Final = re.compile(r'"[^"]{1,200}"')
_COMMON: Final = frozenset(
    ["the", "and", "for", "from", "some", "glass", "bottle", "yourself", "disorder"]
)
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def fold(text: str) -> str:
    """Return `text` in lower case, NFKC, with straight quotes, single spaces and no emphasis."""
    folded = unicodedata.normalize("NFKC", text).translate(_STRAIGHT).lower()
    if not _MARKS.isdisjoint(folded):
        folded = _EMPHASIS.sub("", folded)
    return " ".join(folded.split())


def without_quotes(folded: str) -> str:
    """Blank the words quoted inside a longer sentence; a sentence that is all quote stays.

    A reply may suggest words to say to somebody, or repeat a saying that hurt.
    """
    if '"' not in folded:
        return folded
    rest = _QUOTE.sub('""', folded)
    return rest if len(_WORD.findall(rest)) >= 3 else folded


def words(text: str) -> tuple[str, ...]:
    """Return the words of `text`, folded."""
    return words_of(fold(text))


def words_of(folded: str) -> tuple[str, ...]:
    """Return the words of a text that has been folded already."""
    return tuple(_WORD.findall(folded))


def sentences_of(folded: str) -> list[tuple[str, ...]]:
    """Return the words of each sentence of a folded text, split roughly but fast."""
    return [words_of(part) for part in _BREAK.split(folded)]


def stems(text_words: Iterable[str]) -> frozenset[str]:
    """Crude stems that tell whether two texts share a word: "pills" and "pill", "depressed"."""
    return frozenset(
        word.removesuffix("s")[:6] for word in text_words if len(word) > 2 and word not in _COMMON
    )


def contains_run(haystack: tuple[str, ...], needle: tuple[str, ...]) -> bool:
    """Whether the words `needle` stand one after the other in `haystack`."""
    return bool(needle) and f" {' '.join(needle)} " in f" {' '.join(haystack)} "
