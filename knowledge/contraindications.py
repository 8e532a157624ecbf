"""What is not to be offered to this person, read from what they wrote: rules in a data file.

After the harms that Britton et al. (2021) found with meditation, Psychological First Aid (WHO et
al. 2011), and the WHO's handbook on violence by partners (2014).
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from knowledge.cards import Card, Slug, Technique

DEFAULT_PATH: Final = Path(__file__).with_name("contraindications.toml")

ALWAYS_OFFERED: Final[frozenset[Technique]] = frozenset({"seeking-help", "safety"})
"""Techniques that lead to people and to safety; no rule may take them away."""

_LIST: Final = re.compile(r"%(\w+)%")
_NOTHING: Final = r"(?!)"
"""Matches no text."""
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("'’‘`´ʼ′", None))
_SPACE: Final = re.compile(r"[^\S\n]+")
_END: Final = re.compile(r"[.?!\n]")
_NonEmpty = Annotated[str, Field(min_length=1)]
_Texts = Annotated[list[_NonEmpty], Field(min_length=1)]


class ContraindicationError(ValueError):
    """The file of contraindications cannot be used."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Each(_Strict):
    """A rule that is made for every technique that has names."""

    name: Slug
    why: _NonEmpty
    says: _Texts
    unless: list[_NonEmpty] = []
    lifted_by: list[_NonEmpty] = []
    beside: bool = False


class _Rule(_Each):
    techniques: list[Technique] = []
    cards: list[Slug] = []

    @model_validator(mode="after")
    def _rules_something_out(self) -> "_Rule":
        if not self.techniques and not self.cards:
            raise ValueError("rules out neither a technique nor a card")
        if kept := ALWAYS_OFFERED.intersection(self.techniques):
            raise ValueError(f"{', '.join(sorted(kept))} must stay on offer")
        return self


class _File(_Strict):
    lists: dict[str, _Texts]
    names: dict[Technique, _Texts]
    beside: dict[Technique, list[Slug]]
    each: list[_Each]
    rule: list[_Rule]

    @model_validator(mode="after")
    def _is_sound(self) -> "_File":
        if kept := ALWAYS_OFFERED.intersection(self.names):
            raise ValueError(f"{', '.join(sorted(kept))} must stay on offer")
        names = [entry.name for entry in (*self.each, *self.rule)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"listed twice: {', '.join(sorted(twice))}")
        return self


@dataclass(frozen=True)
class RuledOut:
    """What is not to be offered in this conversation."""

    techniques: frozenset[Technique] = frozenset()
    cards: frozenset[str] = frozenset()
    why: tuple[str, ...] = ()
    """Reasons in plain words, in the order of the file; never what the person wrote."""

    def excludes(self, card: Card) -> bool:
        """Tell whether `card` is out, by its technique or by its id."""
        return card.technique in self.techniques or card.id in self.cards


class _Patterns:
    """A rule's patterns, compiled when a text first holds what it needs.

    All of them at once would take a second at every start.
    """

    def __init__(self, rule: _Each, lists: Mapping[str, Sequence[str]], needs: str) -> None:
        self._rule, self._lists = rule, lists
        self._needs = re.compile(needs)

    @cached_property
    def _says(self) -> re.Pattern[str]:
        return _compile(self._rule.says, self._lists)

    @cached_property
    def _unless(self) -> re.Pattern[str]:
        return _compile(self._rule.unless or [_NOTHING], self._lists)

    @cached_property
    def _lifted_by(self) -> re.Pattern[str]:
        return _compile(self._rule.lifted_by or [_NOTHING], self._lists)

    def hold(self, messages: Sequence[str]) -> bool:
        """Tell whether a message says so and no later one takes it back."""
        held = False
        for plain in messages:
            if not self._needs.search(plain):
                continue
            if self._said(plain):
                held = True
            elif held and self._lifted_by.search(plain):
                held = False
        return held

    def _said(self, plain: str) -> bool:
        return any(
            not self._unless.search(_sentences_around(plain, hit))
            for hit in self._says.finditer(plain)
        )


@dataclass(frozen=True)
class _Contraindication:
    name: str
    why: str
    techniques: frozenset[Technique]
    cards: frozenset[str]
    patterns: _Patterns


def _sentences_around(plain: str, hit: re.Match[str]) -> str:
    ends = [match.end() for match in _END.finditer(plain, 0, hit.start())]
    after = _END.search(plain, hit.end())
    return plain[ends[-1] if ends else 0 : after.start() if after else len(plain)]


class Contraindications:
    """Rules that say which techniques and cards are bad for whom."""

    def __init__(self, file: _File) -> None:
        _check_patterns(file)
        self._rules = tuple(_rules(file))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rules; one that is made for each technique has it after a colon."""
        return tuple(rule.name for rule in self._rules)

    @property
    def cards(self) -> frozenset[str]:
        """The ids of all cards that some rule names."""
        return frozenset().union(*(rule.cards for rule in self._rules))

    def holding(self, messages: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the rules that hold for a person who wrote `messages`."""
        return tuple(rule.name for rule in self._holding(messages))

    def ruled_out(self, messages: Sequence[str]) -> RuledOut:
        """Return what not to offer to a person who wrote `messages`, oldest first."""
        rules = self._holding(messages)
        return RuledOut(
            techniques=frozenset().union(*(rule.techniques for rule in rules)),
            cards=frozenset().union(*(rule.cards for rule in rules)),
            why=tuple(dict.fromkeys(rule.why for rule in rules)),
        )

    def _holding(self, messages: Sequence[str]) -> list[_Contraindication]:
        plain = [_plain(message) for message in messages]
        return [rule for rule in self._rules if rule.patterns.hold(plain)]


def load_contraindications(path: Path = DEFAULT_PATH) -> Contraindications:
    """Read and check the rules.

    Raises:
        ContraindicationError: the file is missing, is not TOML, or holds a wrong rule or pattern.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        return Contraindications(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ContraindicationError(f"{path.name}: {error}") from error
    except (re.error, KeyError, RecursionError) as error:
        raise ContraindicationError(f"{path.name}: bad pattern: {error}") from error


def _rules(file: _File) -> Iterator[_Contraindication]:
    for rule in file.rule:
        beside = [card for each in rule.techniques for card in file.beside.get(each, ())]
        yield _Contraindication(
            rule.name,
            rule.why,
            frozenset(rule.techniques),
            frozenset([*rule.cards, *(beside if rule.beside else ())]),
            _Patterns(rule, file.lists, ""),
        )
    for each in file.each:
        for technique, names in file.names.items():
            cards = file.beside.get(technique, []) if each.beside else []
            yield _Contraindication(
                f"{each.name}:{technique}",
                f"{each.why}: {technique.replace('-', ' ')}",
                frozenset([technique]),
                frozenset(cards),
                _Patterns(each, {**file.lists, "names": names}, "|".join(names)),
            )


def _check_patterns(file: _File) -> None:
    # Those made for each technique differ in its names alone, so any word stands for them here.
    lists = {**file.lists, "names": ["x"]}
    for rule in (*file.rule, *file.each):
        for patterns in (rule.says, rule.unless, rule.lifted_by):
            _compile(patterns or [_NOTHING], lists)


def _compile(patterns: Sequence[str], lists: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    def spell_out(match: re.Match[str]) -> str:
        return f"(?:{_LIST.sub(spell_out, '|'.join(lists[match[1]]))})"

    joined = _LIST.sub(spell_out, "|".join(patterns))
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)")


def _plain(message: str) -> str:
    return _SPACE.sub(" ", message.lower().translate(_APOSTROPHES)).strip()
