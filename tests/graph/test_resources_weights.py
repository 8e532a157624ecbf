"""Loading the adapter and the heads: each is read whole and for the right encoder, or named."""

from pathlib import Path
from typing import Any

import pytest

from graph.settings import Settings
from models.heads import load_head, save_head
from tests.fakes import FakeEncoder
from tests.graph.loading import HEADS, adapt, check_safe, load_fake_adapted


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
    # The plain encoder is sound, so the index still opens.
    assert resources.store.stats()["cards"] == 2
    assert check_safe(resources) == "protocol"


def test_no_weights_at_all(load: Any, tmp_path: Path) -> None:
    resources = load(weights_dir=tmp_path / "nowhere")

    [problem] = resources.problems
    assert problem.startswith("adapter: ")
    assert "adapter.safetensors is missing" in problem
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
