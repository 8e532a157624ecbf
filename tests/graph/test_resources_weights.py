"""Loading the adapter and the heads: each is read whole and for the right encoder, or named."""

from pathlib import Path
from typing import Any

import pytest

from graph.settings import Settings
from models.adapter import RETRIEVAL
from models.heads import load_head, save_head
from models.query_bank import QUERY_BANK
from tests.fakes import FakeEncoder
from tests.graph.loading import (
    HEADS,
    adapt,
    adapt_retrieval,
    answer,
    check_safe,
    found,
    held,
    load_fake_adapted,
)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_head_is_named(name: str, damage: str, settings: Settings, load: Any) -> None:
    assert settings.weights_dir is not None
    path = settings.weights_dir / f"{name}.safetensors"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")

    resources = load()

    [problem] = resources.problems
    assert problem.startswith(f"{name} head: ")
    assert path.name in problem
    assert check_safe(resources) == ("protocol" if name == "crisis" else "composed")


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_adapter_is_named_and_no_head_reads_without_it(
    damage: str, settings: Settings, load: Any
) -> None:
    assert settings.weights_dir is not None
    path = settings.weights_dir / "adapter.safetensors"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")

    resources = load()

    [problem] = resources.problems
    assert problem.startswith("adapter: ")
    assert "train it again" in problem
    seen = resources.perception
    assert seen.reader is seen.crisis_reader is seen.emotion_head is seen.reply_intent_head is None
    # Retrieval has an adapter of its own, so the index still opens.
    assert held(resources) == {"strategies": 2}
    assert check_safe(resources) == "protocol"


@pytest.mark.parametrize("name", [RETRIEVAL, QUERY_BANK])
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_damaged_weights_of_retrieval_are_named_and_replies_offer_no_strategy(
    name: str, damage: str, settings: Settings, load: Any
) -> None:
    assert settings.weights_dir is not None
    path = settings.weights_dir / f"{name}.safetensors"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")

    resources = load()

    [problem] = resources.problems
    assert problem.startswith("retrieval adapter: ")
    assert path.name in problem
    assert "train it again" in problem
    assert resources.retrieval is resources.store is None
    assert check_safe(resources) == "composed"
    assert answer(resources)["strategies"] == []


def test_another_retrieval_adapter_makes_another_index(settings: Settings, load: Any) -> None:
    assert settings.weights_dir is not None
    first = load()
    before = found(first, "my heart is racing")
    first.store.close()
    adapted = adapt_retrieval(settings.weights_dir, seed=1)

    again = load()

    assert again.problems == ()
    [index] = again.store.info()
    assert index["encoder"] == again.retrieval.encoder.id == adapted != first.retrieval.encoder.id
    assert len(before) == 2
    assert found(again, "my heart is racing") == before


def test_no_weights_at_all(load: Any, tmp_path: Path) -> None:
    resources = load(weights_dir=tmp_path / "nowhere")

    adapter, retrieval = resources.problems
    assert adapter.startswith("adapter: ")
    assert "adapter.safetensors is missing" in adapter
    assert retrieval.startswith("retrieval adapter: ")
    assert "retrieval.safetensors is missing" in retrieval
    assert check_safe(resources) == "protocol"


def test_heads_of_another_encoder(settings: Settings, load: Any) -> None:
    assert settings.weights_dir is not None
    # Not written again: safetensors keeps no order of its metadata, so the checksum could change.
    adapted = load_fake_adapted(FakeEncoder(), settings.weights_dir)
    head = load_head("crisis", adapted.id, settings.weights_dir)
    save_head(head, "crisis", "another-encoder", settings.weights_dir)

    resources = load()

    assert "another-encoder" in resources.problems[0]
    assert resources.perception.crisis_reader is None


def test_heads_of_an_earlier_adapter_are_refused(settings: Settings, load: Any) -> None:
    assert settings.weights_dir is not None
    adapt(settings.weights_dir, seed=1)

    resources = load()

    names = [problem.split(":")[0] for problem in resources.problems]
    assert names == [f"{name} head" for name in HEADS]
    assert all("train the heads again" in problem for problem in resources.problems)
    assert resources.perception.reader is not None
    assert check_safe(resources) == "protocol"
