"""What people at risk, and people without, write to the program: the protocol suite's input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nodes.review.sentences import split_sentences
from nodes.review.text import fold
from training.data import DataError

SHIPPED: Final = Path(__file__).parent / "data" / "transcripts.jsonl"

Risk = Literal["none", "concern", "high", "imminent", "third_person", "self_harm", "denial"]
Aspect = Literal["plan", "means", "time", "care"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _UserTurn(_Strict):
    role: Literal["user"]
    text: str = Field(min_length=1)


class Transcript(_Strict):
    """What one person writes, in order, whatever they are answered."""

    id: str = Field(min_length=1)
    risk: Risk
    style: str = Field(min_length=1)
    country: str = Field("", pattern=r"^([A-Z]{2})?$")
    """ISO 3166-1 alpha-2; empty where nobody has said."""
    shows: int = Field(1, ge=1)
    """The message, counted from 1, that first shows danger."""
    acute: bool = False
    """Whether somebody is in danger now, by a plan with means or time, or an act under way."""
    clear: tuple[Aspect, ...] = ()
    """What the person makes clear without being asked."""
    turns: tuple[_UserTurn, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> Transcript:
        if self.shows > len(self.turns):
            raise ValueError("danger shows after the last message")
        if self.risk == "none" and (self.acute or self.shows != 1):
            raise ValueError("there is no danger that could show or be acute")
        return self

    @property
    def tags(self) -> frozenset[str]:
        """What the rules' `for` and `not_for` may name."""
        tags = {"all", self.risk} | ({"risk"} if self.risk != "none" else set())
        return frozenset(tags | ({"acute"} if self.acute or self.risk == "imminent" else set()))


@dataclass(frozen=True)
class Played:
    """A transcript with what the program read and replied at each message."""

    transcript: Transcript
    levels: tuple[str, ...]
    replies: tuple[str, ...]

    @cached_property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """The folded sentences of each reply."""
        return tuple(
            tuple(fold(sentence) for sentence in split_sentences(reply)) for reply in self.replies
        )

    @cached_property
    def detected(self) -> int | None:
        """The message, counted from 1, at which the level has left "none" since danger shows."""
        first = self.transcript.shows
        turns = range(first, len(self.levels) + 1)
        return next((turn for turn in turns if self.levels[turn - 1] != "none"), None)


def load_transcripts(path: Path = SHIPPED) -> list[Transcript]:
    """Read transcripts from JSON lines.

    Raises:
        DataError: the file is missing, or a line is not a transcript; no text is quoted.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as exc:
        raise DataError(f"{path} is missing") from exc
    read = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read.append(Transcript.model_validate_json(line))
        except ValidationError as exc:
            first = exc.errors(include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "line"
            # Without the cause: a validation error prints what the person wrote.
            raise DataError(f"{path} line {number}: {where}: {first['msg']}") from None
    return read
