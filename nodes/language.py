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

_FEELING_WORDS: Final = frozenset(
    """heartbroken heartbreaking heartache burnout unloved ghosted bullied panicking panicky
    sleepless insomnia grieving bereaved homesick dissociating spiralling spiraling traumatised
    traumatized nauseous gutted clueless friendless jobless flunked jittery unmotivated demotivated
    disheartened suicidal hopeless""".split()
)
"""Words that people write alone, and that need more than one word piece."""

_FOREIGN_WORDS: Final = frozenset(
    """aku saya tidak yang dan untuk dengan kamu ini itu hindi ako ang ng mga ko siya gusto ayaw
    ich nicht ist und der das ein eine mir mich dich wir mit auf für zu dass mehr niemand kein
    je ne pas les est suis mon ma une qui avec dans veux moi rien pourquoi
    el la los las que es mi muy pero quiero estoy tengo nada nadie mas más porque una vivir morir
    eu não nao meu minha uma isso mais quero estou viver morrer você voce muito ninguém
    io che sono voglio vivere morire niente nessuno più molto perché
    ik niet het een mijn zijn geen meer naar dood wil
    nie się jest mam chcę chce żyć już juz bardzo
    bir ve çok yok istiyorum değil artık beni
    mein mujhe nahi nahin hai hoon hun ka ki ke aur bahut koi mera meri
    malai cha chha chaina hoina garna mero dherai lagyo kasailai timi
    nataka sitaki mimi sina kwa yangu nina ninataka kufa""".split()
)
"""Words that mark a text as Spanish, German, Nepali in Latin letters and so on."""

_ENGLISH_WORDS: Final = _FUNCTION_WORDS | _CHAT_WORDS | _FEELING_WORDS

_WORD = re.compile(r"[^\W\d_]+")
_PIECES_PER_WORD: Final = 1.7
"""English chat, typing errors included, needs fewer word pieces than this on average."""

_PIECES_PER_WORD_OF_A_SENTENCE: Final = 1.5
"""The same for a text long enough to have function words, and without them."""

_SENTENCE: Final = 4

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
    known = sum(word in _ENGLISH_WORDS for word in words)
    foreign = sum(word in _FOREIGN_WORDS for word in words)
    if foreign and foreign >= known:
        return False
    if known / len(words) >= _ENOUGH_FUNCTION_WORDS:
        return True
    most = _PIECES_PER_WORD if len(words) < _SENTENCE else _PIECES_PER_WORD_OF_A_SENTENCE
    return word_pieces(" ".join(words)) / len(words) <= most
