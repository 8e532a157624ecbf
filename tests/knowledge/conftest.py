import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from knowledge.cards import Card
from knowledge.store import IndexPlace, Store
from models.query_bank import QueryBank
from tests.knowledge.fakes import HashedWords, Open, library, open_cards


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
def place(directory: Path) -> IndexPlace:
    return IndexPlace(directory)


@pytest.fixture
def open_store(place: IndexPlace, embeddings: HashedWords) -> Iterator[Open]:
    """Opens stores of cards in `place` and closes them after the test."""
    with ExitStack() as stack:

        def open_(cards: list[Card], encoder: str = "fake", bank: QueryBank | None = None) -> Store:
            return stack.enter_context(open_cards(place, cards, embeddings, encoder, bank))

        yield open_


@pytest.fixture(scope="session")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one real Chroma server; tests empty it before they use it."""
    # Chroma takes two seconds to import, which most tests of this folder can do without.
    from tests.knowledge.places import chroma_server

    with pytest.MonkeyPatch.context() as patched:
        # Each client reads all certificates again, which takes longer than all else it does.
        patched.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        with chroma_server(tmp_path_factory.mktemp("chroma") / "data") as (url, _):
            yield url
