import pytest

from knowledge.cards import Card
from tests.knowledge.fakes import HashedWords, library


@pytest.fixture
def embeddings() -> HashedWords:
    return HashedWords()


@pytest.fixture
def cards() -> list[Card]:
    return library()
