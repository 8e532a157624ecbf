"""The words of the prompts: reads and checks `strategies.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph.state import Intent
from models.labels import INTENTS

DEFAULT_PATH: Final = Path(__file__).with_name("strategies.toml")

Certainty = Literal["named", "guessed", "unsure"]
"""How sure the reading of the emotion is, as far as the reply shows it."""

Stage = Literal["listen", "understand", "help", "initiative"]
"""Where the conversation stands, which says which EMPATHY steps lead."""

Step = Literal[
    "emotion_recognition",
    "mirroring",
    "perspective_taking",
    "active_listening",
    "tailored_response",
    "helping",
    "yielding_space",
]
"""One of the seven EMPATHY steps."""

_Words = Annotated[str, Field(min_length=1)]


class PromptWordsError(ValueError):
    """The file of prompts cannot be used; the message names the field."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeelingWords(_Strict):
    """How the system message tells of the emotion; `torn` guesses among two."""

    named: _Words
    guessed: _Words
    torn: _Words
    unsure: _Words


class StageWords(_Strict):
    """Which steps lead at a stage, and what else is said of it."""

    steps: Annotated[list[Step | Literal["intent"]], Field(min_length=1)]
    lead: _Words
    question: _Words


class OfferWords(_Strict):
    """How to offer what retrieval found."""

    one: _Words
    many: _Words


class PromptWords(_Strict):
    """All words of the prompts."""

    role: _Words
    rails: _Words
    retry: _Words
    material: _Words
    summary: _Words
    suggested: _Words
    strategies: dict[str, _Words]
    feeling: FeelingWords
    recognition: dict[Certainty, _Words]
    intents: dict[Intent, _Words]
    steps: dict[Step, _Words]
    stages: dict[Stage, StageWords]
    offer: OfferWords

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, there, needed in (
            ("recognition", self.recognition, get_args(Certainty)),
            ("intents", self.intents, INTENTS),
            ("steps", self.steps, get_args(Step)),
            ("stages", self.stages, get_args(Stage)),
        ):
            if sorted(there) != sorted(needed):
                raise ValueError(f"{name} must name each of {', '.join(needed)}")
        for name, words, slots in self._templates():
            unknown = {slot for _, slot, _, _ in Formatter().parse(words) if slot is not None}
            if unknown - slots:
                raise ValueError(f"{name} has slots other than {sorted(slots)}")
        return self

    def _templates(self) -> Iterator[tuple[str, str, set[str]]]:
        slots = {"role", "rails", "feeling", "recognition", "intent", "steps", "lead"}
        for name, words in self.strategies.items():
            yield f"strategies.{name}", words, slots
        for name, words in self.steps.items():
            yield f"steps.{name}", words, {"recognition"}
        yield "rails", self.rails, {"question"}
        for certainty, words in self.feeling.model_dump().items():
            yield f"feeling.{certainty}", words, {"first", "second"}


def load_prompt_words(path: Path = DEFAULT_PATH) -> PromptWords:
    """Read and check the words of the prompts.

    Raises:
        PromptWordsError: the file cannot be read, or something is missing or too much.
    """
    try:
        return PromptWords.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PromptWordsError(f"{path.name}: {place}: {first['msg']}") from exc
    except (OSError, ValueError) as exc:
        raise PromptWordsError(f"{path.name} cannot be read: {type(exc).__name__}") from exc


@cache
def prompt_words() -> PromptWords:
    """Return the words that are shipped, read once."""
    return load_prompt_words()


def strategy_names() -> tuple[str, ...]:
    """Return the names of the prompting strategies."""
    return tuple(prompt_words().strategies)
