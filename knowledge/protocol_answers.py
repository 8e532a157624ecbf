"""How a person's answers to the crisis protocol are read: patterns in a data file, checked."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge.protocol_texts import Audience

DEFAULT_PATH: Final = Path(__file__).parent / "protocol" / "answers.toml"

Answer = Literal["reached", "refuses", "safe", "other"]
"""What a person says of help: it was reached, they do not want it or cannot, they are safe."""

ANY: Final = "any"
"""The kind of a barrier that is not known."""

_LIST: Final = re.compile(r"%(\w+)%")
_SENTENCE: Final = re.compile(r"[.?!\n]")
_NOTHING: Final = r"(?!)"
"""Matches no text."""
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("'’‘`´ʼ", None))
_NonEmpty = Annotated[str, Field(min_length=1)]
_Patterns = Annotated[list[_NonEmpty], Field(min_length=1)]


class ProtocolAnswerError(ValueError):
    """The patterns of answers cannot be read."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Entry(_Strict):
    examples: _Patterns
    patterns: _Patterns
    unless: list[_NonEmpty] = []
    unless_elsewhere: list[_NonEmpty] = []


class _File(_Strict):
    lists: dict[str, _Patterns]
    reached: _Entry
    refuses: _Entry
    safe: _Entry
    barriers: dict[Audience, dict[str, _Patterns]]


class _Reading:
    """One answer's patterns, compiled."""

    def __init__(self, entry: _Entry, lists: Mapping[str, Sequence[str]]) -> None:
        self._pattern = _compile(entry.patterns, lists)
        self._unless = _compile(entry.unless or [_NOTHING], lists)
        self._elsewhere = _compile(entry.unless_elsewhere or [_NOTHING], lists)

    def fits(self, plain: str) -> bool:
        """Tell whether a sentence says so, and nothing in the message takes it back."""
        said = (
            self._pattern.search(sentence) and not self._unless.search(sentence)
            for sentence in _SENTENCE.split(plain)
        )
        return any(said) and not self._elsewhere.search(plain)


class ProtocolAnswers:
    """Reads what a message says of help, and what stands in the way of it."""

    def __init__(self, file: _File) -> None:
        self._entries: dict[Answer, _Reading] = {
            # Help that was reached counts before the doubts that are told beside it.
            "reached": _Reading(file.reached, file.lists),
            "refuses": _Reading(file.refuses, file.lists),
            "safe": _Reading(file.safe, file.lists),
        }
        self._barriers = {
            audience: {kind: _compile(each, file.lists) for kind, each in kinds.items()}
            for audience, kinds in file.barriers.items()
        }

    def read(self, message: str) -> Answer:
        """Return what the message says of help."""
        plain = _plain(message)
        return next((answer for answer, each in self._entries.items() if each.fits(plain)), "other")

    def barrier(self, message: str, audience: Audience) -> str:
        """Return the kind of what stands in the way, or "any"."""
        plain = _plain(message)
        kinds = self._barriers[audience]
        return next((kind for kind, each in kinds.items() if each.search(plain)), ANY)

    def kinds(self, audience: Audience) -> list[str]:
        """Return the kinds of barrier that can be read."""
        return list(self._barriers[audience])


def load_protocol_answers(path: Path = DEFAULT_PATH) -> ProtocolAnswers:
    """Read and check the patterns.

    Raises:
        ProtocolAnswerError: the file is missing, is not TOML, or holds a wrong entry or pattern.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        return ProtocolAnswers(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ProtocolAnswerError(f"{path.name}: {error}") from error
    except (re.error, KeyError, RecursionError) as error:
        raise ProtocolAnswerError(f"{path.name}: bad pattern: {error}") from error


def _plain(message: str) -> str:
    return re.sub(r"[^\S\n]+", " ", message.lower().translate(_APOSTROPHES))


def _compile(patterns: Sequence[str], lists: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    def spell_out(match: re.Match[str]) -> str:
        return f"(?:{_LIST.sub(spell_out, '|'.join(lists[match[1]]))})"

    joined = _LIST.sub(spell_out, "|".join(patterns))
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)")
