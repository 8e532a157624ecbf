import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chromadb.api.collection_configuration import CreateHNSWConfiguration

from knowledge.cards import Card
from knowledge.index import chroma, folder
from knowledge.search import Found
from knowledge.store import IndexPlace
from tests.knowledge.fakes import (
    QUERY,
    HashedWords,
    Open,
    ids,
    index_of,
    library,
    make_card,
    open_cards,
    search,
)
from tests.knowledge.places import open_folder


def _sqlite(path: Path) -> Path:
    return path / "chroma.sqlite3"


def _garbage(path: Path) -> None:
    _sqlite(path).write_bytes(os.urandom(_sqlite(path).stat().st_size))


def _truncate(path: Path) -> None:
    os.truncate(_sqlite(path), _sqlite(path).stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(_sqlite(path), 0)


def _remove_database(path: Path) -> None:
    _sqlite(path).unlink()


def _lose_rows(path: Path) -> None:
    with sqlite3.connect(_sqlite(path)) as database:
        database.execute("DELETE FROM embeddings WHERE embedding_id = 'wind-down#2'")
    database.close()


def _lose_vectors(path: Path) -> None:
    with sqlite3.connect(_sqlite(path)) as database:
        database.execute("DELETE FROM embeddings_queue WHERE id = 'wind-down#2'")
    database.close()


def _not_numbers(path: Path) -> None:
    with sqlite3.connect(_sqlite(path)) as database:
        vector = np.full(64, np.nan, dtype=np.float32).tobytes()
        database.execute("UPDATE embeddings_queue SET vector = ? WHERE seq_id = 3", [vector])
    database.close()


def _recreate(path: Path, hnsw: CreateHNSWConfiguration) -> None:
    with open_folder(path) as client:
        old = client.get_collection("strategies", embedding_function=None)
        stored = old.get(include=["documents", "embeddings", "metadatas"])
        client.delete_collection("strategies")
        new = client.create_collection(
            "strategies", embedding_function=None, configuration={"hnsw": hnsw}
        )
        new.add(stored["ids"], stored["embeddings"], stored["metadatas"], stored["documents"])
        new.query([1.0] * 64, n_results=1)


def _other_space(path: Path) -> None:
    _recreate(path, {"space": "l2"})


def _lose_graph(path: Path) -> None:
    _recreate(path, {"space": "cosine", "sync_threshold": 10})
    for each in path.iterdir():
        if each.is_dir():
            shutil.rmtree(each)


def _incomplete(path: Path) -> None:
    record = json.loads((path / "index.json").read_text())
    (path / "index.json").write_text(json.dumps(record | {"complete": False}))


def _no_record(path: Path) -> None:
    (path / "index.json").unlink()


def _garbage_record(path: Path) -> None:
    (path / "index.json").write_bytes(b"\xff\x00{")


# Enough texts that the damage lies between the ones that are looked up on opening.
CARDS = [*library(), *(make_card(f"filler-{number}") for number in range(7))]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Found]]:
    """An index to copy, and what it finds."""
    directory = tmp_path_factory.mktemp("sound")
    with open_cards(IndexPlace(directory), CARDS, HashedWords()) as store:
        return directory, search(store, QUERY)


@pytest.mark.parametrize(
    "damage",
    [
        _garbage,
        _truncate,
        _empty,
        _remove_database,
        _lose_rows,
        _lose_vectors,
        _not_numbers,
        _other_space,
        _lose_graph,
        _incomplete,
        _no_record,
        _garbage_record,
    ],
)
def test_a_damaged_index_is_built_again(
    damage: Callable[[Path], None],
    sound: tuple[Path, list[Found]],
    open_store: Open,
    embeddings: HashedWords,
    directory: Path,
) -> None:
    shutil.copytree(sound[0], directory)
    damaged = index_of(directory)
    damage(damaged)

    store = open_store(CARDS)

    assert embeddings.documents == 40
    assert search(store, QUERY) == sound[1]
    assert index_of(directory) != damaged
    assert store.info()[0]["where"] == str(index_of(directory))


def test_a_sound_copy_is_opened_as_it_is(
    sound: tuple[Path, list[Found]], open_store: Open, embeddings: HashedWords, directory: Path
) -> None:
    shutil.copytree(sound[0], directory)

    store = open_store(CARDS)

    assert embeddings.documents == 0
    assert search(store, QUERY) == sound[1]


def _graph_files(directory: Path) -> list[Path]:
    files = [path for path in index_of(directory).glob("*/*") if path.is_file()]
    assert files
    return files


def _overwrite(path: Path) -> None:
    path.write_bytes(os.urandom(max(512, path.stat().st_size)))


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("wreck", [_overwrite, Path.unlink])
def test_graph_files_of_a_small_index_are_never_trusted(
    wreck: Callable[[Path], None], open_store: Open, embeddings: HashedWords, directory: Path
) -> None:
    # More passages than Chroma's default threshold, after which it would read these files again.
    cards = [make_card(f"card-{number}") for number in range(260)]
    store = open_store(cards)
    sound = search(store, "card-77 at work", k=1)
    store.close()
    for path in _graph_files(directory):
        wreck(path)

    store = open_store(cards)

    assert embeddings.documents == 1040
    assert search(store, "card-77 at work", k=1) == sound


@pytest.mark.parametrize("wreck", [_overwrite, _flip_a_bit, Path.unlink])
def test_graph_files_of_a_large_index_are_checked_before_they_are_read(
    wreck: Callable[[Path], None],
    open_store: Open,
    embeddings: HashedWords,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for module in (chroma, folder):
        monkeypatch.setattr(module, "SMALL", 50)
    cards = [make_card(f"card-{number}") for number in range(260)]
    store = open_store(cards)
    sound = search(store, "card-77 at work", k=1)
    store.close()
    largest = max(_graph_files(directory), key=lambda path: path.stat().st_size)
    wreck(largest)

    store = open_store(cards)

    assert "is damaged and is built again" in caplog.text
    assert embeddings.documents == 2080
    assert search(store, "card-77 at work", k=1) == sound


def test_damage_under_an_open_store_does_not_stop_the_next(
    open_store: Open, cards: list[Card], embeddings: HashedWords, directory: Path
) -> None:
    open_store(cards)
    _garbage(index_of(directory))
    assert ids(search(open_store(cards), QUERY))[0] == "wind-down"


def test_a_failing_encoder_leaves_no_folder(
    cards: list[Card], directory: Path, place: IndexPlace
) -> None:
    class Broken(HashedWords):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        open_cards(place, cards, Broken())
    assert list(directory.glob("index-*")) == []
