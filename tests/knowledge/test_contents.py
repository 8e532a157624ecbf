from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from knowledge.cards import Card
from knowledge.contents import CollectionError, card_passages, library_passages
from knowledge.index.passages import Passages, entry_of
from knowledge.library import Library, chunk_hash
from knowledge.search import Query
from knowledge.store import IndexPlace, Store, open_collection
from models.query_bank import QueryBank
from tests.knowledge.fakes import HashedWords, make_card
from tests.knowledge.ingesting import document

CHUNKS = {1: ["sleep comes late", "keep the same hours"], 2: ["call a friend", "sleep comes late"]}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library.db") as opened:
        for number, chunks in CHUNKS.items():
            notes = document(number, topics=("sleep", "rest"), source=f"Book {number}")
            opened.put(notes, f"h{number}", chunks, "notes.md", number)
        yield opened


def embed(library: Library, *texts: str, encoder: str = "fake") -> None:
    vectors = np.array(HashedWords().embed_documents([*texts]), dtype=np.float32)
    library.store_vectors(encoder, zip(map(chunk_hash, texts), vectors, strict=True))


def embed_all(library: Library, encoder: str = "fake") -> None:
    embed(library, *{text for chunks in CHUNKS.values() for text in chunks}, encoder=encoder)


def test_passages_of_cards_are_the_offer_and_each_situation(cards: list[Card]) -> None:
    embeddings = HashedWords()
    passages = card_passages(cards, embeddings, "fake")
    assert passages.collection == "strategies"
    assert len(passages.texts) == 12
    assert passages.texts["wind-down#0"] == (
        "Technique wind-down. You could try wind-down for one minute."
    )
    assert passages.texts["wind-down#2"] == "my sleep is broken"
    assert passages.metadata("wind-down#2") == {
        "entry": "wind-down",
        "title": "Technique wind-down",
        "source": "WHO (2020), Doing What Matters in Times of Stress",
    }
    # Nothing is embedded before the index asks for it, and then in the order of the ids.
    assert embeddings.documents == 0
    wanted = ["wind-down#2", "paced-breathing#1"]
    assert np.array_equal(
        passages.vectors(wanted), embeddings.embed_documents([passages.texts[e] for e in wanted])
    )


def test_two_cards_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        card_passages([make_card("one"), make_card("one")], HashedWords(), "fake")


def test_an_index_is_known_by_content_encoder_and_bank(cards: list[Card]) -> None:
    def passages(some: list[Card], encoder: str = "fake", bank: str = "") -> Passages:
        vectors = np.eye(64, dtype=np.float32)
        return card_passages(
            some, HashedWords(), encoder, QueryBank(vectors, bank) if bank else None
        )

    first = passages(cards)
    assert passages(cards[::-1]).record == first.record
    assert passages(cards[::-1]).fingerprint == first.fingerprint
    others = [
        passages(cards[:2]),
        passages([*cards[:2], make_card("small-contact")]),
        passages(cards, "other"),
        passages(cards, bank="a"),
        passages(cards, bank="b"),
    ]
    assert len({each.fingerprint for each in [first, *others]}) == 6
    assert all(each.record != first.record for each in others)


def test_an_entry_may_have_the_mark_in_its_id() -> None:
    assert entry_of("notes/a#b#12") == "notes/a#b"


def test_passages_of_a_collection_are_its_chunks(library: Library) -> None:
    embed_all(library)
    passages = library_passages(library, "notes", "fake")
    assert passages.texts == {
        "notes/1#0": "sleep comes late",
        "notes/1#1": "keep the same hours",
        "notes/2#0": "call a friend",
        "notes/2#1": "sleep comes late",
    }
    assert passages.metadata("notes/2#1") == {
        "entry": "notes/2",
        "title": "Note 2",
        "source": "Book 2",
        "licence": "MIT",
        "topics": "sleep, rest",
    }
    wanted = ["notes/2#0", "notes/1#0", "notes/2#1"]
    expected = HashedWords().embed_documents([passages.texts[each] for each in wanted])
    assert np.asarray(passages.vectors(wanted)) == pytest.approx(np.array(expected))


def test_a_collection_without_all_of_its_vectors(library: Library) -> None:
    for stored, missing in [((), 3), (("call a friend",), 2)]:
        embed(library, *stored)
        embed_all(library, "another encoder")
        with pytest.raises(CollectionError) as caught:
            library_passages(library, "notes", "fake")
        assert f"{missing} passages of the collection 'notes' have no vector" in str(caught.value)
        assert "of the encoder fake: run the same `empathy knowledge ingest`" in str(caught.value)
        assert "friend" not in str(caught.value)


def test_an_unknown_collection(library: Library) -> None:
    with pytest.raises(CollectionError, match="no collection 'books'; there is: strategies, notes"):
        library_passages(library, "books", "fake")


def test_a_changed_document_makes_another_index(library: Library) -> None:
    embed_all(library)
    before = library_passages(library, "notes", "fake").fingerprint
    assert library_passages(library, "notes", "fake").fingerprint == before
    library.put(document(2), "h3", ["call a friend"], "notes.md", 2)
    assert library_passages(library, "notes", "fake").fingerprint != before


def test_a_collection_is_searched_after_its_library_is_closed(
    library: Library, directory: Path
) -> None:
    embed_all(library)
    passages = library_passages(library, "notes", "fake")
    library.close()
    with Store([open_collection(IndexPlace(directory), passages, weight=0.8)]) as store:
        (best, *_) = store.search(Query(HashedWords().embed_query("call a friend")))
        assert best.strategy == {
            "id": "notes/2",
            "title": "Note 2",
            "text": "call a friend",
            "source": "Book 2",
            "score": pytest.approx(0.8, abs=1e-5),
        }
        assert best.collection == "notes"
        (info,) = store.info()
    assert (info["entries"], info["passages"], info["weight"]) == (2, 4, 0.8)
