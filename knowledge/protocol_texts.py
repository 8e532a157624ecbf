"""The fixed texts of the crisis protocol, loaded and checked.

They follow WHO guidance (LIVE LIFE, mhGAP), the 988 Lifeline's five steps (BeThe1To), #chatsafe
(Robinson et al. 2018) and the C-SSRS screener (Posner et al. 2011); each text names what it serves.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import ErrorDetails

DEFAULT_PATH: Final = Path(__file__).parent / "protocol" / "texts.toml"

PartName = Literal[
    "opening",
    "acknowledge",
    "unknown",
    "ask",
    "guide",
    "country",
    "emergency",
    "human",
    "means_safety",
    "stay",
    "program",
    "barrier",
    "reached",
    "safety_plan",
    "check_back",
    "ask_them",
]
"""A step of the reply. "acknowledge" stands for "opening" once the protocol has begun; "country"
asks where the person is; "emergency" names the emergency number; "barrier" helps with what stands
in the way of reaching out; "ask_them" says how to ask somebody else."""

Level = Literal["concern", "high", "imminent", "unknown"]
Audience = Literal["self", "other"]
"""Whether the person writes of themselves or of somebody else."""
Place = Literal["line", "site"]
"""Whether the registry has a line for the person's country."""
About = Literal["any", "self_harm"]

WORDINGS: Final = 4
"""Fewest wordings that each situation needs, so that a conversation does not go round in a ring."""

_LEVELS: Final[tuple[Level, ...]] = ("concern", "high", "imminent", "unknown")
_DANGER: Final[tuple[Level, ...]] = ("concern", "high", "imminent")
_NEEDED: Final[dict[PartName, tuple[Level, ...]]] = {
    "opening": _DANGER,
    "acknowledge": _DANGER,
    "unknown": ("unknown",),
    "ask": _DANGER,
    "guide": _LEVELS,
    "country": _LEVELS,
    "emergency": _LEVELS,
    "human": _DANGER,
    "means_safety": ("imminent",),
    "stay": _LEVELS,
    "program": _DANGER,
    "barrier": _DANGER,
    "reached": _DANGER,
    "check_back": _DANGER,
}
PLAN_STEPS: Final = (
    "warning_signs",
    "own_coping",
    "people_and_places",
    "people_to_ask",
    "professionals",
    "safe_surroundings",
    "reasons_to_live",
)
"""The steps of a safety plan, in their order (Stanley and Brown 2012)."""
_SLOTS: Final[dict[tuple[PartName, str], frozenset[str]]] = {
    ("guide", "line"): frozenset({"line_name", "line_reach"}),
    ("guide", "site"): frozenset({"site"}),
    ("emergency", "any"): frozenset({"emergency"}),
}
_SITE: Final = re.compile(r"\w\.[a-z]{2,}|://|\bwww\b", re.IGNORECASE)

NonEmpty = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]


class ProtocolTextError(ValueError):
    """The protocol texts cannot be read; the message names the text and the field."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ProtocolText(_Frozen):
    """One wording of one step, and what it is fit for."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    """Begins with the part, by which the plan knows from a safety record what was said."""
    part: PartName
    levels: Annotated[tuple[Level, ...], Strict(False), Field(min_length=1)]
    audience: Literal["self", "other", "any"]
    about: About = "any"
    place: Literal["line", "site", "any"] = "any"
    kind: str = ""
    """The barrier that it helps with, or the step of a safety plan."""
    text: NonEmpty
    serves: Annotated[tuple[NonEmpty, ...], Strict(False), Field(min_length=1)]
    """The items of the guidelines that it carries out."""

    @model_validator(mode="after")
    def _sound(self) -> "ProtocolText":
        if not self.id.startswith(f"{self.part}-"):
            raise ValueError("id does not begin with the part")
        if any(character.isdigit() for character in self.text) or _SITE.search(self.text):
            raise ValueError("text has a number or a site, which only the registry may give")
        try:
            slots = {name for _, name, _, _ in Formatter().parse(self.text) if name is not None}
        except ValueError as error:
            raise ValueError(f"text has a broken slot: {error}") from error
        if slots != _SLOTS.get((self.part, self.place), frozenset()):
            raise ValueError("text has other slots than its part and place")
        if (self.part == "safety_plan") != (self.kind in PLAN_STEPS):
            raise ValueError("a safety plan needs one of its steps as kind, and no other text one")
        return self

    def fits(self, level: Level, audience: Audience, place: Place) -> bool:
        """Tell whether the text may be said in this situation."""
        return (
            level in self.levels
            and self.audience in (audience, "any")
            and self.place in (place, "any")
        )


class ProtocolTexts(_Frozen):
    """All texts, in the order in which they are said."""

    texts: Annotated[
        tuple[ProtocolText, ...], Strict(False), Field(min_length=1, validation_alias="text")
    ]

    @model_validator(mode="after")
    def _complete(self) -> "ProtocolTexts":
        ids = [text.id for text in self.texts]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        for part, level, audience, place, about in _situations():
            found = self.wordings(part, level, audience, place=place, about=about)
            if len(found) < WORDINGS or any(text.about != about for text in found):
                raise ValueError(
                    f"fewer than {WORDINGS} wordings of {part} for level {level}, "
                    f"audience {audience}, place {place}, about {about}"
                )
        steps = {text.kind for text in self.texts if text.part == "safety_plan"}
        if missing := set(PLAN_STEPS) - steps:
            raise ValueError(f"no text for the steps of a safety plan: {sorted(missing)}")
        return self

    def by_ids(self, ids: Sequence[str]) -> list[ProtocolText]:
        """Return the texts of these ids, in this order; ids of an older file are left out."""
        known = {text.id: text for text in self.texts}
        return [known[each] for each in ids if each in known]

    def wordings(
        self,
        part: PartName,
        level: Level,
        audience: Audience,
        *,
        place: Place,
        about: About = "any",
    ) -> list[ProtocolText]:
        """Return the texts for a situation; those about self-harm only where it has any."""
        fitting = [
            text for text in self.texts if text.part == part and text.fits(level, audience, place)
        ]
        special = [text for text in fitting if text.about == about]
        return special or [text for text in fitting if text.about == "any"]

    def choose(
        self,
        part: PartName,
        level: Level,
        audience: Audience,
        *,
        place: Place,
        about: About = "any",
        kind: str = "",
        used: Sequence[str] = (),
    ) -> ProtocolText | None:
        """Return the first text not said yet, or the one said longest ago.

        Args:
            part: The step of the reply.
            level: How much danger there is.
            audience: Whom the person writes of.
            place: Whether a line is known for the country.
            about: Whether it is about self-harm.
            kind: The barrier or step that it should be for, where there is such a text.
            used: Ids of the texts already said, the latest last.
        """
        order = {text_id: position for position, text_id in enumerate(used)}
        fitting = self.wordings(part, level, audience, place=place, about=about)
        unsaid = [text for text in fitting if text.kind == kind and text.id not in order]
        fitting = (kind and unsaid) or fitting
        return min(fitting, key=lambda text: order.get(text.id, -1), default=None)


def load_protocol_texts(path: Path = DEFAULT_PATH) -> ProtocolTexts:
    """Read and check the protocol texts.

    Raises:
        ProtocolTextError: The file is missing, is not TOML, has a wrong or unknown field, or lacks
            wordings for a situation.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProtocolTextError(f"{path.name}: {error}") from error
    try:
        return ProtocolTexts.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(_explain(fault, data) for fault in error.errors())
        raise ProtocolTextError(f"{path.name}: {faults}") from error


def _situations() -> Iterator[tuple[PartName, Level, Audience, Place, About]]:
    for part, levels in _NEEDED.items():
        # A country is asked for only where no line is known.
        places: tuple[Place, ...] = ("site",) if part == "country" else ("line", "site")
        for level in levels:
            for place in places:
                for audience in ("self", "other"):
                    yield part, level, audience, place, "any"
                if part in ("opening", "ask") and level in ("concern", "high"):
                    yield part, level, "self", place, "self_harm"


def _explain(fault: ErrorDetails, data: dict[str, Any]) -> str:
    place = list(fault["loc"])
    where = ""
    if len(place) > 1 and place[0] == "text" and isinstance(place[1], int):
        entry = data["text"][place[1]]
        text_id = entry.get("id") if isinstance(entry, dict) else None
        where = f"{text_id or f'text number {place[1] + 1}'}: "
        place = place[2:]
    field = ".".join(map(str, place))
    return f"{where}{field}: {fault['msg']}" if field else f"{where}{fault['msg']}"
