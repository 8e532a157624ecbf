"""Tells whether a draft is in English, the language that the rules of the review can read.

A check by script and function words is enough for that; it does not name the language.
"""

import unicodedata
from itertools import groupby
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
_COMMON: Final = _ENGLISH | frozenset(
    """
    after again alone also always any anyone away back because been before being better between
    both can't come comes day days didn't doesn't done down each even ever every everyone
    everything family feeling feels felt few first friend friends getting give gives going gone
    good great had hard hear heard hello help here hold home hope hurt hurts i'd i'll i've isn't
    it'll its job keep kind last left let let's life little long look lot love made make makes
    many may means mind moment most must need never new next night nobody nothing now off often
    oh ok okay old once one only other own part people place quite rather real right rough same
    say says see should sleep something sometimes sounds still stop such sure take takes talk
    tell thank thanks these thing things those though three through time tired today together
    tonight too tough try two under understand until wait wasn't way weeks well while why won't
    work world worry worse year years yes yet you'd you'll you've
    """.split()
)
"""English words common enough that a sentence of some length holds at least one in seven."""
_FOREIGN: Final = frozenset(
    """
    aap aapke aapki aapko akan anche anda ang ani apne att auch aur avec bahut bardzo bhayo bhi bir
    bisa bist c'est c'était ce cela ces cette cha che chha chhu ciebie com como con cuando czy cómo
    d'être dan dans das dass dat de dein deine della dem den dengan der des det değil dherai di
    dich dig dir du e een ein eine el elle eres es eso esse est esta este está están estás et euch
    foi garera garnu gaya gibi hai hain heel het hindi ho hunchha hunu ich ik ikaw il ils ini inte
    isso ist itu için j'ai jag jak je jest jij jouw k ka kamu kasi kasto katika ke ki kita ko kuch
    kung kwa kya la lagcha lagi lai lakini las les liye lo los ma maar main mais malai mein mera
    mereka mero meu mga mi mig mimi minha mir mit mnie mo molto mucho muito mujhe muy mycket même
    n'est nahi naman nella ng nicht nie niet noch non nous nunca nur não o och olarak ook pani para
    pas per perché pero peut por pour på qu'il quand quando que questo qui qué raha rahe rahi saath
    sab sana sanga sangat sans saya se sehr sei sempre sen seu sie siempre siento siya się som sono
    sou sua sudah suis sur são talaga también também tapai tapailai te tha thi tidak timi timilai
    timro toujours très tu tua tuo twoje um uma un una und une untuk van ve você voor vos votre
    vous wat wenn wewe wie wir woh y yang yeh zijn zu är çok êtes że
    """.split()
)
"""Function words of other languages that English does not share."""

_TELLING: Final = 7
_HARDLY_ANY: Final = 0.15
_STRETCH: Final = 4
_OF_NAMES: Final = frozenset({"de", "del", "den", "der", "la", "las", "los", "van"})


def unreadable(
    folded: tuple[str, ...], words: tuple[Words, ...], person: tuple[Words, ...]
) -> bool:
    """Whether the draft is mostly in another script, or in another language than the person's.

    Another script is a fault whatever the person writes: these rules cannot review it.
    """
    if any(_other_script(sentence) for sentence in folded):
        return True
    flat = tuple(word for sentence in words for word in sentence)
    mixed = any(
        _switches(sentence) or (len(sentence) >= 5 and _foreign(sentence)) for sentence in words
    )
    drifts = any(_not_english(sentence) for sentence in words)
    if not mixed and not drifts and not (len(flat) >= 12 and _share(flat, _COMMON) < _HARDLY_ANY):
        return False
    return not any(_foreign(message) for message in person if len(message) >= 5)


def _not_english(words: Words) -> bool:
    """Whether a sentence long enough to tell holds hardly any common English word."""
    return len(words) >= _TELLING and _share(words, _COMMON) < _HARDLY_ANY


def _switches(words: Words) -> bool:
    """Whether a stretch of a sentence without an English word reads as another language."""
    for english, stretch in groupby(words, key=_COMMON.__contains__):
        run = tuple(stretch)
        marks = [word for word in run if word in _FOREIGN]
        telling = len(marks) - any(word in _OF_NAMES for word in marks)
        if not english and (len(marks) >= 3 or (telling >= 2 and len(run) >= _STRETCH)):
            return True
    return False


def _foreign(words: Words) -> bool:
    marks = _share(words, _FOREIGN)
    return marks * len(words) >= 2 and marks > 0.15 and marks > _share(words, _COMMON)


def _share(words: Words, known: frozenset[str]) -> float:
    return sum(word in known for word in words) / len(words)


def _other_script(sentence: str) -> bool:
    letters = [char for char in sentence if char.isalpha()]
    other = sum(1 for char in letters if ord(char) > 127 and not _is_latin(char))
    return other >= 4 and other * 2 > len(letters)


def _is_latin(char: str) -> bool:
    return unicodedata.name(char, "").startswith("LATIN")
