"""Indexes in a folder: what only a folder can do to them."""

import json
import logging
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from knowledge.cards import Card
from knowledge.contents import card_passages
from knowledge.index import folder
from knowledge.store import IndexPlace
from tests.knowledge.fakes import QUERY, HashedWords, Open, ids, index_of, open_cards, search

ROOT = Path(__file__).parents[2]


def test_only_folders_of_indexes_are_removed(
    open_store: Open, cards: list[Card], directory: Path
) -> None:
    open_store(cards).close()
    old = index_of(directory)
    week_ago = (old / "index.json").stat().st_mtime - 8 * 24 * 3600
    os.utime(old / "index.json", (week_ago, week_ago))
    (directory / "index-notes").mkdir()
    (directory / "notes.txt").write_text("not ours")
    (directory / f"index-{'a' * 32}").symlink_to(directory / "index-notes")
    open_store(cards, "other")
    assert not old.exists()
    assert len(list(directory.glob("index-*/index.json"))) == 1
    assert (directory / "index-notes").exists()
    assert (directory / f"index-{'a' * 32}").is_symlink()
    assert (directory / "notes.txt").exists()


def test_a_file_in_the_place_of_the_directory(
    open_store: Open, cards: list[Card], directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.write_text("in the way")
    with caplog.at_level(logging.WARNING):
        store, other = open_store(cards), open_store(cards[:1])
    assert "held in memory" in caplog.text
    assert store.info()[0]["where"] == "memory or server"
    assert ids(search(store, QUERY))[0] == "wind-down"
    assert ids(search(other, QUERY)) == ["paced-breathing"]
    assert directory.read_text() == "in the way"


def test_a_full_disk(
    open_store: Open,
    cards: list[Card],
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(Path, "write_text", full)
        store = open_store(cards)
    assert "held in memory" in caplog.text
    assert ids(search(store, QUERY))[0] == "wind-down"
    assert list(directory.glob("index-*")) == []


def test_a_lock_that_is_never_freed(
    open_store: Open, cards: list[Card], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_LOCK_TIMEOUT_S", 0.1)
    directory.mkdir()
    with FileLock(directory / "index.lock"):
        store = open_store(cards)
    assert store.info()[0]["where"] == "memory or server"
    assert ids(search(store, QUERY))[0] == "wind-down"


def test_threads_at_once_build_one_index(
    cards: list[Card], place: IndexPlace, embeddings: HashedWords
) -> None:
    def open_and_search(_: int) -> list[str]:
        with open_cards(place, cards, embeddings) as store:
            return ids(search(store, QUERY))

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(open_and_search, range(8)))
    assert {each[0] for each in results} == {"wind-down"}
    assert embeddings.documents == 12


CHILD = """
import json, sys, time
from pathlib import Path
from knowledge.store import IndexPlace
from tests.knowledge.fakes import HashedWords, ids, library, open_cards, search

class Telling(HashedWords):
    def embed_documents(self, texts):
        sys.stdout.write("building\\n")
        sys.stdout.flush()
        return super().embed_documents(texts)

embeddings = Telling(pause=float(sys.argv[2]))
store = open_cards(IndexPlace(Path(sys.argv[1])), library(), embeddings)
found = ids(search(store, sys.argv[3]))
sys.stdout.write(json.dumps({"embedded": embeddings.documents, "found": found}) + "\\n")
"""


def child(directory: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory), str(pause), QUERY],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_kill_in_the_middle_of_building(
    open_store: Open, cards: list[Card], embeddings: HashedWords, directory: Path
) -> None:
    with child(directory, pause=60) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        process.send_signal(signal.SIGKILL)
    unfinished = index_of(directory)
    assert (unfinished / "chroma.sqlite3").exists()

    store = open_store(cards)

    assert embeddings.documents == 12
    assert ids(search(store, QUERY))[0] == "wind-down"
    assert not unfinished.exists()


def test_two_processes_at_once_build_one_index(
    open_store: Open, cards: list[Card], embeddings: HashedWords, directory: Path
) -> None:
    with child(directory, pause=0.5) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        store = open_store(cards)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(output) == {"embedded": 12, "found": ids(search(store, QUERY))}
    assert embeddings.documents == 0
    assert index_of(directory).is_dir()


def test_a_place_knows_which_index_was_finished_there(
    cards: list[Card], embeddings: HashedWords, directory: Path
) -> None:
    place = IndexPlace(directory)
    passages = card_passages(cards, embeddings, "fake")
    assert not place.has(passages)
    place.open(passages).close()
    assert place.has(passages)
    assert not place.has(card_passages(cards, embeddings, "other"))
    assert not place.has(card_passages(cards[:1], embeddings, "fake"))
