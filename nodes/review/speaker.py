"""Tells a draft that speaks for the person instead of to them."""

import re
from typing import Final

from nodes.review.draft import Draft, Words
from nodes.review.text import contains_run, without_quotes

_ATTRIBUTED: Final = re.compile(
    r"\b(?:you(?:'ve)? (?:said|say|wrote|told|mentioned|keep|feel|think|tell yourself)|thoughts?"
    r"|thinking|voice|saying|says|like|such as|could (?:say|tell|write)|words)\b"
)
_LIGHT: Final = frozenset(
    """
    also always am appreciate ask be believe can can't cannot care could couldn't did didn't do
    don't feel get guess had have haven't hear hope i'd i'll imagine just know like love may
    mean might must need never not notice really said say see should shouldn't so sorry still
    think thought to understand want wanted was will wish won't wonder would wouldn't
    """.split()
)
_PROGRAM_HAS: Final = frozenset(
    """
    aim answer answers apologies apology attention bad best concern condolences dear deepest
    earlier fault first friend full goal god goodness gosh guess heart help hope hopes idea
    ideas intention job knowledge last limit limits message mistake offer own part pleasure
    point previous purpose question questions replies reply role sense side sincere suggestion
    suggestions sympathies sympathy thought thoughts turn understanding way wish words work
    worry
    """.split()
)


_FIRST_PERSON: Final = frozenset({"i", "i'm", "i've", "my"})
_TELLING_RUN: Final = 5
"""Words in a row after "I", shared with the person, that no common phrase explains."""


def speaks_as_person(draft: Draft) -> bool:
    """The draft tells the person's story in the first person.

    Found by what it shares with the person's words after "I" and "my".
    """
    for folded, words in zip(draft.folded, draft.words, strict=True):
        if "i" not in words and "my" not in words and "i'm" not in words:
            continue
        if without_quotes(folded) != folded or _ATTRIBUTED.search(folded):
            continue
        if any(_borrowed(words, message) for message in draft.person_words):
            return True
    return False


def _borrowed(words: Words, message: Words) -> bool:
    if len(words) >= 4 and words[0] in _FIRST_PERSON and contains_run(message, words):
        return True
    for start, word in enumerate(words[:-1]):
        following = words[start + 1]
        length = _TELLING_RUN
        if word == "my" and following not in _PROGRAM_HAS:
            length = 2
        elif word == "i" and following not in _LIGHT:
            length = 3
        elif word not in _FIRST_PERSON:
            continue
        run = words[start : start + length]
        if len(run) == length and contains_run(message, run):
            return True
    return False
