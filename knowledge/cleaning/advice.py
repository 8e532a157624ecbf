"""Finds advice that must not be offered to a person in distress, by rules kept as data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from knowledge.sentences import split_sentences

DEFAULT_PATH: Final = Path(__file__).with_name("advice_rules.toml")

_MAX_WORDS: Final = 80
"""Characters of the matched words that a report shows."""
_LIST_NAME: Final = re.compile(r"%(\w+)%")
_QUOTED: Final = re.compile(r'"[^"]{1,300}"')
_DENIED: Final = re.compile(
    # Words that deny what follows or warn of it; a condition; what other people say.
    r"(?:\b(?:not|never|no|none|nobody|without|avoid|rather than|instead of|myth|wrong|harmful|"
    r"cannot|false|untrue|nor|doubt|against|discourag\w+|immediate thought)\b|n't\b|\bdont\b)"
    r"[^;:!?]{0,60}\Z"
    r"|\b(?:if|whether|unless)\b[^,;:!?]{0,25}\Z"
    r"|(?:\b(?:people|society|others?|someone|anyone|parents|men|family|friends?|abusers?|"
    r"churches|they|he|she|religions?) (?:\w+ ){0,3}(?:says?|tells?|told|said|believes?|thinks?|"
    r"thought|claims?|argues?|feels?)\b"
    r"|\b(?:were|was|been|are|being) (?:told|taught|raised)\b)[^;!?]{0,60}\Z"
)
_Text = Annotated[str, StringConstraints(min_length=1)]


class AdviceRuleError(ValueError):
    """The file of advice rules cannot be used."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: _Text
    why: _Text
    patterns: list[_Text] = Field(min_length=1)
    needs: list[_Text] = []
    unless: list[_Text] = []
    questions: bool = False
    hits: list[_Text] = Field(min_length=3)
    near_misses: list[_Text] = Field(min_length=3)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    lists: dict[str, list[_Text]] = {}
    rule: list[_Entry] = Field(min_length=1)


@dataclass(frozen=True)
class AdviceFault:
    """Why a text may not be offered."""

    name: str
    why: str
    words: str
    """The words that broke the rule, and no more of the text."""


@dataclass(frozen=True)
class AdviceRule:
    """A kind of advice that must not be offered, with examples."""

    name: str
    why: str
    pattern: re.Pattern[str]
    needs: re.Pattern[str] | None
    """What has to be found somewhere in the text as well."""
    unless: re.Pattern[str] | None
    """A hit that starts inside a match of this is excused."""
    questions: bool
    """Whether a question can break the rule."""
    hits: tuple[str, ...]
    near_misses: tuple[str, ...]

    def first_hit(self, sentences: Sequence[str], text: str) -> str:
        """Return the first words of the folded sentences that break the rule, or nothing."""
        if self.needs is not None and not self.needs.search(text):
            return ""
        hits = (hit for sentence in sentences for hit in self._hits(sentence))
        return next(hits, "")

    def _hits(self, sentence: str) -> Iterator[str]:
        if not self.questions and sentence.endswith("?"):
            return
        excused: list[tuple[int, int]] | None = None
        for match in self.pattern.finditer(sentence):
            if excused is None:
                excused = (
                    [each.span() for each in self.unless.finditer(sentence)] if self.unless else []
                )
            start = match.start()
            if any(first <= start < end for first, end in excused):
                continue
            if not _DENIED.search(sentence, 0, start):
                yield match[0].strip()


def harmful_advice(text: str) -> list[AdviceFault]:
    """Return what in the text must not be offered, once for each rule; empty when it is sound."""
    sentences = [fold(sentence) for sentence in split_sentences(text)]
    folded = " ".join(sentences)
    return [
        AdviceFault(rule.name, rule.why, hit[:_MAX_WORDS])
        for rule in advice_rules()
        if (hit := rule.first_hit(sentences, folded))
    ]


def fold(sentence: str) -> str:
    """Return the sentence in lower case, with straight quotes and without what is quoted."""
    sentence = sentence.lower().replace("’", "'").replace("‘", "'")
    sentence = " ".join(sentence.replace("“", '"').replace("”", '"').split())
    return _QUOTED.sub('""', sentence)


@cache
def advice_rules(path: Path = DEFAULT_PATH) -> tuple[AdviceRule, ...]:
    """Read, check and compile the rules.

    Raises:
        AdviceRuleError: the file is missing, is not TOML, or a rule in it is not sound.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as exc:
        raise AdviceRuleError(f"{path.name}: {exc}") from exc
    names = [entry.name for entry in file.rule]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AdviceRuleError(f"{path.name}: rules named twice: {', '.join(twice)}")
    return tuple(_compile_rule(entry, file.lists) for entry in file.rule)


def _compile_rule(entry: _Entry, lists: Mapping[str, list[str]]) -> AdviceRule:
    try:
        pattern = _compile(entry.patterns, lists)
        needs, unless = (
            _compile(patterns, lists) if patterns else None
            for patterns in (entry.needs, entry.unless)
        )
    except (re.error, KeyError, RecursionError) as exc:
        raise AdviceRuleError(f"rule {entry.name!r}: bad pattern: {exc}") from exc
    return AdviceRule(
        name=entry.name,
        why=entry.why,
        pattern=pattern,
        needs=needs,
        unless=unless,
        questions=entry.questions,
        hits=tuple(entry.hits),
        near_misses=tuple(entry.near_misses),
    )


def _compile(patterns: Sequence[str], lists: Mapping[str, list[str]]) -> re.Pattern[str]:
    """Join the patterns into one that starts where a word starts."""

    def expand(match: re.Match[str]) -> str:
        return "(?:" + "|".join(_LIST_NAME.sub(expand, part) for part in lists[match[1]]) + ")"

    joined = "|".join(f"(?:{_LIST_NAME.sub(expand, pattern)})" for pattern in patterns)
    return re.compile(r"(?<!\w)(?:" + joined.replace("'?", "'").replace("'", "'?") + ")")
