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

from knowledge import index
from knowledge.cards import Card
from knowledge.store import StrategyStore
from tests.knowledge.fakes import QUERY, HashedWords, Open, ids, index_of, make_card

ROOT = Path(__file__).parents[2]


def test_a_store_is_built_once(
    open_store: Open, cards: list[Card], embeddings: HashedWords, directory: Path
) -> None:
    store = open_store(cards)
    assert embeddings.documents == sum(len(card.documents) for card in cards) == 12
    first = store.search_text(QUERY)
    store.close()

    again = open_store(list(reversed(cards)))
    assert embeddings.documents == 12
    assert again.search_text(QUERY) == first
    assert ids(first)[0] == "wind-down"
    stats = again.stats()
    assert stats["collection"] == "strategies"
    assert (stats["cards"], stats["documents"], stats["encoder"]) == (3, 12, "fake")
    assert stats["directory"] == str(directory)


def test_another_encoder_or_content_builds_again(
    open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    first = open_store(cards)
    open_store(cards, "other").close()
    assert embeddings.documents == 24
    changed = [*cards[:-1], make_card("small-contact", short="You could wave at a neighbour.")]
    store = open_store(changed)
    assert embeddings.documents == 36
    (found,) = store.search_text("wave at a neighbour", k=1)
    assert found["text"] == "You could wave at a neighbour."
    # The store that was open all along goes on with what it opened.
    assert ids(first.search_text(QUERY))[0] == "wind-down"


def test_an_unused_index_goes_after_a_week(
    open_store: Open, cards: list[Card], directory: Path
) -> None:
    open_store(cards).close()
    old = index_of(directory)
    open_store(cards, "other").close()
    assert old.exists()
    week_ago = (old / "index.json").stat().st_mtime - 8 * 24 * 3600
    os.utime(old / "index.json", (week_ago, week_ago))
    (directory / "index-notes").mkdir()
    (directory / "notes.txt").write_text("not ours")
    open_store(cards, "third")
    assert not old.exists()
    assert len(list(directory.glob("index-*"))) == 3
    assert (directory / "index-notes").exists()
    assert (directory / "notes.txt").exists()


def test_no_cards_is_an_empty_store(open_store: Open) -> None:
    store = open_store([])
    assert store.search_text(QUERY) == []
    assert store.stats()["cards"] == 0


def test_two_cards_with_one_id_are_refused(open_store: Open) -> None:
    with pytest.raises(ValueError, match="same id"):
        open_store([make_card("one"), make_card("one")])


def test_a_file_in_the_place_of_the_directory(
    open_store: Open, cards: list[Card], directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.write_text("in the way")
    with caplog.at_level(logging.WARNING):
        store, other = open_store(cards), open_store(cards[:1])
    assert "held in memory" in caplog.text
    assert store.stats()["directory"] is None
    assert ids(store.search_text(QUERY))[0] == "wind-down"
    assert ids(other.search_text(QUERY, floor=-1)) == ["paced-breathing"]
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
    assert ids(store.search_text(QUERY))[0] == "wind-down"
    assert list(directory.glob("index-*")) == []


def test_a_lock_that_is_never_freed(
    open_store: Open, cards: list[Card], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_LOCK_TIMEOUT_S", 0.1)
    directory.mkdir()
    with FileLock(directory / "index.lock"):
        store = open_store(cards)
    assert store.stats()["directory"] is None
    assert ids(store.search_text(QUERY))[0] == "wind-down"


def test_threads_may_open_at_once(
    cards: list[Card], directory: Path, embeddings: HashedWords
) -> None:
    def open_and_search(_: int) -> list[str]:
        store = StrategyStore.open(directory, cards, embeddings, "fake")
        try:
            return ids(store.search_text(QUERY, floor=-1))
        finally:
            store.close()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(open_and_search, range(8)))
    assert {tuple(each) for each in results} == {tuple(results[0])}
    assert results[0][0] == "wind-down"
    assert embeddings.documents == 12


CHILD = """
import json, sys, time
from pathlib import Path
from knowledge.store import StrategyStore
from tests.knowledge.fakes import HashedWords, library

class Telling(HashedWords):
    def embed_documents(self, texts):
        sys.stdout.write("building\\n")
        sys.stdout.flush()
        return super().embed_documents(texts)

embeddings = Telling(pause=float(sys.argv[2]))
store = StrategyStore.open(Path(sys.argv[1]), library(), embeddings, "fake")
found = [each["id"] for each in store.search_text(sys.argv[3])]
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
    assert ids(store.search_text(QUERY))[0] == "wind-down"
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
    assert json.loads(output) == {"embedded": 12, "found": ids(store.search_text(QUERY))}
    assert embeddings.documents == 0
    assert index_of(directory).is_dir()
