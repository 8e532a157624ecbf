"""The commands `empathy knowledge`: what they change, find and say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import knowledge.lint
from graph import retrieval
from knowledge.cards import DEFAULT_FOLDER
from knowledge.library import FILE_NAME
from knowledge.lint import LintFinding
from models.adapter import RETRIEVAL, save_adapter
from tests.commands import Retrieving, Shell, fake_retrievals
from tests.knowledge.fakes import write_card
from tests.knowledge.ingesting import WordEncoder, picture, write_rows

RAIN, SNOW = "It rained all day.", "It snowed at night."


@pytest.fixture
def empathy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("EMPATHY_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Retrieving:
    """The encoder and the place of indexes that the commands get."""
    return fake_retrievals(monkeypatch)


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cards in the place of those shipped."""
    folder = tmp_path / "cards"
    write_card(folder, "ground-yourself")
    write_card(folder, "name-the-hours", "I keep spiralling", "I lie awake until dawn")
    monkeypatch.setenv("EMPATHY_CARDS_DIR", str(folder))
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "mine" / "a.jsonl", {"1": RAIN, "2": SNOW, "3": RAIN})


@pytest.mark.usefixtures("fakes", "data")
def test_ingest_says_in_short_what_became_of_the_sources(empathy: Shell, mine: Path) -> None:
    done = empathy("knowledge", "ingest", str(mine), "--collection", "notes")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "2 added, 0 updated, 0 unchanged, 0 removed",
        "duplicates left out: 1",
        "chunks embedded: 2",
    ]
    again = empathy("knowledge", "ingest", str(mine), "--collection", "notes")
    assert again.out.splitlines()[0] == "0 added, 0 updated, 2 unchanged, 0 removed"


@pytest.mark.usefixtures("fakes", "data")
def test_ingest_tells_programs_all(empathy: Shell, mine: Path) -> None:
    mine.write_text(mine.read_text() + "not JSON")
    done = empathy("knowledge", "ingest", str(mine), "--json")
    assert done.code == 1
    [report] = done.records
    assert report == {
        "added": ["documents/1", "documents/2"],
        "updated": [],
        "unchanged": [],
        "removed": [],
        "duplicates": ["documents/3"],
        "left_out": [],
        "empty": [],
        "personal_data": {},
        "embedded": 2,
        "problems": [{"path": str(mine), "line": 4, "problem": "is not valid JSON"}],
    }
    plain = empathy("knowledge", "ingest", str(mine))
    assert plain.code == 1
    assert plain.err == f"error: {mine}, line 4: is not valid JSON\n"


@pytest.mark.usefixtures("fakes", "data")
def test_ingest_of_counsel_chat_from_a_folder(empathy: Shell, tmp_path: Path) -> None:
    answer = {"id": "7-0", "question_id": "7", "text": RAIN}
    (tmp_path / "answers.jsonl").write_text(json.dumps(answer))
    (tmp_path / "questions.jsonl").write_text(json.dumps({"id": "7", "title": "Why?"}))
    done = empathy("knowledge", "ingest", "counsel-chat", "--from", str(tmp_path), "--json")
    assert done.records[0]["added"] == ["counsel_chat/7-0"]


def test_ctrl_c_says_what_is_kept_and_exits_130(
    empathy: Shell, fakes: Retrieving, data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(texts: list[str]) -> list[list[float]]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fakes.encoder, "embed_documents", stop)
        done = empathy("knowledge", "ingest", str(mine))
    assert (done.code, done.out) == (130, "")
    assert "Kept: 2 documents, and vectors of 0 of their 2 chunks." in done.err
    assert len(picture(data)["documents"]) == 2
    assert "chunks embedded: 2" in empathy("knowledge", "ingest", str(mine)).out


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("command", [["ingest"], ["ingest", "x.md"], ["remove", "notes", "--yes"]])
def test_a_damaged_library_is_one_clear_line(
    empathy: Shell, data: Path, command: list[str]
) -> None:
    data.mkdir()
    (data / FILE_NAME).write_bytes(b"no database at all " * 100)
    done = empathy("knowledge", *command)
    assert (done.code, done.out) == (1, "")
    assert str(data / FILE_NAME) in done.err
    assert "ingest the sources again" in done.err
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("data")
def test_an_encoder_that_cannot_be_loaded_is_an_error_and_documents_are_kept(
    empathy: Shell, mine: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no weights; run `make install` again")

    monkeypatch.setattr(retrieval, "load_encoder", fail)
    one = np.ones((1, 1), dtype=np.float32)
    save_adapter({"layer": (one, one)}, 1.0, "another", tmp_path / "weights", name=RETRIEVAL)
    monkeypatch.setenv("EMPATHY_WEIGHTS_DIR", str(tmp_path / "weights"))
    done = empathy("knowledge", "ingest", str(mine))
    assert (done.code, done.err) == (1, "error: no weights; run `make install` again\n")
    assert len(picture(data)["documents"]) == 2


@pytest.mark.usefixtures("fakes", "data", "cards")
def test_stats_list_each_collection(empathy: Shell, mine: Path) -> None:
    strategies = {
        "collection": "strategies",
        "documents": 2,
        "chunks": 8,
        "vectors": {"fake": 8},
        "bytes": 0,
    }
    assert empathy("knowledge", "stats", "--json").records == [[strategies]]
    empathy("knowledge", "ingest", str(mine), "--collection", "notes")
    [[first, notes]] = empathy("knowledge", "stats", "--json").records
    assert first == strategies
    assert notes["bytes"] > 2 * 4 * WordEncoder.dimensions
    assert notes | {"bytes": 0} == {
        "collection": "notes",
        "documents": 2,
        "chunks": 2,
        "vectors": {"fake": 2},
        "bytes": 0,
    }
    plain = empathy("knowledge", "stats").out
    assert "notes\n  2 documents, 2 chunks, 0.0 MB\n  vectors: 2 by fake\n" in plain


@pytest.mark.usefixtures("cards")
def test_ingest_without_sources_brings_the_cards_up_to_date(
    empathy: Shell, data: Path, fakes: Retrieving
) -> None:
    write_card(data / "cards", "my-own")
    done = empathy("knowledge", "ingest")
    assert (done.code, done.out) == (0, "0 added, 0 updated, 0 unchanged, 0 removed\n")
    [passages] = fakes.place.opened
    assert passages.collection == "strategies"
    names = {name.partition("#")[0] for name in passages.texts}
    assert names == {"ground-yourself", "name-the-hours", "my-own"}


AWAKE = "I lie awake until dawn"


@pytest.mark.usefixtures("fakes", "data", "cards")
def test_search_prints_for_people_and_for_programs(empathy: Shell) -> None:
    [found] = empathy("knowledge", "search", AWAKE, "--json").records
    assert found[0]["id"] == "name-the-hours"
    assert found[0].keys() == {"id", "title", "text", "source", "score"}
    assert 1 < found[0]["score"] < 1.3
    done = empathy("knowledge", "search", AWAKE, "--k", "1")
    assert (done.code, done.err) == (0, "")
    title, text, source, name, why = done.out.splitlines()
    assert title == f"Ground yourself  ({found[0]['score']:.2f})"
    assert (text, source) == (f"  {found[0]['text']}", f"  {found[0]['source']}")
    assert name == "  id: name-the-hours"
    assert why == f'  why: closest passage 1.00; meant for anxious: "{AWAKE}"'


@pytest.mark.usefixtures("fakes", "data", "cards")
def test_search_shows_cards_that_a_reply_would_offer_unless_told(empathy: Shell) -> None:
    line = json.dumps({"text": "zebra"}).encode()
    assert empathy("knowledge", "search", "zebra").out == "Nothing is close enough to this text.\n"
    assert empathy("knowledge", "search", "-", stdin=line).records == [[]]
    least = ("--floor", "-1", "--json")
    assert len(empathy("knowledge", "search", "zebra", *least).records[0]) == 2
    assert empathy("knowledge", "search", "-", "--floor", "0.99", stdin=line).records == [[]]


@pytest.mark.usefixtures("data", "cards")
@pytest.mark.parametrize(("feeling", "found"), [("afraid", 1), ("joyful", 0)])
def test_search_finds_cards_by_what_is_felt_as_a_reply_would(
    empathy: Shell, monkeypatch: pytest.MonkeyPatch, feeling: str, found: int
) -> None:
    fake_retrievals(monkeypatch, feeling)
    done = empathy("knowledge", "search", "I lie here so long awake until noon", "--json")
    assert [each["id"] for each in done.records[0]] == ["name-the-hours"][:found]


@pytest.mark.usefixtures("data", "cards")
def test_search_reads_json_lines_with_one_index(empathy: Shell, fakes: Retrieving) -> None:
    lines = [json.dumps({"text": AWAKE}), "{}", json.dumps({"text": "everything feels unreal"})]
    done = empathy("knowledge", "search", "-", "--k", "1", stdin="\n".join(lines).encode())
    assert done.code == 1
    [first], bad, [last] = done.records
    assert (first["id"], last["id"]) == ("name-the-hours", "ground-yourself")
    assert bad["line"] == 2
    assert len(fakes.place.opened) == 1


@pytest.mark.usefixtures("data", "cards")
def test_search_of_a_collection_of_ones_own_or_of_none(
    empathy: Shell, fakes: Retrieving, mine: Path
) -> None:
    empathy("knowledge", "ingest", str(mine), "--collection", "notes")
    [found] = empathy("knowledge", "search", RAIN, "--collection", "notes", "--json").records
    assert (found[0]["id"], found[0]["text"]) == ("notes/1", RAIN)

    asked = fakes.encoder.queries
    done = empathy("knowledge", "search", "sleep", "--collection", "poems")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: there is no collection 'poems'; there is: strategies, notes\n"
    assert fakes.encoder.queries == asked


def test_remove_asks_unless_told(empathy: Shell, data: Path, mine: Path, fakes: Retrieving) -> None:
    empathy("knowledge", "ingest", str(mine), "--collection", "notes")
    missing = empathy("knowledge", "remove", "strategies", "--yes")
    assert missing.code == 2
    assert "there is: notes" in missing.err

    refused = empathy("knowledge", "remove", "notes")
    assert refused.code == 2
    assert "--yes" in refused.err

    no = empathy("knowledge", "remove", "notes", stdin=b"n\n", terminal=True)
    assert no.code == 1
    assert "Nothing was removed." in no.out
    assert len(picture(data)["documents"]) == 2
    assert fakes.place.removed == []

    yes = empathy("knowledge", "remove", "notes", stdin=b"y\n", terminal=True)
    assert yes.code == 0
    assert "notes was removed, with 2 documents." in yes.out
    assert picture(data)["documents"] == picture(data)["vectors"] == []
    assert fakes.place.removed == ["notes"]

    empathy("knowledge", "ingest", str(mine), "--collection", "notes")
    assert empathy("knowledge", "remove", "notes", "--yes").code == 0


@pytest.mark.parametrize("finding", [None, LintFinding("a-walk", "steps", "grade", "is hard")])
def test_lint_prints_what_is_found_and_exits_1(
    empathy: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finding: LintFinding | None
) -> None:
    asked: list[Path] = []

    def lint_folder(path: Path) -> list[LintFinding]:
        asked.append(path)
        return [finding] if finding else []

    monkeypatch.setattr(knowledge.lint, "lint_folder", lint_folder)
    done = empathy("knowledge", "lint", str(tmp_path))
    assert (done.code, done.out) == ((1, f"{finding}\n") if finding else (0, ""))
    [found] = empathy("knowledge", "lint", "--json").records
    assert found == ([vars(finding)] if finding else [])
    assert asked == [tmp_path, DEFAULT_FOLDER]
    assert empathy("knowledge", "lint", str(tmp_path / "none")).code == 2
