import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from knowledge import library_file
from knowledge.library import Library, LibraryError, chunk_hash
from tests.knowledge.ingesting import document, picture

REMEDY = "move the file away"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "library.db"


@pytest.fixture
def library(path: Path) -> Iterator[Library]:
    with Library.open(path) as opened:
        yield opened


def fill(library: Library, number: int = 3) -> None:
    for i in range(number):
        library.put(document(i), f"h{i}", [f"first {i}", f"second {i}"], "a.md", i)


def vector(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def test_what_was_put_is_read_again(library: Library, path: Path) -> None:
    whole = document(1, "Grüße, नमस्ते", topics=("sleep", "stress"))
    library.put(whole, "abc", ["Grüße,", "नमस्ते"], "notes.md", 7)
    library.close()
    with Library.open(path) as again:
        [entry] = again.entries("notes")
        assert (entry.document, entry.chunks) == (whole, ("Grüße,", "नमस्ते"))
        assert (entry.hash, entry.origin, entry.position) == ("abc", "notes.md", 7)
        assert again.collections() == ["notes"]
        assert again.state("notes") == {"notes/1": "abc"}
        assert again.state("other") == {}


def test_a_document_takes_the_place_of_the_earlier_one(library: Library) -> None:
    library.put(document(1), "old", ["a", "b", "c"], "x")
    library.put(document(1, "New"), "new", ["New"], "y")
    [entry] = library.entries("notes")
    assert (entry.document.text, entry.chunks) == ("New", ("New",))
    assert (entry.hash, entry.origin) == ("new", "y")


def test_entries_come_in_the_order_of_their_origin(library: Library) -> None:
    for id, origin, position in [("a", "2.md", 0), ("b", "1.md", 10), ("c", "1.md", 9)]:
        library.put(document(id), "h", [], origin, position)
    assert [e.document.id for e in library.entries("notes")] == ["notes/c", "notes/b", "notes/a"]
    library.place([("notes/b", 1), ("notes/c", 2)])
    assert [e.document.id for e in library.entries("notes")] == ["notes/b", "notes/c", "notes/a"]


def test_deleting_takes_the_chunks_too(library: Library, path: Path) -> None:
    fill(library)
    library.delete(["notes/0", "notes/unknown"])
    assert set(library.state("notes")) == {"notes/1", "notes/2"}
    assert {row[0] for row in picture(path.parent)["chunks"]} == {"notes/1", "notes/2"}


def test_vectors_are_missing_until_they_are_stored(library: Library) -> None:
    library.put(document(1), "h", ["same", "a much longer text"], "x")
    library.put(document(2), "h", ["same", "longer"], "x")
    missing = list(library.missing_vectors("e", "notes"))
    assert [text for _, text in missing] == ["a much longer text", "longer", "same"]
    assert [hash for hash, _ in missing] == [chunk_hash(text) for _, text in missing]
    assert library.missing("e", "notes") == 3

    library.store_vectors("e", [(chunk_hash("same"), vector(1, 0))])
    assert library.missing("e", "notes") == 2
    assert library.missing("other", "notes") == 3
    assert library.missing("e", "other") == 0


def test_vectors_may_be_stored_while_the_missing_ones_are_read(library: Library) -> None:
    library.put(document(1), "h", [f"text {i}" for i in range(700)], "x")
    seen = []
    for hash, _ in library.missing_vectors("e", "notes"):
        seen.append(hash)
        library.store_vectors("e", [(hash, vector(1))])
    assert len(set(seen)) == len(seen) == 700
    assert library.missing("e", "notes") == 0


def test_vectors_come_back_exactly_in_the_order_of_the_chunks(library: Library) -> None:
    library.put(document("b"), "h", ["one", "two"], "x")
    library.put(document("a"), "h", ["two", "three"], "x")
    values = {name: np.random.default_rng(i).normal(size=5).astype(np.float32)
              for i, name in enumerate(["one", "two", "three"])}  # fmt: skip
    library.store_vectors("e", [(chunk_hash(name), values[name]) for name in values])
    ids, matrix = library.vectors("notes", "e")
    assert ids == ["notes/a#0", "notes/a#1", "notes/b#0", "notes/b#1"]
    assert matrix.dtype == np.float32
    expected = np.stack([values[name] for name in ("two", "three", "one", "two")])
    np.testing.assert_array_equal(matrix, expected)
    assert library.vectors("notes", "other")[0] == []
    assert library.vectors("other", "e")[1].shape == (0, 0)


def test_a_vector_that_is_no_number_is_refused_with_its_batch(library: Library) -> None:
    library.put(document(1), "h", ["a", "b"], "x")
    with pytest.raises(ValueError, match="not a number"):
        library.store_vectors(
            "e", [(chunk_hash("a"), vector(1)), (chunk_hash("b"), vector(float("nan")))]
        )
    assert library.missing("e", "notes") == 2


def test_the_content_hash_is_of_the_content_alone(tmp_path: Path) -> None:
    def hash_of(name: str, *steps: tuple[str, str, list[str]], encoder: str = "e") -> str:
        with Library.open(tmp_path / name) as library:
            for id, hash, chunks in steps:
                library.put(document(id), hash, chunks, name)
            return library.content_hash("notes", encoder)

    one, two = ("1", "h1", ["a", "b"]), ("2", "h2", [])
    same = hash_of("a", one, two)
    assert hash_of("b", two, ("1", "old", ["z"]), one) == same
    others = [
        hash_of("c", one),
        hash_of("d", one, ("2", "h3", [])),
        hash_of("e", ("1", "h1", ["a", "c"]), two),
        hash_of("f", one, two, encoder="other"),
    ]
    assert len({same, *others}) == 5


def test_vectors_go_when_no_chunk_needs_them(library: Library, path: Path) -> None:
    library.put(document(1), "h", ["shared", "own"], "x")
    library.put(document("1", id="guides/1", collection="guides"), "h", ["shared"], "x")
    library.store_vectors("e", [(chunk_hash(text), vector(1)) for text in ("shared", "own")])
    library.remove_collection("notes")
    assert library.collections() == ["guides"]
    assert [row[0] for row in picture(path.parent)["vectors"]] == [chunk_hash("shared")]
    assert library.missing("e", "guides") == 0


def test_stats(library: Library) -> None:
    assert library.stats() == []
    fill(library)
    library.put(document("1", id="guides/1", collection="guides", text="abc"), "h", ["ab"], "x")
    library.store_vectors(
        "e", [(chunk_hash("first 0"), vector(1, 0)), (chunk_hash("ab"), vector(1))]
    )
    library.store_vectors("f", [(chunk_hash("ab"), vector(1, 2, 3))])
    guides, notes = library.stats()
    assert guides == {
        "collection": "guides",
        "documents": 1,
        "chunks": 1,
        "vectors": {"e": 1, "f": 1},
        "bytes": 3 + 2 + 4 + 12,
    }
    assert (notes["documents"], notes["chunks"], notes["vectors"]) == (3, 6, {"e": 1})


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, LibraryError(Path("x"), "y")])
def test_a_transaction_is_whole_or_nothing(
    library: Library, path: Path, error: BaseException | type[BaseException]
) -> None:
    fill(library)
    before = picture(path.parent)
    with pytest.raises(error if isinstance(error, type) else type(error)):  # noqa: SIM117
        with library.transaction():
            library.delete(["notes/1"])
            with library.transaction():
                library.put(document(9), "h", ["x"], "x")
            raise error
    assert picture(path.parent) == before
    library.put(document(9), "h", ["x"], "x")
    assert "notes/9" in library.state("notes")


def test_what_is_removed_gives_its_space_back(path: Path) -> None:
    with Library.open(path) as library, library.transaction():
        for i in range(100):
            library.put(document(i, "x" * 10_000), "h", ["y" * 1000], "x")
    full = path.stat().st_size
    with Library.open(path) as library:
        library.remove_collection("notes")
    assert path.stat().st_size < full / 5


@settings(max_examples=40)
@given(text=st.text(), title=st.text(max_size=20))
def test_any_text_comes_back_as_it_was(text: str, title: str) -> None:
    whole = document(1, title=title)
    with _in_memory() as library:
        library.put(whole, "h", [text], "x")
        [entry] = library.entries("notes")
        assert entry.document == whole
        assert entry.chunks == (text,)


def _in_memory() -> Library:
    db = sqlite3.connect(":memory:", isolation_level=None)
    library_file._prepare(Path("memory"), db)
    return Library(Path("memory"), db)
