"""Indexes in a list, for tests that need one and are not about Chroma."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from knowledge.index.chroma import StoredPassage
from knowledge.index.passages import Passages


@dataclass
class ListIndex:
    """An index that compares with every passage, so that not every test waits for Chroma."""

    source: Passages
    path: None = None

    def __post_init__(self) -> None:
        self.ids = list(self.source.texts)
        self.vectors = np.asarray(self.source.vectors(self.ids), dtype=np.float32)

    @property
    def size(self) -> int:
        return len(self.ids)

    def nearest(self, vector: Sequence[float], count: int) -> list[tuple[str, float, float]]:
        similar = self.vectors @ np.asarray(vector, dtype=np.float32)
        return [(self.ids[row], float(similar[row]), 0.0) for row in np.argsort(-similar)[:count]]

    def passages(self, ids: Sequence[str]) -> dict[str, StoredPassage]:
        about, texts = self.source.metadata, self.source.texts
        rows = {each: self.vectors[self.ids.index(each)] for each in ids}
        return {each: StoredPassage(texts[each], about(each), row) for each, row in rows.items()}

    def close(self) -> None:
        """Do nothing, as nothing is open."""


@dataclass
class ListPlace:
    """Where `ListIndex`es are kept: nowhere, but it says which collections were asked for."""

    opened: list[Passages] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def open(self, passages: Passages, *, progress: bool = False) -> ListIndex:
        self.opened.append(passages)
        return ListIndex(passages)

    def has(self, passages: Passages) -> bool:
        return False

    def remove(self, collection: str) -> None:
        self.removed.append(collection)
