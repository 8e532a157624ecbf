"""Tells whether a draft is in English, the language that the rules of the review can read.

A check by script and function words is enough for that; it does not name the language.
"""

import unicodedata
from typing import Final

from nodes.review.draft import Words

_ENGLISH: Final = frozenset(
    """
    a about all an and any are as at be been but by can could did do does don't feel for from
    get go had has have he her his how i i'm if in is it it's just know like me more much my no
    not of on or our out she so some sorry than that that's the them then there they think this
    to up us very want was we were what when which who will with would yes you you're your yours
    """.split()
)
_FOREIGN: Final = frozenset(
    """
    aap ani att auch aur avec bahut c'est ce cha che chha com como con cómo dans das dass dat de
    dem den der des det di du e een ein eine el eres es est está et garnu hai hain het ho
    hunchha ich ik il inte isso ist jag je k ka kasto ke ki ko kya la lai las les lo los ma main
    mais malai mein mero mi mit mujhe muy nahi nicht niet non não o och pani para pas per pero
    por pour que questo qui qué se sie sono sou suis sur tapai te timi tu tum um uma un una und
    une van você voor vous wie wir y yeh zijn zu är êtes
    """.split()
)
"""Function words of other languages that English does not share."""


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
