"""Retrieval: which encoder, bank and index the settings ask for, and what is searched with them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graph import retrieval as module
from graph.doctor import examine
from graph.resources import Resources
from graph.retrieval import Retrieval
from graph.settings import Settings
from knowledge.cards import CardError
from knowledge.contents import CollectionError
from knowledge.gather import COUNSEL_CHAT
from knowledge.ingest import IngestReport, ingest
from knowledge.library import FILE_NAME, Library, LibraryError
from knowledge.search import DEFAULT_WEIGHTS, Query, SearchCollection
from models.adapter import RETRIEVAL
from models.encoder import EncoderEmbeddings
from models.query_bank import save_query_bank
from models.weight_files import WeightsError
from tests.fakes import FakeEncoder, hashed_words
from tests.graph.loading import adapt_retrieval, answer, check_safe, found, held

SLEEP = "When I lie awake at night and sleep does not come, I write on paper"
ANSWERS = {
    "1-0": "When you lie awake at night, write your thoughts on paper. Sleep may come later.",
    "2-0": "Tell your sister calmly what hurt you, and listen to her side of the argument.",
}


class Loading:
    """Stands in for `load_encoder`; says what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, name: str, *, device: str | None) -> FakeEncoder:
        self.asked.append((name, device))
        encoder = FakeEncoder()
        encoder.id = name
        return encoder


@pytest.fixture
def loading(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Loading:
    fake = Loading()
    monkeypatch.setattr(module, "load_encoder", fake)
    return fake


@pytest.fixture
def counsel_chat(tmp_path: Path) -> Path:
    """CounselChat with two answers."""
    folder = tmp_path / "counsel_chat"
    folder.mkdir()
    answers = [
        {"id": id, "question_id": id[0], "text": text, "topic": "sleep"}
        for id, text in ANSWERS.items()
    ]
    questions = [{"id": "1", "title": "Why awake?"}, {"id": "2", "title": "My sister"}]
    for name, rows in (("answers", answers), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def fill(settings: Settings, counsel_chat: Path) -> IngestReport:
    """Bring CounselChat into the library, as the command does."""
    retrieval = Retrieval.of(settings)
    with Library.open(settings.data_dir / FILE_NAME) as library:
        return ingest(
            [COUNSEL_CHAT],
            library,
            retrieval.encoder,
            retrieval.place,
            bank=retrieval.bank,
            counsel_chat=counsel_chat,
            progress=False,
        )


def ids(opened: SearchCollection, retrieval: Retrieval, text: str) -> list[str]:
    query = Query(retrieval.encoder.embed_query(text))
    return [each.strategy["id"] for each in opened.find(query, 10, DEFAULT_WEIGHTS)]


# --- The encoder and its bank -------------------------------------------------------------------


def test_the_adapter_the_bank_and_the_place_are_read_and_no_model_is_loaded(
    settings: Settings, loading: Loading
) -> None:
    assert settings.weights_dir is not None
    adapted = adapt_retrieval(settings.weights_dir, seed=3)

    retrieval = Retrieval.of(settings.model_copy(update={"chroma_url": "http://localhost:1"}))

    assert retrieval.encoder.id == adapted
    assert retrieval.bank is not None
    assert retrieval.bank.vectors.shape == (3, 32)
    assert retrieval.place.directory == settings.data_dir / "index"
    assert retrieval.place.chroma_url == "http://localhost:1"
    assert loading.asked == []
    assert retrieval.encoder.model.id == adapted
    assert loading.asked == [("fake-encoder", None)]


def test_the_device_of_the_settings_is_used(settings: Settings, loading: Loading) -> None:
    _ = Retrieval.of(settings.model_copy(update={"device": "cpu"})).encoder.model

    assert loading.asked == [("fake-encoder", "cpu")]


def test_an_encoder_that_is_loaded_already_is_not_loaded_again(
    settings: Settings, loading: Loading
) -> None:
    plain = FakeEncoder()

    retrieval = Retrieval.of(settings, plain)

    assert retrieval.encoder.model.id.startswith(f"{plain.id}+")
    assert loading.asked == []


def test_an_encoder_without_a_trained_adapter_keeps_its_plain_vectors(
    settings: Settings, loading: Loading
) -> None:
    retrieval = Retrieval.of(settings.model_copy(update={"encoder": "another"}))

    assert retrieval.encoder.id == "another"
    assert retrieval.bank is None
    expected = EncoderEmbeddings(FakeEncoder()).embed_query(SLEEP)
    assert retrieval.encoder.embed_query(SLEEP) == expected
    assert loading.asked == [("another", None)]
    cards = retrieval.open("strategies")
    assert (cards.encoder_id, cards.entries) == ("another", 2)
    cards.index.close()


def test_a_bank_of_another_adapter_is_refused(settings: Settings, load: Any) -> None:
    assert settings.weights_dir is not None
    save_query_bank([hashed_words("why")], "fake-encoder+old", settings.weights_dir)

    with pytest.raises(WeightsError, match=r"query_bank.* 'fake-encoder\+old', not .*train again"):
        Retrieval.of(settings)
    [problem] = load().problems
    assert problem.startswith("retrieval adapter: ")


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_doctor_names_a_damaged_adapter(damage: str, settings: Settings) -> None:
    assert settings.weights_dir is not None
    path = settings.weights_dir / f"{RETRIEVAL}.safetensors"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")

    with pytest.raises(WeightsError, match=path.name):
        Retrieval.of(settings)
    checks = {check.name: check for check in examine(settings)}

    assert not checks["retrieval adapter"].ok
    assert path.name in checks["retrieval adapter"].said
    assert checks["retrieval adapter"].said.endswith("— replies offer no strategy")
    assert not checks["strategies"].ok


# --- Collections --------------------------------------------------------------------------------


def test_cards_are_opened_and_the_broken_ones_named(settings: Settings) -> None:
    assert settings.cards_dir is not None
    (settings.cards_dir / "broken.md").write_text("---\nid: broken\n---\n")
    retrieval = Retrieval.of(settings, FakeEncoder())
    left_out: list[CardError] = []

    cards = retrieval.open("strategies", weight=0.5, left_out=left_out.append)

    assert (cards.name, cards.entries, cards.weight) == ("strategies", 2, 0.5)
    assert cards.encoder_id == retrieval.encoder.id
    assert set(cards.cards) == {"ground-yourself", "breathe-slowly"}
    assert [error.path.name for error in left_out] == ["broken.md"]
    assert set(ids(cards, retrieval, "my heart is racing")) == set(cards.cards)
    cards.index.close()


def test_the_bank_corrects_the_scores_of_an_index(settings: Settings) -> None:
    retrieval = Retrieval.of(settings, FakeEncoder())
    assert retrieval.bank is not None
    cards = retrieval.open("strategies")

    nearest = cards.index.nearest(retrieval.encoder.embed_query("I keep spiralling"), 100)

    rows = {name: hubness for name, _, hubness in nearest}
    vectors = cards.index.passages(list(rows))
    expected = retrieval.bank.hubness(np.stack([vectors[name].vector for name in rows]))
    assert np.ptp(expected) > 0.01
    assert np.allclose(list(rows.values()), expected - expected.mean(), atol=1e-5)
    cards.index.close()


@pytest.mark.usefixtures("loading")
def test_a_collection_of_the_library_is_opened(settings: Settings, counsel_chat: Path) -> None:
    assert len(fill(settings, counsel_chat).added) == 2
    retrieval = Retrieval.of(settings)

    opened = retrieval.open("counsel_chat", weight=0.8)

    assert (opened.name, opened.entries, opened.weight) == ("counsel_chat", 2, 0.8)
    assert opened.cards == {}
    assert ids(opened, retrieval, SLEEP)[0] == "counsel_chat/1-0"
    opened.index.close()


@pytest.mark.usefixtures("loading")
def test_replies_draw_on_every_collection_of_the_settings(
    settings: Settings, counsel_chat: Path, load: Any
) -> None:
    fill(settings, counsel_chat)

    resources = load(collections={"strategies": 1.0, "counsel_chat": 0.8})

    assert resources.problems == ()
    assert held(resources) == {"strategies": 2, "counsel_chat": 2}
    assert found(resources, SLEEP)[0] == "counsel_chat/1-0"
    assert "breathe-slowly" in found(resources, "my heart is racing and I can't calm down")
    assert any(each["id"] == "counsel_chat/1-0" for each in answer(resources, SLEEP)["strategies"])


def check_named_and_cards_work(resources: Resources, says: str) -> None:
    [problem] = resources.problems
    assert problem.startswith("counsel_chat: ")
    assert says in problem
    assert held(resources) == {"strategies": 2}
    assert check_safe(resources) == "composed"
    said = "my heart is racing and I can't calm down"
    assert len(answer(resources, said)["strategies"]) == 2


BOTH = {"strategies": 1.0, "counsel_chat": 1.0}


def test_an_unknown_collection_is_named_and_the_cards_still_work(
    settings: Settings, load: Any
) -> None:
    with pytest.raises(CollectionError, match="no collection 'poems'; there is: strategies"):
        Retrieval.of(settings).open("poems")

    check_named_and_cards_work(load(collections=BOTH), "there is no collection 'counsel_chat'")


@pytest.mark.usefixtures("loading")
def test_a_collection_of_an_earlier_adapter_is_named_with_what_to_do(
    settings: Settings, counsel_chat: Path, load: Any
) -> None:
    assert settings.weights_dir is not None
    fill(settings, counsel_chat)
    adapted = adapt_retrieval(settings.weights_dir, seed=5)

    check_named_and_cards_work(load(collections=BOTH), f"have no vector of the encoder {adapted}")

    assert fill(settings, counsel_chat).embedded == 2
    assert held(load(collections=BOTH)) == {"strategies": 2, "counsel_chat": 2}


def test_a_damaged_library_is_named_and_the_cards_still_work(settings: Settings, load: Any) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / FILE_NAME).write_bytes(b"no database at all " * 100)

    with pytest.raises(LibraryError):
        Retrieval.of(settings).open("counsel_chat")
    check_named_and_cards_work(load(collections=BOTH), "ingest the sources again")


def test_without_any_collection_there_is_no_store(load: Any) -> None:
    resources = load(collections={})

    assert resources.store is None
    assert check_safe(resources) == "composed"
