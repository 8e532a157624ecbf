from pathlib import Path

import pytest

from knowledge.cards import load_cards
from knowledge.ingest import open_cards
from knowledge.own_cards import copy_cards, is_card, load_all_cards
from knowledge.search import Query
from knowledge.store import IndexPlace, Store
from tests.knowledge.fakes import write_card
from tests.knowledge.ingesting import WordEncoder, run


def test_cards_are_added_then_unchanged_then_updated(tmp_path: Path) -> None:
    source, data = tmp_path / "mine", tmp_path / "data"
    one = write_card(source / "below", "one")
    two = write_card(source, "two")

    first = copy_cards([one, two, one], data)
    assert (first.added, first.updated, first.unchanged) == (("one", "two"), (), ())
    assert (data / "cards" / "two.md").read_bytes() == two.read_bytes()

    write_card(source, "two", "Ground yourself", "My own way")
    second = copy_cards([one, two], data)
    assert (second.added, second.updated, second.unchanged) == ((), ("two",), ("one",))
    assert {card.title for card in load_cards(data / "cards")} == {"Ground yourself", "My own way"}


def test_errors_name_the_file_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad = write_card(tmp_path, "bad", "[anxious, afraid]", "[panicked]")
    good = write_card(tmp_path, "good")
    report = copy_cards([bad, good], tmp_path / "data")
    assert report.added == ("good",)
    assert {error.path: error.problem for error in report.errors} == {
        bad: "'panicked' is not one of the 32 emotions of EmpatheticDialogues",
    }
    assert sorted(path.name for path in (tmp_path / "data" / "cards").iterdir()) == ["good.md"]


def test_two_files_with_one_id_in_a_run(tmp_path: Path) -> None:
    first = write_card(tmp_path / "a", "same")
    second = write_card(tmp_path / "b", "same", "Ground yourself", "Other")
    report = copy_cards([first, second], tmp_path / "data")
    assert report.added == ("same",)
    assert [error.path for error in report.errors] == [second]
    assert (tmp_path / "data" / "cards" / "same.md").read_bytes() == first.read_bytes()


def test_a_failed_copy_leaves_the_old_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write_card(tmp_path / "data" / "cards", "one").read_bytes()
    new = write_card(tmp_path / "mine", "one", "Ground yourself", "Other")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        copy_cards([new], tmp_path / "data")
    assert {path.name: path.read_bytes() for path in (tmp_path / "data" / "cards").iterdir()} == {
        "one.md": old
    }


def test_what_is_meant_as_a_card(tmp_path: Path) -> None:
    assert is_card(write_card(tmp_path, "whole"))
    assert is_card(write_card(tmp_path, "broken", "evidence: moderate", "evidence: none"))
    assert is_card(write_card(tmp_path, "bad-yaml", "emotions: [anxious", "emotions: [[anxious"))
    windows = write_card(tmp_path, "windows")
    windows.write_bytes(b"\xef\xbb\xbf" + windows.read_bytes().replace(b"\n", b"\r\n"))
    assert is_card(windows)


@pytest.mark.parametrize(
    "text",
    [
        "It rained.",
        "---\ntitle: A guide\nsource: WHO\n---\nIt rained.",
        "---\ntitle: A guide\nsteps: 3\n---\nIt rained.",
        "A rule:\n\n---\nemotions:\nsteps:\nshort:\n---\n",
        "---\nemotions: x\nsteps: x\nshort: x\n",
        "",
    ],
)
def test_what_is_no_card(tmp_path: Path, text: str) -> None:
    path = tmp_path / "guide.md"
    path.write_text(text)
    assert not is_card(path)
    assert not is_card(tmp_path / "missing.md")
    assert not is_card(write_card(tmp_path, "x").rename(tmp_path / "x.txt"))


def test_ingested_cards_are_found(tmp_path: Path) -> None:
    data, encoder = tmp_path / "data", WordEncoder()
    situation = "zebra quilt marmalade lantern"
    path = write_card(tmp_path / "mine", "own-way", "Everything feels unreal", situation)
    write_card(tmp_path / "mine", "broken", "evidence: moderate", "evidence: none")
    built_in = len(load_cards())

    place = IndexPlace(data / "index")
    report = run(data, tmp_path / "mine", encoder=encoder, place=place)

    assert report.added == [path.stem]
    assert len(report.problems) == 1
    embedded = encoder.documents
    cards, errors = open_cards(data, encoder, place)
    assert (errors, encoder.documents) == ([], embedded)
    assert cards.entries == built_in + 1
    with Store([cards]) as store:
        [found] = store.search(Query(encoder.embed_query(situation)), k=1)
    assert found.strategy["id"] == "own-way"


def test_a_broken_own_card_is_reported_and_ours_stay(tmp_path: Path) -> None:
    write_card(tmp_path / "cards", "broken", "evidence: moderate", "evidence: none")
    cards, errors = load_all_cards(tmp_path)
    assert len(cards) == len(load_cards())
    assert [error.path.name for error in errors] == ["broken.md"]
    assert load_all_cards(tmp_path / "nothing")[1] == []
    own = load_all_cards(tmp_path / "nothing", write_card(tmp_path / "shipped", "one").parent)
    assert [card.id for card in own[0]] == ["one"]
