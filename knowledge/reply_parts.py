"""The wordings of the composed reply, and the cues that choose between them.

All are in `reply_parts.toml`; this checks the file and gives it types.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from graph.state import Intent
from models.labels import EMOTIONS

DEFAULT_PATH: Final = Path(__file__).with_name("reply_parts.toml")


class ReplyPartError(ValueError):
    """The file of reply parts cannot be used; the message names the field."""


def _check(mark: str, *slots: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(wordings: tuple[str, ...]) -> tuple[str, ...]:
        for number, wording in enumerate(wordings, start=1):
            if sorted(re.findall(r"\{(.*?)\}", wording)) != sorted(slots):
                raise ValueError(f"wording {number} must have the slots {slots} and no other")
            if not re.fullmatch(rf"[A-Z][^?!\s]*(?: [^?!\s]+)*\{mark}", wording):
                raise ValueError(f"wording {number} is not one sentence that ends in {mark!r}")
        if len(set(wordings)) < len(wordings):
            raise ValueError("a wording is there twice")
        return wordings

    return check


def _compile(patterns: object) -> object:
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise ValueError("must be a list of regular expressions")
    try:
        return re.compile("|".join(patterns), re.I)
    except re.error as exc:
        raise ValueError(f"not a regular expression: {exc}") from exc


_Many = Annotated[tuple[str, ...], Strict(False), Field(min_length=5)]
Words = Annotated[tuple[str, ...], Strict(False)]
Cue = Annotated[re.Pattern[str], BeforeValidator(_compile)]
Statements = Annotated[_Many, AfterValidator(_check("."))]
Questions = Annotated[_Many, AfterValidator(_check("?"))]
WithFeeling = Annotated[_Many, AfterValidator(_check(".", "feeling"))]
WithTopic = Annotated[_Many, AfterValidator(_check(".", "topic"))]
WithBoth = Annotated[_Many, AfterValidator(_check(".", "feeling", "topic"))]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Naming(_Strict):
    """Ways to name a feeling: sure or tentative, with the person's noun or without."""

    sure: WithFeeling
    sure_topic: WithBoth
    tentative: WithFeeling
    tentative_topic: WithBoth


class Tone(_Strict):
    """What the groups of one tone share."""

    mirror_topic: WithTopic
    mirror: Statements
    perspective: Statements
    intents: dict[Intent, Statements]


class Group(_Strict):
    """Emotions that call for the same perspective."""

    tone: Literal["hard", "glad", "plain"]
    emotions: Words
    perspective: Statements
    questions: Questions


class Shared(_Strict):
    """Parts that fit any group, unless their name says otherwise."""

    questions: Questions
    invitations: Statements
    leads: Statements
    steps: Statements
    after_step: Statements
    people: Statements
    loss_topic: WithTopic
    loss: Statements


class Registers(_Strict):
    """Answers to messages that are about the talk itself."""

    frustrated: Statements
    hello: Statements
    identity: Statements
    able: Statements
    thanks: Statements
    goodbye: Statements
    door: Statements
    brief: Statements
    no_words: Statements
    write: Statements


class Cues(_Strict):
    """Regular expressions that tell what kind of message this is."""

    frustrated: Cue
    reported: Cue
    no_questions: Cue
    hello: Cue
    about: Cue
    thanks: Cue
    goodbye: Cue
    brief: Cue
    asks: Cue
    panic: Cue
    grief: Cue
    hard: Cue


class Topics(_Strict):
    """Lists of common life nouns, to find what a message is about in the person's own words."""

    sleepless: Cue
    kin: Words
    pets: Words
    others: Words
    names: Words
    events: Words
    things: Words
    conditions: Words
    bare: Words
    modifiers: Words
    tails: Words
    spoilers: Words
    is_or_has: Words


class ReplyParts(_Strict):
    """All wordings of the composed reply, and the cues that choose between them."""

    feelings: dict[str, str]
    naming: Naming
    tones: dict[Literal["hard", "glad", "plain"], Tone]
    groups: dict[str, Group]
    shared: Shared
    registers: Registers
    cues: Cues
    topics: Topics

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if sorted(self.feelings) != sorted(EMOTIONS):
            raise ValueError("feelings must name each of the 32 emotions")
        grouped = [emotion for group in self.groups.values() for emotion in group.emotions]
        if sorted(grouped) != sorted([*EMOTIONS, "unknown"]):
            raise ValueError("each emotion, and unknown, must be in exactly one group")
        if not {"grief", "unknown"} <= set(self.groups) or len(self.tones) != 3:
            raise ValueError("the groups grief and unknown and three tones are needed")
        return self

    def group(self, emotion: str) -> Group:
        """Return the group of an emotion; a label that nobody knows counts as "unknown"."""
        found = (group for group in self.groups.values() if emotion in group.emotions)
        return next(found, self.groups["unknown"])


def load_reply_parts(path: Path = DEFAULT_PATH) -> ReplyParts:
    """Read and check the reply parts; raise ReplyPartError when anything is amiss."""
    try:
        return ReplyParts.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReplyPartError(f"{path.name}: {place}: {first['msg']}") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ReplyPartError(f"{path.name} cannot be read: {type(exc).__name__}") from exc
