"""Mirroring: picks up what a message is about, in the person's own words."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from knowledge.reply_parts import Topics

_GONE: Final = re.compile(
    r"(?:[\s,]+(?:has|had|have|just|recently|suddenly|both|also|all|who|that|sadly|unexpectedly"
    r"|tragically|of|aged?|\d+|years?|months?|old|(?-i:[A-Z])\w+))*[\s,]+(?:died\b(?! laughing)"
    r"|passed (?:away|last (?:night|week|month|year)|yesterday|suddenly|unexpectedly|peacefully"
    r"|in (?:his|her|their) sleep)\b|passed(?=\W*$)|(?:is|are|was|were) (?:dead|killed)\b"
    r"|(?:is|are) gone (?:now|forever)\b)|'s (?:death|passing|funeral|memorial|ashes)\b",
    re.I,
)
_BURIED: Final = re.compile(
    r"\b(?:bur(?:y|ied|ying)|(?:death|passing|loss) of|mourn(?:ing)?|grieving(?: for)?)\s+$", re.I
)
_LOST: Final = re.compile(r"\b(?:lost|losing)\s+$", re.I)
_PUT: Final = re.compile(r"\bput\s+$", re.I)
_DOWN: Final = re.compile(r"(?:\s+\w+)?\s+(?:down|to sleep)\b", re.I)
_DENIED: Final = re.compile(
    r"(?:\b(?:no|not|never|without|if|like|want|wish|hope|need)\b|n't)[^.!?,;]*$", re.I
)


@dataclass(frozen=True)
class TopicFinder:
    """Finds the noun phrase that a message is about, in the person's own words.

    A list of common life nouns, and no guessing of parts of speech: a wrong noun hurts more than
    none.
    """

    nouns: Topics

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        nouns = self.nouns
        people, events = _any(*nouns.kin, *nouns.pets, *nouns.others), _any(*nouns.events)
        modifier = rf"(?:{_any(*nouns.modifiers)}\s+){{0,2}}"
        tail = rf"(?:\s+{_any(*nouns.tails)}\b)?"
        noun = _any(
            *nouns.kin, *nouns.pets, *nouns.others, *nouns.events, *nouns.things, *nouns.conditions
        )
        owned = rf"{modifier}(?:{people}'s\s+{modifier})?"
        sources = {
            "kin": rf"\b(?:my|our)\s+({owned}{_any(*nouns.kin, *nouns.pets)})\b",
            "pet": rf"\b(?:my|our)\s+({owned}{_any(*nouns.pets)})\b",
            "loved": rf"\b(?:my|our)\s+({owned}{people})\b",
            "event": rf"\b(?:my|our)\s+({owned}{events}\b{tail})",
            "person": rf"\b(?:my|our)\s+({owned}{people}\b{tail}"
            rf"(?:\s+and\s+(?:(?:my|our)\s+)?{modifier}{people}\b)?)",
            "definite event": rf"\b(?:the|this)\s+({modifier}{events}\b{tail})",
            "new event": r"\b(?:have|had|having|got|getting|failed|failing|passed|took|taking|in"
            rf"|after|before|about|through|from|with|gave)\s+(?:an?|another)\s+({modifier}{events}"
            rf"\b{tail})",
            "name": r"(?:^|[.!?,]\s*|\b(?:when|since|after|because|and|with|to|about|for|that|if"
            rf"|but|then)\s+)({_any(*nouns.names)})\b",
            "owned condition": rf"\b(?:my|our)\s+({modifier}{people}'s\s+"
            rf"{_any(*nouns.conditions)})\b",
            "condition": rf"\b(?:my|our)\s+({_any(*nouns.conditions)})\b",
            "thing": rf"\b(?:my|our)\s+({owned}{_any(*nouns.things)}\b{tail})",
            "definite thing": rf"\b(?:the|this)\s+({modifier}{_any(*nouns.things)}\b{tail})",
            "bare": rf"\b(?:at|about|with|from|in|after|of|for)\s+({_any(*nouns.bare)})\b",
            "part": rf"[\s-]+(?:{noun}|{_any(*nouns.spoilers)})\b|-\w"
            rf"|'(?!s\s+{_any(*nouns.is_or_has)}\b)",
        }
        return {name: re.compile(source, re.I) for name, source in sources.items()}

    def find(self, text: str) -> str | None:
        """Return what the message is about, such as "your exam", or None."""
        for article, *names in (
            ("your", "event", "owned condition"),
            ("your", "person"),
            ("the", "definite event", "new event", "condition"),
            ("your", "name", "thing"),
            ("the", "definite thing"),
            ("", "bare"),
        ):
            for name in names:
                for match in self._patterns[name].finditer(text):
                    part = self._patterns["part"].match(text, match.end())
                    denied = name == "new event" and _DENIED.search(text[: match.start()])
                    if not part and not denied:
                        return _phrase(article, match[1])
        return "your sleep" if self.nouns.sleepless.search(text) else None

    def find_lost(self, text: str) -> str | None:
        """Return the person or animal that a message says has died, or None."""
        for match in self._patterns["loved"].finditer(text):
            before, end = text[: match.start()], match.end()
            if text[end : end + 1] != "'":
                lost = _LOST.search(before) and self._patterns["kin"].fullmatch(match[0])
                put = _PUT.search(before) and self._patterns["pet"].fullmatch(match[0])
                if lost or _BURIED.search(before) or (put and _DOWN.match(text, end)):
                    return _phrase("your", match[1])
            if _GONE.match(text, end):
                return _phrase("your", match[1])
        for match in self._patterns["name"].finditer(text):
            if _GONE.match(text, match.end()):
                return _phrase("your", match[1])
        return None


def _any(*words: str) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


def _phrase(article: str, noun: str) -> str:
    phrase = re.sub(r"\b(?:my|our)\b", "your", " ".join(noun.lower().split()))
    return f"{article} {phrase}".strip()
