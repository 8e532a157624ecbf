"""The registry of helplines: the only source of phone numbers for what a person reads."""

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import ErrorDetails

DEFAULT_PATH: Final = Path(__file__).with_name("helplines.toml")
FALLBACK_SITE: Final = "findahelpline.com"
"""ThroughLine's directory of helplines in over 130 countries; named where no line is known."""

_ALIASES: Final = {"UK": "GB"}
_SEPARATORS: Final = r"\s().\-\u2010-\u2015"
_NUMBER: Final = re.compile(rf"\+?\d[\d{_SEPARATORS}]*\d")
_NOT_DIALLED: Final = re.compile(rf"[{_SEPARATORS}]")

_SHORT: Final = 4
"""Words of an answer that is little more than a name."""
_HERE: Final = (
    r"(?:(?:\b(?:i['’]?m|i am|we['’]?re|we are)"
    r"|^\W*(?:live|living|based|stuck|currently|now)|\bhere"
    r"|\b(?:i|we)(?: (?:now|still|currently|also|just|only|actually))* live"
    r"|\b(?:i['’]?m|i am) from [^.?!\n]{1,40} (?:but|and)(?: i)?(?: now)? live)"
    r"(?: (?:right now|now|here|living|based|over|back|currently|still|stuck|staying))*) in "
    r"(?:(?:an?|the) (?:\w+ ){1,3}(?:in|of) )?(?:the )?"
)
"""Only of the writer: "my sister lives in", "I used to live in" and "I want to live in" are not."""
_ELSEWHERE: Final = (
    r"(?i:(?<!new )(?<!new south )(?!(?<=north )korea)(?!(?<=latin )america|(?<=south )america)"
    r"(?!(?<=central )america))"
)
"""New Mexico is not Mexico."""
_DENIED: Final = re.compile(r"(?i:\b(?:not|n't|never|left|outside)(?: in| from)?(?: the)? ?)$")

Text = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Confidence = Literal["high", "medium"]


class RegistryError(ValueError):
    """The registry cannot be read; the message names the country and the field."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Line(_Frozen):
    """One service that a person can reach, with what is known about it."""

    name: Text
    call: Text | None = None
    """Number to call, as shown to the person."""
    sms: Text | None = None
    """Number to text, or word and number, such as "HOME to 741741"."""
    chat: Text | None = None
    """Site of the service's own chat, without the scheme."""
    tel: Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")] | None = None
    """The called number after ITU-T E.164, for links; none for short codes and freephone numbers,
    which a country code turns into somebody else's number."""
    hours: Text
    languages: Annotated[tuple[Language, ...], Strict(False), Field(min_length=1)]
    audience: Text
    source: Text
    checked: date | Literal["unknown"]
    checked_by: Text
    confidence: Confidence

    @model_validator(mode="after")
    def _reachable(self) -> "Line":
        if not (self.call or self.sms or self.chat):
            raise ValueError("call, sms or chat is needed")
        for field in ("call", "sms"):
            shown = getattr(self, field)
            if shown and not any(_numbers_in(shown)):
                raise ValueError(f"{field} has no number in it")
        if self.chat and _host(self.chat) is None:
            raise ValueError("chat is not a site")
        if self.tel:
            national = [number.lstrip("0") for number in _numbers_in(self.call or "")]
            if not any(self.tel.endswith(number) for number in national):
                raise ValueError("tel is not the number that call shows")
        return self


class Country(_Frozen):
    """How to reach a human in one country."""

    code: CountryCode
    """ISO 3166-1 alpha-2."""
    name: Text
    aliases: Annotated[tuple[Text, ...], Strict(False)] = ()
    """Other names by which people say where they are."""
    emergency: Annotated[tuple[Text, ...], Strict(False), Field(min_length=1)]
    """Emergency numbers as shown to the person, the first one first."""
    emergency_source: Text
    emergency_confidence: Confidence
    lines: Annotated[tuple[Line, ...], Strict(False)]
    """The line to offer first comes first; none where no line is known well enough."""

    @model_validator(mode="after")
    def _callable(self) -> "Country":
        for shown in self.emergency:
            if not any(_numbers_in(shown)):
                raise ValueError("emergency has an entry without a number")
        return self


class Registry(_Frozen):
    """All countries, and what may be shown of numbers and sites."""

    countries: Annotated[
        tuple[Country, ...], Strict(False), Field(min_length=1, validation_alias="country")
    ]

    @model_validator(mode="after")
    def _unique(self) -> "Registry":
        codes = [country.code for country in self.countries]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self

    def country(self, code: str | None) -> Country | None:
        """Return the country of an ISO 3166-1 alpha-2 code; "UK" is understood as GB."""
        if not code:
            return None
        wanted = code.strip().upper()
        return self._by_code.get(_ALIASES.get(wanted, wanted))

    def said_in(self, message: str, *, asked: bool = False) -> str | None:
        """Return the code of the country in which a person says that they are.

        Args:
            message: what the person wrote.
            asked: whether they were asked for it, so that a bare name is an answer; else the
                message must say "in Nepal" of the writer ("I'm in", "I live in", "here in").
        """
        names = self._lived_in
        if asked:
            # In a short answer "us" is the country, in a longer one it may be the word.
            names = self._answered if len(message.split()) <= _SHORT else self._named
        found = [
            match
            for match in names.finditer(message)
            if not _DENIED.search(message[: match.start()])
        ]
        return self._by_name[_name(found[-1]["name"])] if found else None

    def allows_number(self, text: str) -> bool:
        """Tell whether a number found in a text is one of the registry's."""
        return _digits(text) in self._numbers

    def allows_url(self, host_or_url: str) -> bool:
        """Tell whether a site is a chat of the registry's or the fallback directory."""
        host = _host(host_or_url)
        if host is None:
            return False
        return any(host == known or host.endswith(f".{known}") for known in self._hosts)

    @cached_property
    def _by_code(self) -> dict[str, Country]:
        return {country.code: country for country in self.countries}

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {
            _name(name): country.code
            for country in self.countries
            for name in (country.name, *country.aliases)
        }

    @cached_property
    def _named(self) -> re.Pattern[str]:
        names = [name for country in self.countries for name in (country.name, *country.aliases)]
        # The longest first, so that Northern Ireland is not Ireland. In capitals as they stand:
        # "us" is a word.
        listed = "|".join(
            name if (name := re.escape(each)).isupper() else f"(?i:{name})"
            for each in sorted(names, key=len, reverse=True)
        )
        return re.compile(rf"(?<!\w){_ELSEWHERE}(?P<name>{listed})(?!\w)")

    @cached_property
    def _answered(self) -> re.Pattern[str]:
        return re.compile(self._named.pattern, re.IGNORECASE)

    @cached_property
    def _lived_in(self) -> re.Pattern[str]:
        return re.compile(_HERE + self._named.pattern, re.IGNORECASE)

    @cached_property
    def _numbers(self) -> frozenset[str]:
        shown = [text for country in self.countries for text in country.emergency]
        for line in self._lines():
            shown += [text for text in (line.call, line.sms, line.tel) if text]
        return frozenset(number for text in shown for number in _numbers_in(text))

    @cached_property
    def _hosts(self) -> frozenset[str]:
        sites = [FALLBACK_SITE, *(line.chat for line in self._lines() if line.chat)]
        return frozenset(host for host in map(_host, sites) if host)

    def _lines(self) -> Iterator[Line]:
        return (line for country in self.countries for line in country.lines)


def load_registry(path: Path = DEFAULT_PATH) -> Registry:
    """Read and check the registry.

    Raises:
        RegistryError: The file is missing, is not TOML, or has a wrong or unknown field.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"{path.name}: {error}") from error
    try:
        return Registry.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(_explain(fault, data) for fault in error.errors())
        raise RegistryError(f"{path.name}: {faults}") from error


def _explain(fault: ErrorDetails, data: dict[str, Any]) -> str:
    """Say which country and field are wrong, since a place in a list helps nobody."""
    place = list(fault["loc"])
    where = ""
    if len(place) > 1 and place[0] == "country" and isinstance(place[1], int):
        entry = data["country"][place[1]]
        code = entry.get("code") if isinstance(entry, dict) else None
        where = f"country {code or f'number {place[1] + 1}'}: "
        place = place[2:]
    field = ".".join(map(str, place))
    return f"{where}{field}: {fault['msg']}" if field else f"{where}{fault['msg']}"


def _name(name: str) -> str:
    return name.casefold()


def _digits(number: str) -> str:
    """Return the digits to dial, or the text as it is when it holds more than a number."""
    bare = _NOT_DIALLED.sub("", number)
    return bare.removeprefix("+")


def _numbers_in(shown: str) -> Iterator[str]:
    return (_digits(match.group()) for match in _NUMBER.finditer(shown))


def _host(host_or_url: str) -> str | None:
    text = host_or_url.strip()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        return None
    if not host or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+\.?", host):
        return None
    return host.rstrip(".").removeprefix("www.")
