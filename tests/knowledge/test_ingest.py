from pathlib import Path

import pytest

from knowledge.cards import load_cards
from knowledge.ingest import copy_cards, ingest_strategies, load_library
from knowledge.store import StrategyStore
from tests.knowledge.fakes import HashedWords, write_card


def test_cards_are_added_then_unchanged_then_updated(tmp_path: Path) -> None:
    source, data = tmp_path / "mine", tmp_path / "data"
    write_card(source / "below", "one")
    two = write_card(source, "two")

    first = copy_cards([source], data)
    assert (first.added, first.updated, first.unchanged) == (("one", "two"), (), ())
    assert (data / "cards" / "two.md").read_bytes() == two.read_bytes()

    write_card(source, "two", "Ground yourself", "My own way")
    second = copy_cards([source], data)
    assert (second.added, second.updated, second.unchanged) == ((), ("two",), ("one",))
    assert {card.title for card in load_cards(data / "cards")} == {"Ground yourself", "My own way"}


def test_errors_name_the_file_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    bad = write_card(source, "bad", "[anxious, afraid]", "[panicked]")
    write_card(source, "good")
    leaflet = source / "leaflet.pdf"
    leaflet.write_bytes(b"%PDF")
    (source / ".hidden").write_text("x")
    missing = tmp_path / "missing.md"

    report = copy_cards([source, missing, source / "good.md"], tmp_path / "data")

    assert report.added == ("good",)
    assert {error.path: error.problem for error in report.errors} == {
        bad: "'panicked' is not one of the 32 emotions of EmpatheticDialogues",
        leaflet: "only Markdown cards (.md) are read so far",
        missing: "does not exist",
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


def test_ingested_cards_are_found(tmp_path: Path, embeddings: HashedWords) -> None:
    data, directory = tmp_path / "data", tmp_path / "index"
    situation = "zebra quilt marmalade lantern"
    path = write_card(tmp_path / "mine", "own-way", "Everything feels unreal", situation)
    write_card(tmp_path / "mine", "broken", "evidence: moderate", "evidence: none")
    built_in = len(load_cards())

    report = ingest_strategies(
        [tmp_path / "mine"], data, directory, embeddings, "fake", progress=False
    )

    assert report.added == (path.stem,)
    assert len(report.errors) == 1
    assert report.stats is not None
    assert report.stats["cards"] == built_in + 1
    cards, errors = load_library(data)
    assert errors == []
    embedded = embeddings.documents
    store = StrategyStore.open(directory, cards, embeddings, "fake")
    assert embeddings.documents == embedded
    assert store.search_text(situation, k=1)[0]["id"] == "own-way"
    store.close()


def test_a_broken_own_card_is_reported_and_ours_stay(tmp_path: Path) -> None:
    write_card(tmp_path / "cards", "broken", "evidence: moderate", "evidence: none")
    cards, errors = load_library(tmp_path)
    assert len(cards) == len(load_cards())
    assert [error.path.name for error in errors] == ["broken.md"]
    assert load_library(tmp_path / "nothing")[1] == []


def test_the_progress_bar_is_shown(
    tmp_path: Path, embeddings: HashedWords, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_strategies([], tmp_path / "data", tmp_path / "index", embeddings, "fake")
    captured = capsys.readouterr()
    assert "Indexing coping strategies: 100%" in captured.err
    assert captured.out == ""
