import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from filelock import FileLock

from knowledge import ingest as ingest_module
from knowledge import update
from knowledge.ingest import CollectionNameError, check_name, ingest, remove
from knowledge.library import FILE_NAME, Library, LibraryError
from models.query_bank import QueryBank
from tests.knowledge.ingesting import WordEncoder, picture, run, stats, texts, write_rows
from tests.knowledge.list_index import ListPlace

RAIN, SNOW, WIND = "It rained all day.", "It snowed at night.", "The wind was warm."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine"


def test_new_rules_clean_again_but_embed_only_what_became_different(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW})
    run(data, mine)
    monkeypatch.setattr(update, "_rules_digest", lambda: "new rules")
    monkeypatch.setattr(
        update, "remove_personal_data", lambda text: (text.replace("night", "noon"), Counter[str]())
    )
    report = run(data, mine)
    assert (report.updated, report.embedded) == (["notes/1", "notes/2"], 1)
    assert texts(data)["2"] == "It snowed at noon."


def test_the_rules_digest_is_of_every_file_with_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    update._rules_digest.__wrapped__()
    assert {"chunks.py", "sentences.py", "personal_data.py", "advice.py"} <= set(read)
    assert any(name.endswith(".toml") for name in read)


def test_another_encoder_embeds_again_and_the_first_ones_vectors_stay(
    data: Path, mine: Path
) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW})
    run(data, mine)
    other = WordEncoder()
    other.id = "other"
    assert run(data, mine, encoder=other).embedded == 2
    [library] = stats(data)
    assert library["vectors"] == {"fake": 2, "other": 2}
    assert run(data, mine).embedded == 0


def test_long_documents_are_embedded_in_chunks(data: Path, mine: Path) -> None:
    paragraphs = [" ".join(f"w{i}x{j}" for j in range(150)) + "." for i in range(3)]
    report = run(data, write_rows(mine / "a.jsonl", {"1": "\n\n".join(paragraphs)}))
    assert report.embedded == 3
    with Library.open(data / FILE_NAME) as library:
        ids, vectors = library.vectors("notes", "fake")
    assert ids == ["notes/1#0", "notes/1#1", "notes/1#2"]
    assert vectors.shape == (3, WordEncoder.dimensions)


def test_a_file_that_cannot_be_read_now_keeps_its_documents(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    write_rows(mine / "b.jsonl", {"2": SNOW})
    run(data, mine)
    (mine / "b.jsonl").write_bytes(b"\0" * 100)
    report = run(data, mine)
    assert [each.path.name for each in report.problems] == ["b.jsonl"]
    assert (report.removed, texts(data)) == ([], {"1": RAIN, "2": SNOW})
    assert run(data, mine / "gone").removed == []


def test_a_folder_that_cannot_be_looked_into_keeps_its_documents(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    locked = write_rows(mine / "locked" / "b.jsonl", {"2": SNOW}).parent
    run(data, mine)
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = run(data, mine)
    assert [str(each) for each in report.problems] == [
        f"{locked}: cannot be looked into: Permission denied"
    ]
    assert (report.removed, texts(data)) == ([], {"1": RAIN, "2": SNOW})


@pytest.mark.parametrize(
    "name", ["ab", "a" * 61, "Notes", "my notes", "../x", "-abc", "strategies"]
)
def test_a_bad_collection_is_refused_before_anything_is_made(data: Path, name: str) -> None:
    with pytest.raises(CollectionNameError):
        run(data, "x.md", collection=name)
    assert picture(data)["documents"] == []
    check_name("my_notes-2")


class Stopping(WordEncoder):
    """Fails at the third batch."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.documents >= 2 * len(texts):
            raise self.error
        return super().embed_documents(texts)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no memory")])
def test_a_stopped_run_keeps_each_batch_and_goes_on(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(ingest_module, "_BATCH", 4)
    write_rows(mine / "a.jsonl", [f"Text number {i}." for i in range(20)])
    with pytest.raises(type(error)):
        run(data, mine, encoder=Stopping(error))
    [library] = stats(data)
    assert (library["documents"], library["vectors"]) == (20, {"fake": 8})
    encoder = WordEncoder()
    report = run(data, mine, encoder=encoder)
    assert (len(report.unchanged), report.embedded, encoder.documents) == (20, 12, 12)


def test_a_full_disk_keeps_what_was_there(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    run(data, mine)
    before = picture(data)
    write_rows(mine / "a.jsonl", [f"{RAIN} {i} " + "word " * 150 for i in range(100)])
    with Library.open(data / FILE_NAME) as library:
        [(pages,)] = library._db.execute("PRAGMA page_count")
        library._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(LibraryError, match="the disk is full"):
            place = cast(Any, ListPlace())
            ingest([mine], library, WordEncoder(), place, collection="notes", progress=False)
    assert picture(data) == before
    assert len(run(data, mine).added) == 99


def test_a_damaged_library_is_found_before_anything_is_done(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", [f"{RAIN} {i}" for i in range(300)])
    run(data, mine)
    whole = (data / FILE_NAME).read_bytes()
    (data / FILE_NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LibraryError, match="move the file away"):
        run(data, mine)


def test_a_second_run_waits_for_the_first_and_says_so(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    waiting, said = threading.Event(), list[str]()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    data.mkdir()
    with ThreadPoolExecutor() as pool:
        with FileLock(data / "library.lock"):
            second = pool.submit(run, data, mine, say=say)
            assert waiting.wait(10)
            assert not second.done()
        assert second.result(10).added == ["notes/1"]
    assert len(said) == 1
    assert "waiting" in said[0]


def test_removing_a_collection(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    run(data, mine)
    run(data, mine, collection="other")
    place = ListPlace()
    with Library.open(data / FILE_NAME) as library:
        remove(library, cast(Any, place), "notes")
        assert library.collections() == ["other"]
    assert (place.opened, place.removed) == ([], ["notes"])


def test_a_run_leaves_the_index_of_what_the_library_holds(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW})
    place = ListPlace()
    run(data, mine, place=place)
    [passages] = place.opened
    assert (passages.collection, passages.encoder_id) == ("notes", "fake")
    assert dict(passages.texts) == {"notes/1#0": RAIN, "notes/2#0": SNOW}
    assert place.removed == []

    (mine / "a.jsonl").unlink()
    assert run(data, mine, place=place).removed == ["notes/1", "notes/2"]
    assert (len(place.opened), place.removed) == (1, ["notes"])


def test_an_index_is_made_with_the_bank_of_questions(data: Path, mine: Path) -> None:
    place, bank = ListPlace(), QueryBank(np.eye(3, 64, dtype=np.float32), "bank")
    run(data, write_rows(mine / "a.jsonl", {"1": RAIN}), place=place, bank=bank)
    run(data, collection="", place=place, bank=bank)
    assert [(each.collection, each.bank) for each in place.opened] == [
        ("notes", bank),
        ("strategies", bank),
    ]


def test_progress_is_shown_on_request_alone(
    data: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    run(data, mine)
    assert capsys.readouterr() == ("", "")
    run(data, write_rows(mine / "a.jsonl", {"1": SNOW}), progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Reading: 1 documents" in shown.err
    assert "Embedding: 100%" in shown.err
    assert "snow" not in shown.err
