import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

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


def test_a_full_disk_leaves_the_library_as_it_was(library: Library, path: Path) -> None:
    fill(library)
    before = picture(path.parent)
    [(pages,)] = library._db.execute("PRAGMA page_count")
    library._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(LibraryError, match=r"library\.db: the disk is full; free some space"):  # noqa: SIM117
        with library.transaction():
            for i in range(10, 500):
                library.put(document(i, "x" * 1000), "h", ["y" * 1000], "x")
    assert picture(path.parent) == before
    library._db.execute("PRAGMA max_page_count = 1000000")
    library.put(document(10), "h", ["y"], "x")


def test_a_second_writer_waits_and_then_says_why(
    path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_file, "_BUSY_S", 0.05)
    with Library.open(path) as other, library.transaction():
        library.put(document(1), "h", [], "x")
        assert other.state("notes") == {}
        with pytest.raises(LibraryError, match="another process is writing"):
            other.put(document(2), "h", [], "x")
    assert set(library.state("notes")) == {"notes/1"}


def test_a_second_writer_gets_its_turn(path: Path, library: Library) -> None:
    started = threading.Event()

    def write() -> None:
        with Library.open(path) as other:
            started.set()
            other.put(document(2), "h", [], "x")

    with ThreadPoolExecutor() as pool:
        with library.transaction():
            library.put(document(1), "h", [], "x")
            done = pool.submit(write)
            assert started.wait(10)
        done.result(10)
    assert set(library.state("notes")) == {"notes/1", "notes/2"}


def test_many_may_open_a_new_library_at_once(path: Path) -> None:
    def open_and_put(number: int) -> None:
        with Library.open(path) as library:
            library.put(document(number), "h", ["x"], "x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_put, range(16)))
    with Library.open(path) as library:
        assert len(library.state("notes")) == 16


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"A poem about the sea.\n" * 500)
    with pytest.raises(LibraryError, match=REMEDY) as error:
        Library.open(path)
    assert str(path) in str(error.value)
    assert path.read_bytes().startswith(b"A poem")


@pytest.mark.parametrize("damage", ["cut", "zeros", "noise"])
def test_damage_is_found_and_named(path: Path, damage: str) -> None:
    with Library.open(path) as library:
        fill(library, 400)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        whole[:middle]
        if damage == "cut"
        else whole[: 4096 * 3]
        + (b"\0" if damage == "zeros" else b"\xa5") * (len(whole) - 4096 * 4)
        + whole[-4096:]
    )
    with pytest.raises(LibraryError, match=REMEDY) as error:  # noqa: SIM117
        with Library.open(path) as library:
            library.check()
    assert str(path) in str(error.value)


def test_damage_that_is_met_while_reading_is_named(path: Path) -> None:
    with Library.open(path) as library:
        fill(library, 400)
        for text, size in [("first 1", 2), ("first 2", 1)]:
            library.store_vectors("e", [(chunk_hash(text), np.ones(size, dtype=np.float32))])
        with pytest.raises(LibraryError, match=REMEDY):
            library.vectors("notes", "e")
        library._db.execute("UPDATE documents SET topics = '[' WHERE id = 'notes/7'")
        with pytest.raises(LibraryError, match=REMEDY):
            list(library.entries("notes"))
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(LibraryError, match=REMEDY):  # noqa: SIM117
        with Library.open(path) as library:
            list(library.entries("notes"))


def test_a_newer_library_is_refused_and_kept(path: Path) -> None:
    with Library.open(path) as library:
        fill(library)
        library._db.execute("UPDATE meta SET value = '2'")
        library._db.execute("DROP TABLE vectors")
    before = picture(path.parent)
    with pytest.raises(LibraryError, match=r"newer version of this program \(format 2"):
        Library.open(path)
    assert picture(path.parent) == before


@pytest.mark.parametrize(
    "statement", ["DROP TABLE chunks", "DELETE FROM meta", "UPDATE meta SET value = 'one'"]
)
def test_a_library_that_lacks_something_is_damaged(path: Path, statement: str) -> None:
    with Library.open(path) as library:
        library._db.execute(statement)
    with pytest.raises(LibraryError, match=REMEDY):
        Library.open(path)


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE photos (id)")
    db.commit()
    db.close()
    with pytest.raises(LibraryError, match="another program's database"):
        Library.open(path)
    assert list(picture(path.parent)) == ["photos"]


def test_a_folder_or_a_file_in_the_way(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LibraryError, match="cannot be opened"):
        Library.open(path)
    (path.parent / "file").touch()
    with pytest.raises(LibraryError, match="cannot be opened"):
        Library.open(path.parent / "file" / "library.db")
