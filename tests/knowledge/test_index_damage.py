import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.api.collection_configuration import CreateHNSWConfiguration

from graph.state import Strategy
from knowledge.cards import Card
from knowledge.store import StrategyStore
from tests.knowledge.fakes import QUERY, HashedWords, Open, ids, index_of, library, make_card


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
    with chromadb.api.client.Client(
        settings=chromadb.config.Settings(
            anonymized_telemetry=False, is_persistent=True, persist_directory=str(path)
        )
    ) as client:
        old = client.get_collection("strategies", embedding_function=None)
        stored = old.get(include=["documents", "embeddings"])
        client.delete_collection("strategies")
        new = client.create_collection(
            "strategies", embedding_function=None, configuration={"hnsw": hnsw}
        )
        new.add(stored["ids"], stored["embeddings"], None, stored["documents"])
        new.query([1.0] * 64, n_results=1)


def _other_space(path: Path) -> None:
    _recreate(path, {"space": "l2"})


def _lose_graph(path: Path) -> None:
    _recreate(path, {"space": "cosine", "sync_threshold": 10})
    for folder in path.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)


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
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Strategy]]:
    """An index to copy, and what it finds."""
    directory = tmp_path_factory.mktemp("sound")
    store = StrategyStore.open(directory, CARDS, HashedWords(), "fake")
    found = store.search_text(QUERY)
    store.close()
    return directory, found


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
    sound: tuple[Path, list[Strategy]],
    open_store: Open,
    embeddings: HashedWords,
    directory: Path,
) -> None:
    shutil.copytree(sound[0], directory)
    damaged = index_of(directory)
    damage(damaged)

    store = open_store(CARDS)

    assert embeddings.documents == 40
    assert store.search_text(QUERY) == sound[1]
    assert index_of(directory) != damaged
    assert store.stats()["directory"] == str(directory)


def test_a_sound_copy_is_opened_as_it_is(
    sound: tuple[Path, list[Strategy]], open_store: Open, embeddings: HashedWords, directory: Path
) -> None:
    shutil.copytree(sound[0], directory)

    store = open_store(CARDS)

    assert embeddings.documents == 0
    assert store.search_text(QUERY) == sound[1]


def test_graph_files_are_never_trusted(
    open_store: Open, embeddings: HashedWords, directory: Path
) -> None:
    # More texts than Chroma's default threshold, after which it would read these files again.
    cards = [make_card(f"card-{number}") for number in range(260)]
    embeddings.dimensions = 256
    store = open_store(cards)
    query = "card-77 at work"
    sound = store.search_text(query, k=1)
    built = embeddings.documents
    for wreck in ("garbage", "gone"):
        store.close()
        files = [path for path in index_of(directory).glob("*/*") if path.is_file()]
        assert files, wreck
        for path in files:
            if wreck == "gone":
                path.unlink()
            else:
                path.write_bytes(os.urandom(max(512, path.stat().st_size)))
        store = open_store(cards)
        assert embeddings.documents == built, wreck
        assert store.search_text(query, k=1) == sound, wreck


def test_damage_under_an_open_store_does_not_stop_the_next(
    open_store: Open, cards: list[Card], embeddings: HashedWords, directory: Path
) -> None:
    open_store(cards)
    _garbage(index_of(directory))
    assert ids(open_store(cards).search_text(QUERY))[0] == "wind-down"


def test_a_failing_encoder_leaves_nothing_behind(
    cards: list[Card], directory: Path, open_store: Open
) -> None:
    class Broken(HashedWords):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        StrategyStore.open(directory, cards, Broken(), "fake")
    assert list(directory.glob("index-*")) == []
    assert ids(open_store(cards).search_text(QUERY))[0] == "wind-down"
