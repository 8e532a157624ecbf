"""Coping cards: one evidence-based technique a file, Markdown with YAML front matter."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml  # type: ignore[import-untyped]  # the stubs are a package of their own
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from models.labels import EMOTIONS

DEFAULT_FOLDER: Final = Path(__file__).with_name("strategies")
MAX_SHORT_WORDS: Final = 45

Technique = Literal[
    "breathing",
    "muscle-relaxation",
    "grounding",
    "mindfulness",
    "imagery",
    "movement",
    "writing",
    "reappraisal",
    "problem-solving",
    "activity",
    "exposure",
    "communication",
    "boundaries",
    "connection",
    "self-compassion",
    "savouring",
    "ritual",
    "values",
    "sleep-habits",
    "seeking-help",
    "safety",
]
"""What a card asks of a person; what is bad for them is ruled out by it."""

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)^---[ \t]*$\n?(?P<body>.*)", re.S | re.M)
_FRONT_MATTER_LINE: Final = 2
_MAX_DEPTH: Final = 8
# Eight times faster where PyYAML was built with libyaml, as its wheels are.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_URL = re.compile(r"https?://|www\.", re.I)
_PHONE = re.compile(r"\+?\d(?:[\s().-]*\d){5,}")


class CardError(ValueError):
    """A file is not a valid card; says which file and which field, and on which line."""

    def __init__(self, path: Path, problem: str, *, field: str = "", line: int = 0) -> None:
        self.path, self.problem, self.field, self.line = path, problem, field, line
        where = [str(path)]
        if line:
            where.append(f"line {line}")
        if field:
            where.append(field)
        super().__init__(f"{', '.join(where)}: {problem}")


def _known_emotion(label: str) -> str:
    if label not in EMOTIONS:
        raise ValueError(f"{label!r} is not one of the 32 emotions of EmpatheticDialogues")
    return label


def _without_contacts(text: str) -> str:
    # Numbers and addresses go stale; people get them from the reviewed registry alone.
    if _URL.search(text) or _PHONE.search(text):
        raise ValueError("holds a phone number or web address, which only the registry may give")
    return text


def _brief(text: str) -> str:
    words = len(text.split())
    if words > MAX_SHORT_WORDS:
        raise ValueError(f"has {words} words; {MAX_SHORT_WORDS} is the most that fits a reply")
    if "?" in text:
        raise ValueError("asks a question; it is the offer inside a reply")
    return text


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Emotion = Annotated[str, AfterValidator(_known_emotion)]
Offer = Annotated[Line, AfterValidator(_brief), AfterValidator(_without_contacts)]
Step = Annotated[Line, AfterValidator(_without_contacts)]


def _several(least: int, most: int) -> Any:
    # YAML gives lists; only the container is read leniently, its items stay strict.
    return Field(strict=False, min_length=least, max_length=most)


class Card(BaseModel):
    """One coping technique, with where it comes from and when not to offer it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Slug
    title: Line
    emotions: Annotated[tuple[Emotion, ...], _several(1, 6)]
    """Emotions of EmpatheticDialogues (Rashkin et al. 2019) that it is meant for."""
    topics: Annotated[tuple[Line, ...], _several(1, 3)]
    technique: Technique
    scope: Literal["general", "specific"] = "specific"
    """A specific card takes something for granted (a death, a divorce, a violent partner), so it
    is offered only to who wrote of it; a general one can help whoever feels like this."""
    situations: Annotated[tuple[Line, ...], _several(3, 5)]
    """What a person who needs it might write; these are what search compares with."""
    steps: Annotated[tuple[Step, ...], _several(3, 5)]
    short: Offer
    """The offer as it may appear in a reply."""
    when_not: Annotated[tuple[Line, ...], _several(1, 3)]
    source: Line
    evidence: Literal["strong", "moderate", "limited"]
    body: Line

    @property
    def documents(self) -> tuple[str, ...]:
        """The texts that are embedded, each on its own: the offer, then every situation.

        A card is as close as its closest text (MaxP, Dai and Callan 2019): a
        mean of all of them would be near nothing that a person writes.
        """
        return (f"{self.title}. {self.short}", *self.situations)


def parse_card(text: str, path: Path) -> Card:
    """Read the text of the card file `path`.

    Raises:
        CardError: the text is not a valid card.
    """
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise CardError(path, "does not begin with YAML front matter between two lines of ---")
    fields, lines = _front_matter(match["yaml"], path)
    if "body" in fields:
        raise CardError(path, "belongs below the front matter", field="body", line=lines["body"])
    try:
        card = Card.model_validate({**fields, "body": match["body"]})
    except ValidationError as exc:
        raise _first_error(exc, path, lines) from exc
    if card.id != path.stem:
        raise CardError(path, f"differs from the file's name {path.stem!r}", field="id")
    return card


def _front_matter(text: str, path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the fields and the line of each."""
    try:
        _check_depth(text, path)
        loader = _LOADER(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise CardError(path, "the front matter is not a list of `key: value`")
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + _FRONT_MATTER_LINE
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise CardError(path, "a key of the front matter is not a word", line=line)
            if key.value in lines:  # YAML would silently keep the last one
                raise CardError(path, "is given twice", field=key.value, line=line)
            lines[key.value] = line
        return loader.construct_document(node), lines
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + _FRONT_MATTER_LINE if mark else 0
        problem = getattr(exc, "problem", None) or "cannot be read"
        raise CardError(path, f"invalid YAML: {problem}", line=line) from exc
    except ValueError as exc:
        # An impossible date, for example: PyYAML lets Python's own error through.
        if isinstance(exc, CardError):
            raise
        raise CardError(path, f"invalid YAML: {type(exc).__name__}") from exc


def _check_depth(text: str, path: Path) -> None:
    # libyaml recurses without a limit, so a file of brackets would end the process.
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise CardError(
                path, "is nested too deeply", line=event.start_mark.line + _FRONT_MATTER_LINE
            )


def _first_error(exc: ValidationError, path: Path, lines: dict[str, int]) -> CardError:
    errors = exc.errors(include_url=False, include_input=False)
    first = errors[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    field = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    others = {str(error["loc"][0]) for error in errors if error["loc"]} - {name}
    if others:
        problem += f" (also wrong: {', '.join(sorted(others))})"
    return CardError(path, problem, field=field, line=lines.get(name, 0))


def load_card(path: Path) -> Card:
    """Read one card file.

    Raises:
        CardError: the file cannot be read or is not a valid card.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise CardError(path, "is not UTF-8 text") from exc
    except OSError as exc:
        raise CardError(path, exc.strerror or type(exc).__name__) from exc
    return parse_card(text, path)


def load_valid_cards(*folders: Path) -> tuple[list[Card], list[CardError]]:
    """Read the cards of `folders`, sorted by id, and the errors of those that cannot be used.

    A card of a later folder takes the place of an earlier one with the same id.
    """
    cards: dict[str, Card] = {}
    errors: list[CardError] = []
    for folder in folders or (DEFAULT_FOLDER,):
        if not folder.is_dir():
            errors.append(CardError(folder, "is not a folder"))
            continue
        for path in sorted(folder.glob("[!.]*.md")):
            try:
                card = load_card(path)
            except CardError as exc:
                errors.append(exc)
            else:
                cards[card.id] = card
    return sorted(cards.values(), key=lambda card: card.id), errors


def load_cards(folder: Path = DEFAULT_FOLDER) -> list[Card]:
    """Read all cards of `folder`, sorted by id.

    Raises:
        CardError: a card is broken, or there is none.
    """
    cards, errors = load_valid_cards(folder)
    if errors:
        raise errors[0]
    if not cards:
        raise CardError(folder, "holds no cards")
    return cards


def content_hash(cards: Iterable[Card]) -> str:
    """Return the SHA-256 of the cards' content, whatever their order."""
    content = sorted((card.model_dump(mode="json") for card in cards), key=lambda each: each["id"])
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
