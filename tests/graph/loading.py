"""An installation of its own, loaded with what was written there, and what must hold of it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from graph import resources as module
from graph import retrieval
from graph.build import build_graph
from graph.resources import Resources, load_resources
from graph.settings import Settings
from knowledge.helplines import DEFAULT_PATH as HELPLINES
from knowledge.search import Query
from models.adapter import ADAPTER, RETRIEVAL, save_adapter
from models.encoder import SentenceEncoder
from models.heads import HeadName, save_head
from models.labels import EMOTION_LABELS, INTENTS
from models.query_bank import save_query_bank
from models.weight_files import check_sum, weights_path
from tests.fakes import (
    INTENT_FEATURES,
    FakeEncoder,
    fake_crisis_head,
    fake_head,
    fake_settings,
    hashed_words,
)
from tests.knowledge.fakes import write_card

SAD = "I lost my job today and I feel so small"
DANGER = "I want to kill myself"
HEADS: tuple[HeadName, ...] = ("crisis", "emotion", "intent", "reply_intent")


def adapt(folder: Path, seed: int = 0, *, name: str = ADAPTER) -> str:
    """Write an adapter for `FakeEncoder`; return the id of what it makes."""
    matrix = np.full((2, 2), seed, dtype=np.float32)
    path = save_adapter({"layer": (matrix, matrix)}, 1.0, FakeEncoder().id, folder, name=name)
    return f"{FakeEncoder().id}+{check_sum(path)[:12]}"


def adapt_retrieval(folder: Path, seed: int = 0) -> str:
    """Write an adapter for retrieval with its bank of questions; return the id of what it makes."""
    # The same numbers would give the checksum, and so the id, of the other adapter.
    adapted = adapt(folder, seed + 2, name=RETRIEVAL)
    questions = ("how do I calm down", "why can I not sleep", "who can I talk to")
    save_query_bank([hashed_words(each) for each in questions], adapted, folder)
    return adapted


def load_fake_adapted(
    encoder: SentenceEncoder, folder: Path, *, name: str = ADAPTER
) -> SentenceEncoder:
    """Stand in for `load_adapted`, which needs a transformer: the file is checked for real."""
    digest = check_sum(weights_path(name, folder))
    adapted = FakeEncoder()
    adapted.id = f"{encoder.id}+{digest[:12]}"
    return adapted


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation of its own: trained weights, two cards and a registry."""
    encoder = FakeEncoder()
    monkeypatch.setattr(module, "load_encoder", lambda name, *, device: encoder)
    monkeypatch.setattr(module, "load_adapted", load_fake_adapted)
    monkeypatch.setattr(retrieval, "load_adapted", load_fake_adapted)
    weights = tmp_path / "weights"
    adapted = adapt(weights)
    for name, head in {
        "emotion": fake_head(EMOTION_LABELS),
        "intent": fake_head(INTENTS, INTENT_FEATURES),
        "reply_intent": fake_head(INTENTS),
        "crisis": fake_crisis_head(),
    }.items():
        save_head(head, cast(HeadName, name), adapted, weights)
    adapt_retrieval(weights)
    write_card(tmp_path / "cards", "ground-yourself")
    write_card(tmp_path / "cards", "breathe-slowly")
    return fake_settings(
        encoder=encoder.id,
        weights_dir=weights,
        cards_dir=tmp_path / "cards",
        helplines_file=Path(shutil.copy(HELPLINES, tmp_path)),
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
    )


@pytest.fixture
def load(settings: Settings) -> Iterator[Any]:
    """Load with the settings, and release what was loaded."""
    loaded: list[Resources] = []

    def load_all(**changes: Any) -> Resources:
        loaded.append(load_resources(settings.model_copy(update=changes)))
        return loaded[-1]

    yield load_all
    for each in loaded:
        if each.store is not None:
            each.store.close()


def held(resources: Resources) -> dict[str, int]:
    """Return how many entries are searched, by collection."""
    if resources.store is None:
        return {}
    return {each["collection"]: each["entries"] for each in resources.store.info()}


def found(resources: Resources, text: str) -> list[str]:
    """Return the ids of all entries that can be found, closest to `text` first."""
    assert resources.store and resources.retrieval
    weights = replace(resources.store.weights, floor=-1.0)
    vector = resources.retrieval.encoder.embed_query(text)
    every = replace(resources.store, weights=weights).search(Query(vector), k=100)
    return [each.strategy["id"] for each in every]


def answer(resources: Resources, text: str = SAD) -> dict[str, Any]:
    graph: Any = build_graph(resources)
    return cast(dict[str, Any], graph.invoke({"messages": [("user", text)]}))


def reply(out: dict[str, Any]) -> str:
    return str(out["messages"][-1].text)


def check_safe(resources: Resources) -> str:
    """Check that both paths answer; return who answered the message without danger."""
    out, danger = answer(resources), answer(resources, DANGER)
    assert reply(out)
    assert danger["reply_source"] == "protocol"
    assert "findahelpline.com" in reply(danger)
    return str(out["reply_source"])
