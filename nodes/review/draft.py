"""A draft made ready for the rules of form."""

from dataclasses import dataclass

from nodes.review.contacts import Registry

Words = tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """A draft prepared for the rules: each sentence raw, folded and as words."""

    sentences: tuple[str, ...]
    folded: tuple[str, ...]
    words: tuple[Words, ...]
    person: tuple[str, ...]
    """The person's messages, folded, oldest first."""
    person_words: tuple[Words, ...]
    said: tuple[Words, ...]
    """The sentences of earlier replies."""
    offered: tuple[Words, ...]
    """The strategies offered to the model in this turn."""
    registry: Registry | None
