import json
import os
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from knowledge import update
from knowledge.cards import load_cards
from knowledge.gather import COUNSEL_CHAT
from tests.knowledge.fakes import write_card
from tests.knowledge.ingesting import WordEncoder, picture, run, stats, texts, write_rows
from tests.knowledge.list_index import ListPlace

RAIN, SNOW, WIND = "It rained all day.", "It snowed at night.", "The wind was warm."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine"


def test_documents_are_added_then_unchanged_then_updated_or_removed(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW})
    first = run(data, mine)
    assert (first.added, first.embedded) == (["notes/1", "notes/2"], 2)

    encoder = WordEncoder()
    second = run(data, mine, encoder=encoder)
    assert second.unchanged == ["notes/1", "notes/2"]
    assert (second.added, second.updated, second.removed, second.embedded) == ([], [], [], 0)
    assert encoder.documents == encoder.queries == 0

    write_rows(mine / "a.jsonl", {"2": WIND, "3": RAIN})
    third = run(data, mine)
    assert (third.added, third.updated, third.removed) == (["notes/3"], ["notes/2"], ["notes/1"])
    assert third.embedded == 1, "the vector of a text is kept when the text moves"
    assert texts(data) == {"2": WIND, "3": RAIN}
    [library] = stats(data)
    assert (library["documents"], library["chunks"], library["vectors"]) == (2, 2, {"fake": 2})
    assert len(picture(data)["vectors"]) == 2


def test_a_folder_is_walked_and_a_file_that_is_gone_takes_its_documents(
    data: Path, mine: Path
) -> None:
    (mine / "b").mkdir(parents=True)
    (mine / ".git").mkdir()
    (mine / "guide.md").write_text(RAIN)
    (mine / "b" / "guide.md").write_text(SNOW)
    (mine / ".git" / "guide.md").write_text(WIND)
    (mine / ".hidden.md").write_text(WIND)
    report = run(data, mine)
    assert report.added == ["notes/b/guide.md#1", "notes/guide.md#1"]
    assert report.problems == []

    shutil.rmtree(mine / "b")
    report = run(data, mine)
    assert (report.removed, report.unchanged) == (["notes/b/guide.md#1"], ["notes/guide.md#1"])


def test_other_sources_of_a_collection_are_left_alone(data: Path, tmp_path: Path) -> None:
    one = write_rows(tmp_path / "one" / "x.jsonl", {"1": RAIN})
    two = write_rows(tmp_path / "two" / "x.jsonl", {"2": SNOW})
    run(data, one.parent)
    run(data, two)
    assert texts(data) == {"1": RAIN, "2": SNOW}
    # A folder whose name another one's begins with is not above it.
    (tmp_path / "on").mkdir()
    assert run(data, tmp_path / "on").removed == []


def test_files_with_the_same_ids_do_not_overwrite_each_other(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    write_rows(mine / "b.jsonl", {"1": SNOW})
    for _ in range(2):
        assert run(data, mine).problems == []
        assert texts(data) == {"1": RAIN, "b.jsonl/1": SNOW}
    other = write_rows(mine.parent / "c.jsonl", {"1": WIND})
    run(data, other)
    assert texts(data) == {"1": RAIN, "b.jsonl/1": SNOW, "c.jsonl/1": WIND}


def test_an_id_that_a_file_gives_twice_is_a_problem(data: Path, mine: Path) -> None:
    file = mine / "a.jsonl"
    write_rows(file, {"1": RAIN})
    file.write_text(file.read_text() + json.dumps({"id": "1", "text": SNOW}))
    report = run(data, file)
    assert [str(each) for each in report.problems] == [
        f"{file}: has two documents with the id notes/1; the later is left out"
    ]
    assert texts(data) == {"1": RAIN}


def test_a_folder_that_was_moved_takes_its_documents_along(data: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "old" / "a.jsonl", {"1": RAIN, "2": SNOW})
    run(data, tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    report = run(data, tmp_path / "new")
    assert (report.updated, report.duplicates) == (["notes/1", "notes/2"], [])
    write_rows(tmp_path / "new" / "a.jsonl", {"1": RAIN})
    assert run(data, tmp_path / "new").removed == ["notes/2"]


def test_duplicates_are_left_out_and_the_first_stays(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW, "3": "IT RAINED,  all day"})
    write_rows(mine / "b.jsonl", {"4": "«It snowed at night…»"})
    report = run(data, mine)
    assert report.duplicates == ["notes/3", "notes/4"]
    again = run(data, mine)
    assert (again.duplicates, again.added) == (["notes/3", "notes/4"], [])

    # What was a duplicate is kept once the first is gone.
    write_rows(mine / "a.jsonl", {"2": SNOW, "3": RAIN})
    assert run(data, mine).added == ["notes/3"]
    assert texts(data) == {"2": SNOW, "3": RAIN}
    # A new first one takes the place of a later one that says the same.
    write_rows(mine / "a.jsonl", {"0": "it rained all day", "2": SNOW, "3": RAIN})
    report = run(data, mine)
    assert (report.added, report.duplicates) == (["notes/0"], ["notes/3", "notes/4"])
    assert report.removed == ["notes/3"]


def test_duplicates_of_another_source_of_the_collection(data: Path, tmp_path: Path) -> None:
    run(data, write_rows(tmp_path / "one.jsonl", {"1": RAIN}))
    two = write_rows(tmp_path / "two.jsonl", {"2": RAIN, "3": SNOW})
    assert run(data, two).duplicates == ["notes/2"]
    assert run(data, two, collection="other").duplicates == []


def test_harmful_advice_is_left_out_with_its_reason(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW})
    run(data, mine)
    fault = SimpleNamespace(name="weather", why="speaks of snow")
    monkeypatch.setattr(update, "harmful_advice", lambda text: [fault] if "snow" in text else [])
    monkeypatch.setattr(update, "_rules_digest", lambda: "new rules")
    for removed in (["notes/2"], []):
        report = run(data, mine)
        assert report.removed == removed
        assert report.as_json()["left_out"] == [
            {"id": "notes/2", "faults": [{"name": "weather", "why": "speaks of snow"}]}
        ]
        assert texts(data) == {"1": RAIN}


def test_personal_data_never_reaches_the_library(data: Path, mine: Path) -> None:
    mail = "jane.doe@example.org"
    text = f"Write down what happened today. My own address is {mail} if you want to write."
    row = {"id": "1", "title": f"Mail of {mail}", "text": text}
    mine.mkdir()
    (mine / "a.jsonl").write_text(json.dumps(row))
    report = run(data, mine)
    assert report.personal_data["mail"] >= 1
    assert "Write down what happened today." in texts(data)["1"]
    for file in data.iterdir():
        assert mail.encode() not in file.read_bytes()
    assert run(data, mine).personal_data == Counter()


def test_a_document_of_nothing_but_personal_data_is_left_out(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned = lambda text: ("" if text == SNOW else text, Counter[str]())  # noqa: E731
    monkeypatch.setattr(update, "remove_personal_data", cleaned)
    report = run(data, write_rows(mine / "a.jsonl", {"1": RAIN, "2": SNOW}))
    assert (report.added, report.empty) == (["notes/1"], ["notes/2"])


def test_problems_are_reported_and_the_rest_goes_on(data: Path, mine: Path) -> None:
    file = write_rows(mine / "a.jsonl", {"1": RAIN})
    file.write_text(file.read_text() + "not JSON\n" + json.dumps({"id": "2", "text": SNOW}))
    (mine / "b.pdf").write_bytes(b"PK\x03\x04zip")
    missing = mine / "missing.md"
    report = run(data, mine, missing)
    assert report.added == ["notes/1", "notes/2"]
    where = {(each["path"], each["line"]) for each in report.as_json()["problems"]}
    assert where == {(str(file), 2), (str(mine / "b.pdf"), 0), (str(missing), 0)}


def test_names_and_texts_that_are_no_unicode_are_kept_readable(data: Path, mine: Path) -> None:
    mine.mkdir()
    (mine / "a.jsonl").write_text('{"id": "1", "title": "\\ud800", "text": "half \\udc00 a pair"}')
    try:
        (mine / os.fsdecode(b"caf\xe9.md")).write_text(SNOW)
    except OSError:
        pytest.skip("this file system takes no such name")
    report = run(data, mine)
    assert len(report.added) == 2
    json.dumps(report.as_json(), ensure_ascii=False).encode()
    assert len(run(data, mine).unchanged) == 2


def test_counsel_chat_from_a_folder(data: Path, tmp_path: Path) -> None:
    folder = counsel_chat(tmp_path, {"7-0": RAIN, "7-1": SNOW})
    by_word = run(data, COUNSEL_CHAT, collection="", counsel_chat=folder)
    assert by_word.added == ["counsel_chat/7-0", "counsel_chat/7-1"]
    # The folder itself, wherever it is, is the same source.
    moved = folder.rename(tmp_path / "moved")
    assert run(data, moved, collection="").unchanged == by_word.added
    counsel_chat(tmp_path, {"7-0": RAIN}, "moved")
    assert run(data, moved, collection="").removed == ["counsel_chat/7-1"]
    assert run(data, moved).added == ["notes/7-0"]
    missing = run(data, COUNSEL_CHAT, collection="", counsel_chat=tmp_path / "none")
    assert len(missing.problems) == 1
    assert texts(data, "counsel_chat") == {"7-0": RAIN}


def counsel_chat(parent: Path, answers: dict[str, str], name: str = "chat") -> Path:
    folder = parent / name
    folder.mkdir(exist_ok=True)
    question = {"id": "7", "title": "Why?", "text": "Why?", "topic": "weather", "url": ""}
    (folder / "questions.jsonl").write_text(json.dumps(question))
    rows = [{"id": id, "question_id": "7", "text": text} for id, text in answers.items()]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_without_a_collection_documents_go_to_documents(data: Path, mine: Path) -> None:
    write_rows(mine / "a.jsonl", {"1": RAIN})
    assert run(data, mine, collection="").added == ["documents/1"]


def test_a_card_among_documents_goes_to_the_cards(data: Path, mine: Path) -> None:
    shipped = write_card(mine.parent / "shipped", "shipped").parent
    place = ListPlace()

    def cards() -> list[set[str]]:
        opened = [each for each in place.opened if each.collection == "strategies"]
        return [{name.partition("#")[0] for name in each.texts} for each in opened]

    write_card(mine, "own-way")
    broken = write_card(mine, "broken", "evidence: moderate", "evidence: none")
    guide = "---\ntitle: A guide\nlicence: CC0\n---\nIt rained all day."
    (mine / "guide.md").write_text(guide)
    report = run(data, mine, place=place, shipped_cards=shipped)
    assert report.added == ["own-way", "notes/guide.md#1"]
    assert [each.path for each in report.problems] == [broken]
    assert report.as_json()["problems"][0]["problem"].startswith("evidence: ")
    assert [card.id for card in load_cards(data / "cards")] == ["own-way"]
    both = {"shipped", "own-way"}
    assert cards() == [both]
    # Without a card among the sources nothing of the cards is touched; without sources it is.
    run(data, mine / "guide.md", place=place, shipped_cards=shipped)
    assert cards() == [both]
    run(data, collection="", place=place, shipped_cards=shipped)
    assert cards() == [both, both]
