"""What an index is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from numpy.typing import ArrayLike

from models.query_bank import QueryBank

_FORMAT: Final = 3

Metadata = Mapping[str, str]


@dataclass(frozen=True)
class Passages:
    """The passages of one collection with their vectors; an index has to match them."""

    collection: str
    texts: Mapping[str, str] = field(repr=False)
    """Text by id; an id is "entry#number"."""
    metadata: Callable[[str], Metadata] = field(repr=False)
    """What is kept beside a passage, by its id."""
    vectors: Callable[[Sequence[str]], ArrayLike] = field(repr=False)
    """Return the vectors of the passages with these ids, an array of shape (ids, dimensions)."""
    encoder_id: str
    content_hash: str
    bank: QueryBank | None = None
    """The questions by which hubs are known."""

    @property
    def record(self) -> dict[str, Any]:
        """What is written down beside a finished index."""
        return {
            "format": _FORMAT,
            "collection": self.collection,
            "encoder": self.encoder_id,
            "bank": self.bank.id if self.bank else "",
            "content_hash": self.content_hash,
            "complete": True,
        }

    @property
    def fingerprint(self) -> str:
        """A short name of the content, the encoder and the format."""
        return hashlib.sha256(json.dumps(self.record).encode()).hexdigest()[:16]


def entry_of(passage_id: str) -> str:
    """Return the id of the entry that a passage belongs to."""
    return passage_id.rpartition("#")[0]


def is_continuation(passage_id: str) -> bool:
    """Tell whether a passage is another than the first of its entry."""
    return passage_id.rpartition("#")[2] != "0"
