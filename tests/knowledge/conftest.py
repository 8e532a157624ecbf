from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from knowledge.cards import Card
from knowledge.store import StrategyStore
from tests.knowledge.fakes import HashedWords, Open, library


@pytest.fixture
def embeddings() -> HashedWords:
    return HashedWords()


@pytest.fixture
def cards() -> list[Card]:
    return library()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def open_store(directory: Path, embeddings: HashedWords) -> Iterator[Open]:
    """Opens stores in `directory` and closes them after the test."""
    with ExitStack() as stack:

        def open_(cards: list[Card], encoder: str = "fake") -> StrategyStore:
            store = StrategyStore.open(directory, cards, embeddings, encoder)
            stack.callback(store.close)
            return store

        yield open_
