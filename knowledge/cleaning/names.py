"""Removes names of people who sign, present themselves or are greeted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

_WORD: Final = r"[A-Z][a-zà-ÿ]+(?:[-'’][A-Z][a-zà-ÿ]+)?"
_NAME: Final = (
    rf"{_WORD}(?:\s+(?:[A-Z]\.?|(?:van|von|de|der|la|del|Mc|Mac)\b))*(?:\s+{_WORD}){{1,2}}"
)
_DOCTOR: Final = r"(?:Dr|Prof|Mr|Mrs|Ms|Rev)\.?\s+"
_CREDENTIAL: Final = (
    r"(?:Ph\.?\s?D\.?|Psy\.?\s?D\.?|Ed\.?\s?D\.?|D\.?B\.?H\.?|M\.?D\.?|M\.?A\.?|M\.?S\.?W\.?|"
    r"M\.?S\.?|M\.?Ed\.?|L[A-Z]{2,6}|R\.?N\.?|N\.?C\.?C\.?|[RC]\.?C\.?C\.?|[A-Z]{0,2}MFT|MHC|CASAC|"
    r"CADC|CSAC|CHT|RYT|BCBA|RPT|CCTP|ACSW|PMHNP|(?:L?P|LC)C)(?:-[A-Z]{1,2})?(?![a-z])"
)
_MORE: Final = rf"(?:[,\s]+(?:{_CREDENTIAL}|[A-Z][A-Z.]{{2,7}}(?![a-z])|\(pre-licensed\)))*"
_CLOSING: Final = (
    r"(?:(?:my (?:very )?)?(?:best|warm(?:est|ly)?|kind(?:est|ly)?|sincerely|regards|cheers|peace|"
    r"blessings|namaste|respectfully|yours|love|in solidarity|take care|be well|be you|good luck|"
    r"all the best|god bless|thank you|thanks|(?:i )?hope (?:this|that|it) helps|let me know)"
    r"(?:[,]? (?:wishes|regards|of luck|to you|to both of you|you|both|truly|and|good luck|for now|"
    r"be well))*)"
)
_CLOSED: Final = rf"(?:\A|(?<=[.!?…,~]\s)|(?<=[.!?,~])|(?<=\n))(?i:{_CLOSING})"

_WITH_CREDENTIALS: Final = re.compile(
    rf"(?:{_CLOSED}[\s,.!~–—-]+)?"
    rf"(?P<name>(?:[~–—-]\s?)?(?:{_DOCTOR})?(?:{_NAME}|{_WORD}\s[A-Z]\b\.?)),?\s+"
    rf"{_CREDENTIAL}{_MORE}(?:,?\s*(?:Licensed|Certified)\b[^\n]{{0,120}}\Z)?"
)
_CITED: Final = re.compile(r"(?:\bby|\bof|[\"”],?|\bbook|\bauthors?|\band|&)\s*\Z", re.I)
_CITING: Final = re.compile(
    r"\s*,?\s*(?:who\s+)?(?:writes|wrote|says|said|calls|called|describes|developed|created|found|"
    r"argues|explains|suggests|has written|is the author|'s|’s)\b"
)
_ENDS: Final = re.compile(r"\s*(?:\Z|[.!]?\s*\n|[A-Z]|[(\[]|[.!]\s|https?:|www\.)")

_SIGNED: Final = (
    # Hope this helps, C / Best wishes, Karen / Sincerely~ Catherine Cleveland
    re.compile(
        rf"(?:{_CLOSED}\s*[,.!~–—-]+\s*|\s[~–—-]\s?|(?<=[.!?~)])\s*[~–—-]\s?)"
        rf"(?P<name>(?:{_DOCTOR})?(?:{_NAME}|{_WORD}|[a-z]+\s[a-z]+|[a-z]{{3,9}}|[A-Z]{{1,3}}))"
        r"[~.!]?\s*\Z"
    ),
    # The name comes first: Mirella~Image and Likeness Counseling
    re.compile(
        rf"(?:(?<=[.!?,])|(?<=\n)|\A)\s*(?P<name>{_WORD}(?:\s{_WORD})?)\s?~[^.!?\n]{{0,60}}\Z"
    ),
    re.compile(
        rf"(?:(?<=[.!?\"”])|(?<=\n)|\A)\s*(?P<name>{_DOCTOR}(?:{_NAME}|{_WORD}|[A-Z]\b))\.?\s*\Z"
    ),
    re.compile(rf"(?<=[.!?])[^\S\n]+(?P<name>{_WORD}(?:\s{_WORD})?)\s*\Z"),
    re.compile(r"(?<=[a-z\")][.!?])\s*(?P<name>[-–—]?[B-HJ-Z]|[-–—~]\s?[A-Z]{1,3})\s*\Z"),
    # Dr. Virginia Chow, Montreal Psychologist
    re.compile(
        rf"(?<=[.!?])\s+(?P<name>(?:{_DOCTOR})?{_NAME}),\s+(?:[A-Z]\w+\s+){{0,2}}(?:Psychologist|"
        r"(?:Psycho)?[Tt]herapist|Counsell?or|Life Coach|Social Worker)\.?\s*\Z"
    ),
    # A practice's page right after its owner's name.
    re.compile(
        rf"(?<=[.!?\"”])\s*(?P<name>(?:{_DOCTOR})?{_NAME})(?=\s*(?:https?://|www\.)\S+\s*\Z)"
    ),
)
_QUOTE_BEFORE: Final = re.compile(r"[\"”’]\s*\Z")

_GREETED: Final = re.compile(
    rf"\A\s*(?:(?i:hi|hello|hey|dear|good (?:morning|evening|afternoon)))\s*,?\s+(?!There\b)"
    rf"(?P<name>{_WORD}(?:\s{_WORD}){{0,2}})\s*[,!.:–—-]+\s*"
)
_NOT_A_NAME: Final = frozenset(
    "Yes No Well First Thanks Thank Unfortunately Actually So Oh Great Good Congratulations "
    "Welcome All Everyone Reader Peace Please Sorry Wow Sure Okay Ok Indeed However Also "
    "Again".split()
)
_COMMON: Final = frozenset(
    "the a an and or you me us it this that them him her we they exercise reading journaling "
    "meditation music therapy help support yourself now always ever forever today love well".split()
)
_INTRODUCED: Final = re.compile(
    rf"(?:\A|(?<=[.!?]\s)|(?<=\n))\s*(?:(?:[Hh]i|[Hh]ello|[Hh]ey)[,!.]?\s+)?(?:(?i:I['’]?m|I am|"
    rf"my name is))\s+(?P<name>(?:{_DOCTOR})?{_WORD}(?:\s{_WORD})?)\b"
    rf"(?:,\s+{_CREDENTIAL}{_MORE})?[.!]\s*"
)
# "I'm Canadian." is no introduction.
_DEMONYM: Final = re.compile(r"(?:ian|ean|can|ish|ese|ist|im|ic|ew|ern|stian|man|ing|ed|ry)\Z")


def remove_names(text: str, found: Counter[str]) -> str:
    """Return the text without sign-offs, self-introductions and names in a greeting.

    Authors stay where a work or a saying of theirs is cited.
    """
    text = _without_greeting(text, found)
    text = _sub(_INTRODUCED, text, found, _introduces)
    text = _sub(_WITH_CREDENTIALS, text, found, _signs)
    # A sign-off can have several layers: a closing, a name, a practice.
    while True:
        shorter = text
        for pattern in _SIGNED:
            shorter = _sub(pattern, shorter, found, _is_sign_off)
        if shorter == text:
            return text
        text = shorter


def _sub(
    pattern: re.Pattern[str],
    text: str,
    found: Counter[str],
    accept: Callable[[re.Match[str]], bool],
) -> str:
    parts: list[str] = []
    start = 0
    for match in pattern.finditer(text):
        if accept(match):
            found["name"] += 1
            parts.append(text[start : match.start()])
            start = match.end()
    if not parts:
        return text
    rest = text[start:]
    before = "".join(parts)
    return before + rest if rest.strip() else before.rstrip(" \n,~–—-")


def _introduces(match: re.Match[str]) -> bool:
    words = match["name"].split()
    return not (len(words) == 1 and (_DEMONYM.search(words[0]) or words[0] in _NOT_A_NAME))


def _signs(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start("name") - 20) : match.start("name")]
    if _CITING.match(match.string, match.end()):
        return False
    cited = _CITED.search(before) and not re.search(r"[.!?][\"”]\s*\Z", before)
    return not cited and bool(_ENDS.match(match.string, match.end()))


def _is_sign_off(match: re.Match[str]) -> bool:
    name = match["name"].lstrip("~–—- ")
    before = match.string[: match.start("name")].rstrip("~–—- \n")[-3:]
    if name.split()[0] in _NOT_A_NAME or name.lower().split()[0] in _COMMON:
        return False
    # "Quoted words." - Eleanor Roosevelt
    dashed = re.search(r"[~–—-]\s?\Z", match.string[: match.start("name")])
    return not (dashed and _QUOTE_BEFORE.search(before))


def _without_greeting(text: str, found: Counter[str]) -> str:
    match = _GREETED.match(text)
    if match is None or match["name"].split()[0] in _NOT_A_NAME:
        return text
    name = re.escape(match["name"])
    found["name"] += 1
    text = text[match.end() :]
    # The name may come again: "Oak Harbor, I believe that ..."
    text, again = re.subn(rf"(?:(?<=[.!?]\s)|(?<=\n)){name},\s+(\w)", lambda m: m[1].upper(), text)
    text, ends = re.subn(rf",\s+{name}(?=[.,!?])", "", text)
    found["name"] += again + ends
    return text[:1].upper() + text[1:]
