"""Removes personal data from the texts of sources: contacts, sign-offs, advertising of a practice.

Direct identifiers are removed by pattern, as the Safe Harbor method lists them (45 CFR
164.514(b)(2)): names of people who sign, addresses, numbers, accounts. Crisis lines keep their
names and lose their numbers, which go stale; people get numbers from the registry alone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from knowledge.cleaning.contacts import (
    ADDRESS,
    ADVERT,
    CALL_CRISIS,
    CRISIS,
    DANGLING,
    EMERGENCY,
    HANDLE,
    HINT,
    LIFELINE_NAME,
    MAIL,
    NAMED_LINE,
    PHONE,
    URL,
)
from knowledge.cleaning.names import remove_names
from knowledge.sentences import split_sentences

_LONG: Final = 25
"""Words above which a sentence with a contact says more than the contact."""
_FEW: Final = 3
_QUOTED: Final = re.compile(r'["“][^"”]*["”]?')
_BETWEEN: Final = r"(?:[\s,;/]*(?:\b(?:or|and)\b\s*|&\s*)?(?:\(?\d[.)]\s*)?{each})*"
_PARENTHESIS: Final = (
    r"\s*[(\[]\s*(?:\b(?:see|at|call|text|www|e-?mail|visit)\b:?\s*)*{each}"
    + _BETWEEN
    + r"[.,]?\s*[)\]]"
)
_TAIL: Final = (
    r"(?:\s*[,:;–—-]+|\s+(?:at|on|al)\b(?:\s+(?:the|this) (?:number|address))?)?\s*:?\s*"
    r"(?:\(?\d[.)]\s*)?{each}" + _BETWEEN + r"(?P<end>[^\w\s]*)\Z"
)
_POINTER: Final = r":\s*(?:\(?\d[.)]\s*)?{each}" + _BETWEEN + r"[^\w\s]*\Z"
_MIDDLE: Final = r"(?:[,:]?\s*\b(?:at|on)\b\s*)?[,:]?\s*{each}" + _BETWEEN
_NEEDS_OBJECT: Final = re.compile(
    r"(?:\A|[(,:;–—-]|\b(?:at|on|in|of|via|through|to|visit|see|with|from|or|and|by|is|website|use|try|"
    r"called|like|than|for|check out))\W*\Z",
    re.I,
)

_IS_NUMBER: Final = re.compile(rf"\bis\s*:?\s*(?:{PHONE.pattern})")
_TWICE: Final = re.compile(r"\b(a website|a crisis line)(?:(?:\W|\bor\b|\band\b)+\1)+")


def remove_personal_data(text: str) -> tuple[str, Counter[str]]:
    """Return the text without personal data, and how many of each kind were removed.

    Kinds: `mail`, `web address`, `phone number`, `account`, `street address`, `name`,
    `advertising`. A sentence that would be left without its point goes whole. Text without
    personal data comes back as it was.
    """
    found: Counter[str] = Counter()
    # What is removed can bare the next: a sign-off stands before the practice's address. Each
    # round takes something away, so it ends.
    while True:
        cleaned = _once(text, found)
        if cleaned == text:
            return text, found
        text = cleaned


def _once(text: str, found: Counter[str]) -> str:
    text = remove_names(text, found)
    kept: list[str] = []
    before = ""
    for sentence in split_sentences(text):
        # "Some of them want to die. You could call 1-800-...": the sentence before tells.
        crisis = bool(CRISIS.search(sentence) or CRISIS.search(before))
        before = sentence
        cleaned = _without_contacts(sentence, crisis, found)
        if cleaned:
            kept.append(cleaned)
        elif kept and "\n" in (gap := _gap(sentence)):
            # The paragraph's end must not go with its last sentence.
            kept[-1] = kept[-1].rstrip() + gap
    cleaned = "".join(kept)
    return cleaned if cleaned == text else cleaned.strip()


def _gap(sentence: str) -> str:
    return sentence[len(sentence.rstrip()) :]


def _without_contacts(sentence: str, crisis: bool, found: Counter[str]) -> str:
    """Return the sentence without contacts; nothing when there is then no sense left in it."""
    if _advertises(sentence):
        found["advertising"] += 1
        return ""
    if not HINT.search(sentence):
        return sentence
    sentence, emergency = EMERGENCY.subn(_emergency, sentence)
    sentence, lifeline = LIFELINE_NAME.subn("", sentence)
    if emergency + lifeline:
        found["phone number"] += emergency + lifeline
    for kind in _KINDS:
        hits = sum(1 for _ in kind.pattern.finditer(sentence))
        if hits:
            found[kind.name] += hits
            sentence = _remove(sentence, kind, crisis)
    return sentence


def _advertises(sentence: str) -> bool:
    # Words suggested to the person ("You may call me tonight") stand in quotation marks.
    return bool(ADVERT.search(_QUOTED.sub('""', sentence)))


def _emergency(match: re.Match[str]) -> str:
    return f"{match['call']}the local emergency number"


@dataclass(frozen=True)
class _Kind:
    """A kind of contact, and how a sentence is rid of it."""

    name: str
    pattern: re.Pattern[str]
    stand_in: str = ""
    """What takes its place where the sentence needs something there."""

    def matcher(self, template: str) -> re.Pattern[str]:
        """Return the compiled template around this kind's pattern."""
        return re.compile(template.replace("{each}", f"(?:{self.pattern.pattern})"))

    @cached_property
    def parenthesis(self) -> re.Pattern[str]:
        """One or several in brackets."""
        return self.matcher(_PARENTHESIS)

    @cached_property
    def tail(self) -> re.Pattern[str]:
        """One or several at a sentence's end, with the words that lead there."""
        return self.matcher(_TAIL)

    @cached_property
    def pointer(self) -> re.Pattern[str]:
        """One or several at a sentence's end, after a colon."""
        return self.matcher(_POINTER)

    @cached_property
    def middle(self) -> re.Pattern[str]:
        """One or several anywhere."""
        return self.matcher(_MIDDLE)


_WEB: Final = _Kind("web address", URL, "a website")
_PHONE: Final = _Kind("phone number", PHONE)
_KINDS: Final = (
    _Kind("mail", MAIL),
    _WEB,
    _Kind("account", HANDLE),
    _Kind("street address", ADDRESS),
    _PHONE,
)


def _remove(sentence: str, kind: _Kind, crisis: bool) -> str:
    """Take the contacts out so that the sentence still reads; drop it whole otherwise."""
    text, gap = sentence.rstrip(), _gap(sentence)
    if kind is _WEB and kind.pointer.search(text):
        return ""
    text = kind.parenthesis.sub("", text)
    if kind is _PHONE and crisis:
        text = _without_crisis_numbers(text)
    text = kind.tail.sub(lambda match: match["end"], text)
    if DANGLING.search(text):
        return ""
    if kind.pattern.search(text):
        if not kind.stand_in and len(text.split()) < _LONG:
            return ""
        text = _fill(text, kind)
    if DANGLING.search(text) or len(text.split()) < _FEW:
        return ""
    return text + gap


def _without_crisis_numbers(text: str) -> str:
    # "They will always answer: 1-800-..." says enough without it.
    text = _PHONE.pointer.sub(".", text)
    if not NAMED_LINE.search(text):
        text = CALL_CRISIS.sub(lambda match: f"{match['call']} a crisis line", text)
        return _fill(text, _Kind("phone number", PHONE, "a crisis line"))
    # "The Lifeline is 1-800-..." keeps the name; elsewhere the number is not missed.
    text = _IS_NUMBER.sub("is a crisis line", text)
    return _PHONE.middle.sub("", text)


def _fill(text: str, kind: _Kind) -> str:
    """Put the stand-in where the sentence needs one, and nothing elsewhere."""
    parts: list[str] = []
    start = 0
    for match in kind.pattern.finditer(text):
        before = text[start : match.start()]
        so_far = text[max(0, match.start() - 30) : match.start()]
        needed = kind.stand_in and _NEEDS_OBJECT.search(so_far)
        parts += [before, kind.stand_in] if needed else [before.rstrip()]
        start = match.end()
        if text[start : start + 1].isalnum():
            parts.append(" ")
    text = "".join(parts) + text[start:]
    return _TWICE.sub(r"\1", text)
