"""Whether a message is in English, the one language that the encoder and the heads can read.

A message in another language is unreadable for the crisis check, and unreadable means unsafe.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_FUNCTION_WORDS: Final = frozenset(
    """a about after all also am an and any are as at away back be because been before being but by
    can cant could did didnt do does dont down even ever every feel for from get go going gonna good
    got had has hate have he hello help her here hey hi him his how i id if ill im in into is isnt
    it its ive just keep know let life like live me might more much my need never no not nothing now
    of off ok okay on one only or our out over people please really right said say see she should so
    some something still stop talk tell thank thanks that thats the their them then there these they
    thing think this time to today too up us very wanna want was wasnt we well were what when where
    which who why will with without wont work would yeah yes you your youre""".split()
)

_CHAT_WORDS: Final = frozenset(
    """bruh lol lmao idk idc tbh ngl omg smh rn nvm fr kms kys wtf btw brb thx ty np hmm ugh meh nah
    yep yup yo sup pls plz u ur k haha hahaha aw aww bye goodbye""".split()
)

_WORD = re.compile(r"[^\W\d_]+")
_PIECES_PER_WORD: Final = 1.7
"""English chat, typing errors included, needs fewer word pieces than this on average."""

_ENOUGH_FUNCTION_WORDS: Final = 0.2


def reads_as_english(text: str, word_pieces: Callable[[str], int]) -> bool:
    """Tell whether the encoder can read `text` as English.

    Args:
        text: a message with at least one character.
        word_pieces: counts the encoder's tokens of a text; English words mostly need one.

    Returns:
        True as well for text without letters, such as numbers or emoji: it holds no language.
    """
    words = [word.lower() for word in _WORD.findall(text.replace("'", "").replace("\u2019", ""))]
    if not words:
        return True
    letters = "".join(words)
    if sum(letter.isascii() for letter in letters) < 0.7 * len(letters):
        return False
    known = sum(word in _FUNCTION_WORDS or word in _CHAT_WORDS for word in words)
    if known / len(words) >= _ENOUGH_FUNCTION_WORDS:
        return True
    return word_pieces(" ".join(words)) / len(words) <= _PIECES_PER_WORD
