"""The same behaviour wherever indexes are kept: in a folder and on a Chroma server."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.cards import Card
from knowledge.contents import card_passages
from knowledge.index import chroma, folder
from knowledge.search import Query
from knowledge.store import IndexPlace, open_collection
from models.query_bank import QueryBank
from tests.knowledge.fakes import QUERY, HashedWords, Open, ids, make_card, open_cards, search
from tests.knowledge.places import Folder, Kept, Server


@pytest.fixture(params=["folder", "server"])
def kept(request: pytest.FixtureRequest, directory: Path) -> Kept:
    if request.param == "folder":
        return Folder(directory)
    server = Server(request.getfixturevalue("chroma_url"))
    server.clear()
    return server


@pytest.fixture
def place(kept: Kept) -> IndexPlace:
    return kept.place


def test_a_store_is_built_once(
    open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    store = open_store(cards)
    assert embeddings.documents == sum(len(card.documents) for card in cards) == 12
    first = search(store, QUERY)
    store.close()

    again = open_store(list(reversed(cards)))
    assert embeddings.documents == 12
    assert search(again, QUERY) == first
    assert ids(first)[0] == "wind-down"
    (info,) = again.info()
    assert info["collection"] == "strategies"
    assert (info["entries"], info["passages"], info["encoder"]) == (3, 12, "fake")


def test_another_encoder_content_or_bank_builds_again(
    open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    first = open_store(cards)
    open_store(cards, "other").close()
    assert embeddings.documents == 24
    changed = [*cards[:-1], make_card("small-contact", short="You could wave at a neighbour.")]
    store = open_store(changed)
    assert embeddings.documents == 36
    (found,) = search(store, "wave at a neighbour", k=1)
    assert found.strategy["text"] == "You could wave at a neighbour."
    for name in ("one", "two", "one"):
        open_store(cards, bank=QueryBank(np.eye(64, dtype=np.float32), name)).close()
    assert embeddings.documents == 60
    # The store that was open all along goes on with what it opened.
    assert ids(search(first, QUERY))[0] == "wind-down"


def test_an_unused_index_goes_after_a_week(
    kept: Kept, open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    open_store(cards, "old").close()
    notes = replace(card_passages(cards, embeddings, "old"), collection="notes")
    open_collection(kept.place, notes).index.close()
    open_store(cards, "new").close()
    kept.grow_older(6)
    open_store(cards, "new").close()
    assert kept.encoders() == ["notes old", "strategies new", "strategies old"]
    kept.grow_older(2)
    open_store(cards, "new").close()
    # Another collection's is not looked at: who opens cards does not know what it should hold.
    assert kept.encoders() == ["notes old", "strategies new"]
    # What was opened yesterday is in use, however old it is.
    kept.grow_older(6)
    open_store(cards, "third").close()
    assert kept.encoders() == ["notes old", "strategies new", "strategies third"]


def test_a_collection_is_removed_whole_and_alone(
    kept: Kept, open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    kept.place.remove("strategies")
    notes = replace(card_passages(cards, embeddings, "fake"), collection="notes")
    open_collection(kept.place, notes).index.close()
    open_store(cards).close()
    open_store(cards, "other").close()
    kept.grow_older(-1)  # Written by a machine whose clock is ahead.
    kept.place.remove("strategies")
    assert kept.encoders() == ["notes fake"]
    with kept.collections() as collections:
        assert len(collections) == 1
    assert ids(search(open_store(cards), QUERY))[0] == "wind-down"


def test_no_cards_is_an_empty_store(open_store: Open) -> None:
    for _ in range(2):
        store = open_store([])
        assert search(store, QUERY) == []
        assert store.info()[0]["entries"] == 0


def test_rows_that_were_lost_are_noticed(
    kept: Kept,
    open_store: Open,
    cards: list[Card],
    embeddings: HashedWords,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store(cards)
    sound = search(store, QUERY)
    store.close()
    with kept.collections() as (collection,):
        collection.delete(ids=["wind-down#1", "wind-down#2"])

    store = open_store(cards)

    assert "is damaged and is built again" in caplog.text
    assert embeddings.documents == 24
    assert search(store, QUERY) == sound
    assert kept.encoders() == ["strategies fake"]


def test_rows_that_were_changed_are_noticed(
    kept: Kept, open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    store = open_store(cards)
    sound = search(store, QUERY)
    store.close()
    with kept.collections() as (collection,):
        stored = collection.get(ids=["wind-down#1"], include=["embeddings"])
        words = "Words of another program."
        collection.update(stored["ids"], stored["embeddings"], documents=[words])
    assert search(open_store(cards), QUERY) == sound
    assert embeddings.documents == 24


def test_a_search_graph_that_finds_nothing_near_is_noticed(
    cards: list[Card], embeddings: HashedWords
) -> None:
    passages = card_passages(cards, embeddings, "fake")
    index = folder.memory_index(passages)

    class Blind:
        """A sound collection whose search misses some of the passages that it holds."""

        def __init__(self, missed: int) -> None:
            self.missed = missed

        def __getattr__(self, name: str) -> Any:
            return getattr(index.collection, name)

        def query(self, **arguments: Any) -> Any:
            found: Any = index.collection.query(**arguments)
            found["distances"][: self.missed] = [[0.4]] * self.missed
            return found

    probed = 12
    assert chroma.is_sound(Blind(0), passages)  # type: ignore[arg-type]
    # HNSW is approximate: that it misses a few is no damage.
    assert chroma.is_sound(Blind(probed // 2), passages)  # type: ignore[arg-type]
    assert not chroma.is_sound(Blind(probed // 2 + 1), passages)  # type: ignore[arg-type]
    index.close()


def test_a_failing_encoder_leaves_nothing_that_is_used(
    kept: Kept, open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    class Broken(HashedWords):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise RuntimeError("no weights")

    with pytest.raises(RuntimeError):
        open_cards(kept.place, cards, Broken())
    assert kept.records() == []
    assert ids(search(open_store(cards), QUERY))[0] == "wind-down"
    assert embeddings.documents == 12


def test_an_index_that_was_half_written_is_finished_or_made_anew(
    kept: Kept,
    open_store: Open,
    cards: list[Card],
    embeddings: HashedWords,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chroma, "_WRITE", 5)
    passages = card_passages(cards, embeddings, "fake")
    written: list[str] = []

    def interrupted(passage_id: str) -> dict[str, str]:
        written.append(passage_id)
        if len(written) > 8:
            raise RuntimeError("switched off")
        return dict(passages.metadata(passage_id))

    with pytest.raises(RuntimeError):
        open_collection(kept.place, replace(passages, metadata=interrupted), cards=cards)
    assert kept.records() == []
    store = open_store(cards)
    assert len(ids(search(store, QUERY))) == 3
    with kept.collections() as (collection,):
        assert collection.count() == 12


def test_a_large_index_is_opened_as_it_is(
    kept: Kept,
    open_store: Open,
    embeddings: HashedWords,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (chroma, folder):
        monkeypatch.setattr(module, "SMALL", 50)
    # More than Chroma's threshold of 1000, after which it writes its search graph to disk.
    cards = [make_card(f"card-{number}") for number in range(300)]
    sound = search(open_store(cards), "card-77 at work", k=1)
    for _ in range(3):
        store = open_store(cards)
        assert search(store, "card-77 at work", k=1) == sound
        store.close()
    assert embeddings.documents == 1200


def test_threads_may_open_at_once(kept: Kept, cards: list[Card], embeddings: HashedWords) -> None:
    def open_and_search(_: int) -> tuple[str, ...]:
        with open_cards(kept.place, cards, embeddings) as store:
            return tuple(ids(search(store, QUERY)))

    with ThreadPoolExecutor(4) as pool:
        results = set(pool.map(open_and_search, range(8)))
    (found,) = results
    assert found[0] == "wind-down"
    assert kept.encoders() == ["strategies fake"]


def test_several_threads_search_at_once(
    open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    store = open_store(cards)
    queries = {
        "I lie awake and cannot sleep": "wind-down",
        "panic attack, my heart is racing": "paced-breathing",
        "I feel alone and have no friends": "small-contact",
    }
    vectors = [(embeddings.embed_query(text), card_id) for text, card_id in queries.items()] * 20

    def best(vector: Sequence[float]) -> str:
        return ids(store.search(Query(vector), k=1))[0]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(best, [vector for vector, _ in vectors]))
    assert found == [card_id for _, card_id in vectors]


def test_hardly_a_card_is_lost_among_many_that_are_alike(
    open_store: Open, embeddings: HashedWords
) -> None:
    embeddings.dimensions = 256
    cards = [make_card(f"card-{number}") for number in range(200)]
    store = open_store(cards)
    lost = 0
    for card in cards[::5]:
        (found,) = store.search(Query(embeddings.embed_query(card.situations[0])), k=1)
        lost += found.strategy["score"] != pytest.approx(1, abs=1e-5)
    # HNSW is approximate, and a passage is now and then not connected.
    assert lost <= 4
