"""The rules of the review as data: loading, checking and compiling `review_rules.toml`."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from nodes.review.structure import STRUCTURE
from nodes.review.text import fold, stems, without_quotes, words

DEFAULT_PATH: Final = Path(__file__).resolve().parents[2] / "knowledge" / "review_rules.toml"

Place = Literal["any", "first", "last"]
_Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=False)]
_LIST_NAME: Final = re.compile(r"%(\w+)%")


class ReviewRuleError(ValueError):
    """The file of review rules cannot be used."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: _Text
    why: _Text


class _RuleEntry(_Entry):
    patterns: list[_Text] = Field(min_length=1)
    unsaid: list[_Text] = []
    unless: list[_Text] = []
    unless_person: list[_Text] = []
    where: Place = "any"
    quoted: bool = False
    hits: list[_Text] = Field(min_length=3)
    near_misses: list[_Text] = Field(min_length=3)


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    lists: dict[str, list[_Text]] = {}
    rule: list[_RuleEntry] = Field(min_length=1)
    structure: list[_Entry]


@dataclass(frozen=True)
class PhraseRule:
    """Wording that a reply may not hold."""

    name: str
    why: str
    pattern: re.Pattern[str]
    unsaid: re.Pattern[str] | None
    """Words that the person must have used first."""
    unless: re.Pattern[str] | None
    """A hit that starts inside a match of this is excused."""
    unless_person: re.Pattern[str] | None
    """The rule is off when the person's last message matches this."""
    where: Place
    quoted: bool
    """Whether words quoted inside a sentence count as well."""
    hits: tuple[str, ...]
    near_misses: tuple[str, ...]

    def matches(self, sentence: str, person: str = "") -> bool:
        """Whether the sentence breaks the rule, after these words of the person."""
        folded = fold(sentence)
        text = folded if self.quoted else without_quotes(folded)
        return self.matches_folded(text, stems(words(person)))

    def matches_folded(self, folded: str, person: frozenset[str]) -> bool:
        """Like `matches`, for a folded sentence and the stems of what the person said."""
        hits = list(_every(self.pattern, folded))
        if self.unsaid is not None:
            unsaid = _every(self.unsaid, folded)
            hits += (hit for hit in unsaid if not stems(words(hit[0])) & person)
        if not hits or self.unless is None:
            return bool(hits)
        excused = [match.span() for match in self.unless.finditer(folded)]
        return any(not any(start <= hit.start() < end for start, end in excused) for hit in hits)

    def applies_to(self, last_message: str) -> bool:
        """Whether the rule holds after this message of the person (folded)."""
        return self.unless_person is None or not self.unless_person.search(last_message)


@dataclass(frozen=True)
class ReviewRules:
    """All rules of the review: phrases by name and place, and the texts of the rules of form."""

    phrases: tuple[PhraseRule, ...]
    structure: Mapping[str, str]
    """Why, by the name of the rule of form."""


def load_review_rules(path: Path = DEFAULT_PATH) -> ReviewRules:
    """Read, check and compile the review rules.

    Raises:
        ReviewRuleError: The file is missing, is not TOML, or a rule in it is not sound.
    """
    try:
        entries = _RuleFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as exc:
        raise ReviewRuleError(f"{path.name}: {exc}") from exc
    names = [entry.name for entry in (*entries.rule, *entries.structure)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ReviewRuleError(f"{path.name}: rules named twice: {', '.join(twice)}")
    structure = {entry.name: entry.why for entry in entries.structure}
    if structure.keys() != STRUCTURE.keys():
        odd = ", ".join(sorted(structure.keys() ^ STRUCTURE.keys()))
        raise ReviewRuleError(f"{path.name}: rules of form that do not match the code: {odd}")
    return ReviewRules(
        phrases=tuple(_compile_rule(entry, entries.lists) for entry in entries.rule),
        structure=structure,
    )


def _every(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield overlapping matches too: an excused one must not hide the next."""
    match = pattern.search(text)
    while match is not None:
        yield match
        match = pattern.search(text, match.start() + 1)


def _compile_rule(entry: _RuleEntry, lists: Mapping[str, list[str]]) -> PhraseRule:
    try:
        pattern = _compile(entry.patterns, lists)
        unsaid, unless, unless_person = (
            _compile(patterns, lists) if patterns else None
            for patterns in (entry.unsaid, entry.unless, entry.unless_person)
        )
    except (re.error, KeyError, RecursionError) as exc:
        raise ReviewRuleError(f"rule {entry.name!r}: bad pattern: {exc}") from exc
    return PhraseRule(
        name=entry.name,
        why=entry.why,
        pattern=pattern,
        unsaid=unsaid,
        unless=unless,
        unless_person=unless_person,
        where=entry.where,
        quoted=entry.quoted,
        hits=tuple(entry.hits),
        near_misses=tuple(entry.near_misses),
    )


def _compile(patterns: Sequence[str], lists: Mapping[str, list[str]]) -> re.Pattern[str]:
    """Join the patterns into one that starts where a word or a sign starts."""

    def expand(match: re.Match[str]) -> str:
        return "(?:" + "|".join(_LIST_NAME.sub(expand, part) for part in lists[match[1]]) + ")"

    joined = "|".join(f"(?:{_LIST_NAME.sub(expand, pattern)})" for pattern in patterns)
    return re.compile(r"(?:\b(?=\w)|(?=[^\w\s]))(?:" + joined.replace("'", "'?") + ")")
