"""What the suites measure: the parts of perception, all of which must be there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from graph.resources import Perception
from models.encoder import SentenceEncoder

IN_USE: Final = "in use"
"""What tables call the readings of the graph itself."""

Part = TypeVar("Part")


@dataclass(frozen=True)
class Encoders:
    """The encoder as the heads read it, and without its adapter."""

    adapted: SentenceEncoder
    plain: SentenceEncoder
    normalise: Callable[[str], str]
    """How texts are written before they are encoded."""


def encoders_of(seen: Perception) -> Encoders:
    """Return the encoders of `seen`.

    Raises:
        RuntimeError: one could not be loaded.
    """
    reader = loaded(seen.reader, "adapter", seen)
    plain = loaded(seen.encoder, "encoder", seen)
    if not isinstance(reader.encoder, SentenceEncoder):
        raise RuntimeError("only readings of a local sentence encoder can be measured")
    return Encoders(reader.encoder, plain, reader.normalise)


def loaded(part: Part | None, name: str, seen: Perception) -> Part:
    """Return the part.

    Raises:
        RuntimeError: it could not be loaded; the message says why.
    """
    if part is None:
        why = "; ".join(seen.problems) or "see `empathy doctor`"
        raise RuntimeError(f"the {name} could not be loaded: {why}")
    return part
