"""Finds phone numbers and web addresses, so that only those of the registry pass."""

import re
from collections.abc import Iterator
from typing import Final, Protocol


class Registry(Protocol):
    """The help lines that a reply may name."""

    def allows_number(self, number: str, /) -> bool:
        """Whether the number, in any spelling, is one of the registry."""
        ...

    def allows_url(self, url: str, /) -> bool:
        """Whether the address is one of the registry."""
        ...


_URL: Final = re.compile(
    r"(?:https?://|www\.)[^\s<>\"')\]]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w@.])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|org|net|gov|edu|info|io|co|help|health"
    r"|chat|app|me|us|uk|np|in|au|nz|ca|ie|de|fr|eu|int|ai|be|ch|at|nl|es|it|se|no|dk|fi|pl|br|mx"
    r"|jp|kr|ph|sg|za|ke)\b(?:/[^\s<>\"')\]]*)?"
)
_DIGITS: Final = re.compile(
    # A bracket goes on with a number after a prefix only: "988 (988 Lifeline)" names it twice.
    r"(?<![\w.,])(?:\+|\()?\d(?:(?:[\s).\-/]|(?<!\d{3})(?<!\d{3}\s)\(){0,2}\d)*(?:-[a-z]{3,})?(?![\w%])"
)
_CALL: Final = re.compile(
    r"\b(?:call(?:ing|s)?|dial(?:l?ing)?|texts?|texting|phone|ring|reach|contact|whatsapp|sms|numbers?"
    r"|hot ?lines?|help ?lines?|life ?line|crisis lines?|toll[- ]free|emergency|samaritans|police"
    r"|ambulance)\b"
)
_UNIT: Final = re.compile(
    r"\s*-?(?:times|people|miles|km|kilomet|met(?:er|re)s|feet|steps|words|days|weeks|months|years"
    r"|hours|minutes|mins?\b|seconds|percent|dollars|euros|pounds|pages|kids|students|calls|texts"
    r"|messages|%|am\b|pm\b|a\.m|p\.m|o'clock|points|bucks|things)"
)
_BEFORE_AMOUNT: Final = re.compile(
    r"(?:[$€£#]|\b(?:rs\.?|usd|room|page|since|in|of|year|by|for)\s)\s*$"
)
_EMERGENCY: Final = frozenset({"988", "911", "999", "112", "116123", "741741", "85258", "50808"})
_SPELLED: Final = {
    word: str(digit)
    for digit, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
} | {"oh": "0", "triple": ""}
_SPELLED_NUMBER: Final = re.compile(
    rf"\b(?:{'|'.join(_SPELLED)})(?:[\s-]+(?:{'|'.join(_SPELLED)}|hundred)){{2,}}\b"
)
_VANITY: Final = re.compile(
    r"\b(?:1[- ])?8(?:00|33|44|55|66|77|88)-[a-z][a-z-]{3,}|\b1[- ]8\d\d [a-z]{4,}\b"
)


def unknown_contact(folded: str, registry: Registry | None) -> bool:
    """Whether a folded sentence names a number or an address that the registry lacks."""
    if any(registry is None or not registry.allows_url(url) for url in find_urls(folded)):
        return True
    numbers = find_numbers(_URL.sub(" ", folded))
    return any(registry is None or not registry.allows_number(number) for number in numbers)


def find_urls(folded: str) -> Iterator[str]:
    """Yield web and mail addresses."""
    for match in _URL.finditer(folded):
        yield match[0].rstrip(".,;:!?")


def find_numbers(folded: str) -> Iterator[str]:
    """Yield what a reader may take for a phone number: long ones, known ones, ones to call."""
    calls = bool(_CALL.search(folded))
    for match in _VANITY.finditer(folded):
        yield match[0]
    for match in _DIGITS.finditer(folded):
        digits = re.sub(r"\D", "", match[0])
        if (
            digits in _EMERGENCY
            or len(digits) >= 7
            or (calls and len(digits) >= 3 and not _counts_something(folded, match, digits))
        ):
            yield match[0].strip()
    if calls or "nine one one" in folded or "nine eight eight" in folded:
        for match in _SPELLED_NUMBER.finditer(folded):
            yield "".join(_SPELLED.get(word, "00") for word in re.split(r"[\s-]+", match[0]))


def _counts_something(folded: str, match: re.Match[str], digits: str) -> bool:
    if _UNIT.match(folded, match.end()) or re.fullmatch(r"\d(?:-\d)+", match[0]):
        return True  # "100 times"; "5-4-3-2-1"
    before = folded[: match.start()]
    year = len(digits) == 4 and digits[:2] in {"19", "20"}
    return bool(_BEFORE_AMOUNT.search(before)) and (year or not re.search(r"\bin\s*$", before))
