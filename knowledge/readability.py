"""How plain a text is: the grade level of Kincaid et al. (1975)."""

import re
from typing import Final

PLAIN_GRADE: Final = 7.0
"""The highest grade of a text that a person in distress may read."""

_SENTENCE_END = re.compile(r"""(?<=[.?!])\s+|(?<=[.?!]["')])\s+""")
_WORD = re.compile(r"[A-Za-z'-]+")
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT_END = re.compile(r"[^aeiouyl]e$|[^aeioutd]ed$|[^aeiouscxz]es$")


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, with their marks."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part]


def grade(text: str) -> float:
    """Return the Flesch-Kincaid grade level of `text` (Kincaid et al. 1975); 0 without words."""
    words = _WORD.findall(text)
    if not words:
        return 0.0
    per_sentence = len(words) / len(sentences(text))
    return 0.39 * per_sentence + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def _syllables(word: str) -> int:
    letters = re.sub(r"[^a-z]", "", word.lower())
    groups = len(_VOWELS.findall(letters))
    silent = _SILENT_END.search(letters) is not None
    return max(1, groups - int(silent and groups > 1))
