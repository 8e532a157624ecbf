"""Tells whether a draft is in English, the language that the rules of the review can read.

A check by script and function words is enough for that; it does not name the language.
"""

import unicodedata
from typing import Final

Words = tuple[str, ...]

_ENGLISH: Final = frozenset(
    [
        "the",
        "and",
        "you",
        "your",
        "yours",
        "that",
        "is",
        "it",
        "this",
        "to",
        "of",
        "have",
        "has",
        "had",
        "what",
        "how",
        "with",
        "for",
        "are",
        "not",
        "be",
        "can",
        "but",
        "when",
        "so",
        "i",
        "i'm",
        "you're",
        "it's",
        "that's",
        "at",
        "from",
        "they",
        "them",
        "he",
        "she",
        "his",
        "her",
        "we",
        "us",
        "our",
        "my",
        "if",
        "or",
        "as",
        "by",
        "do",
        "does",
        "did",
        "don't",
        "just",
        "about",
        "there",
        "been",
        "would",
        "could",
        "will",
        "was",
        "were",
        "an",
        "a",
        "in",
        "on",
        "who",
        "which",
        "than",
        "then",
        "all",
        "more",
        "some",
        "any",
        "like",
        "feel",
        "want",
        "know",
        "think",
        "no",
        "yes",
        "sorry",
        "me",
        "up",
        "out",
        "very",
        "much",
        "get",
        "go",
    ]
)
_FOREIGN: Final = (
    frozenset(
        [
            "que",
            "de",
            "la",
            "el",
            "los",
            "las",
            "una",
            "por",
            "para",
            "está",
            "lo",
            "tu",
            "te",
            "es",
            "y",
            "con",
            "pero",
            "muy",
            "qué",
            "cómo",
            "eres",
            "mi",
            "se",
            "je",
            "vous",
            "est",
            "les",
            "des",
            "une",
            "pas",
            "dans",
            "ce",
            "pour",
            "avec",
            "tu",
            "c'est",
            "suis",
            "êtes",
            "et",
            "un",
            "du",
            "qui",
            "sur",
            "ich",
            "du",
            "und",
            "nicht",
            "ist",
            "das",
            "ein",
            "eine",
            "sie",
            "wir",
            "zu",
            "mit",
            "dass",
            "es",
            "der",
            "dem",
            "den",
            "auch",
            "wie",
            "che",
            "di",
            "il",
            "non",
            "sono",
            "per",
            "questo",
            "você",
            "não",
            "uma",
            "com",
            "isso",
            "mais",
            "sou",
            "como",
            "e",
            "o",
            "um",
            "hai",
            "aap",
            "mein",
            "main",
            "nahi",
            "ko",
            "ka",
            "ki",
            "ke",
            "hain",
            "tum",
            "mujhe",
            "kya",
            "aur",
            "bahut",
            "yeh",
            "cha",
            "chha",
            "timi",
            "tapai",
            "ma",
            "mero",
            "malai",
            "ho",
            "hunchha",
            "lai",
            "garnu",
            "ani",
            "pani",
            "k",
            "kasto",
            "ik",
            "je",
            "het",
            "een",
            "niet",
            "dat",
            "zijn",
            "voor",
            "van",
            "jag",
            "det",
            "att",
            "inte",
            "och",
            "är",
        ]
    )
    - _ENGLISH
)


def unreadable(
    folded: tuple[str, ...], words: tuple[Words, ...], person: tuple[Words, ...]
) -> bool:
    """Whether the draft is mostly in another script, or in another language than the person's.

    Another script is a fault whatever the person writes: these rules cannot review it.
    """
    if any(_other_script(sentence) for sentence in folded):
        return True
    flat = tuple(word for sentence in words for word in sentence)
    mixed = any(_foreign(sentence) for sentence in words if len(sentence) >= 5)
    if not mixed and not (len(flat) >= 12 and _share(flat, _ENGLISH) < 0.1):
        return False
    return not any(_foreign(message) for message in person if len(message) >= 5)


def _foreign(words: Words) -> bool:
    marks = _share(words, _FOREIGN)
    return marks * len(words) >= 2 and marks > 0.15 and marks > _share(words, _ENGLISH)


def _share(words: Words, known: frozenset[str]) -> float:
    return sum(word in known for word in words) / len(words)


def _other_script(sentence: str) -> bool:
    letters = [char for char in sentence if char.isalpha()]
    other = sum(1 for char in letters if ord(char) > 127 and not _is_latin(char))
    return other >= 4 and other * 2 > len(letters)


def _is_latin(char: str) -> bool:
    return unicodedata.name(char, "").startswith("LATIN")
