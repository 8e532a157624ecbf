"""Splits a text into sentences without losing a character."""

from __future__ import annotations

import re
from typing import Final

_END: Final = re.compile(
    r"""
      (?P<mark>[.!?…。！？]+)["'”’»)\]*_]*(?:\s+|\Z|(?<=[。！？]))
    | (?:https?://|www\.)\S*[^\s,;:]\s+(?=["“]?[A-Z])
    | [^\S\n]*\n\s*\n\s*
    | [^\S\n]*\n\s*(?=(?:[-*•·–▪◦]|\(?\d{1,2}[.)])\s)
    """,
    re.VERBOSE,
)
_LAST_WORD: Final = re.compile(r"[^\s(\[\"“‘']*\Z")
_ABBREVIATION: Final = re.compile(
    r"(?:dr|mr|mrs|ms|mx|prof|st|rev|hon|vs|e\.?g|i\.?e|cf|approx|nr|fig|vol|dept|est|ext|"
    r"(?-i:[A-HJ-Z])|(?:[a-z]\.)+[a-z]|ph\.?d|psy\.?d)\Z",
    re.IGNORECASE,
)
_LIST_MARK: Final = re.compile(r"\s*\(?(?:\d{1,2}|[A-Za-z])\Z")
_LOOK_BACK: Final = 24
_ADDRESS: Final = re.compile(r"https?://|www\.")


def split_sentences(text: str) -> list[str]:
    """Return the sentences with the white space after them: joined, they are the text again."""
    sentences = []
    start = 0
    for match in _END.finditer(text):
        if match["mark"] is None or _is_end(text, start, match):
            sentences.append(text[start : match.end()])
            start = match.end()
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    if match.end() == len(text):
        return True
    following = text[match.end()]
    if "\n\n" in match[0] or _ADDRESS.match(text, match.end()):
        return True
    if match["mark"] != ".":
        # "Why me?" she asked. And: three dots in the middle of a sentence ...
        return not following.islower()
    before = text[max(start, match.start() - _LOOK_BACK) : match.start()]
    if match.start() - start < 4 and _LIST_MARK.match(before):
        return False
    word = _LAST_WORD.search(before)
    return not following.islower() and not (word and _ABBREVIATION.match(word[0]))
