"""Loading: what is missing or damaged is named, and the graph still answers safely."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from graph import resources as module
from graph.resources import load_perception, load_retrieval, load_store
from graph.settings import Settings
from models.encoder import EncoderError
from models.labels import CRISIS_LEVELS
from nodes.escalation.constant import CONSTANT_REPLY
from tests.graph.loading import DANGER, answer, check_safe, found, held, reply
from tests.knowledge.fakes import write_card


def test_everything_is_there(load: Any) -> None:
    resources = load()

    assert resources.problems == ()
    seen = resources.perception
    assert all((seen.encoder, seen.emotion_head, seen.intent_head, seen.crisis_reader))
    assert seen.reply_intent_head is not None
    # The heads read through the encoder with one adapter, retrieval with another.
    assert seen.reader.encoder.id.startswith(f"{seen.encoder.id}+")
    assert resources.retrieval.encoder.id.startswith(f"{seen.encoder.id}+")
    assert resources.retrieval.encoder.id != seen.reader.encoder.id
    assert seen.crisis_reader.texts is seen.reader
    assert held(resources) == {"strategies": 2}
    assert resources.contraindications is not None
    assert resources.chat is None
    assert check_safe(resources) == "composed"


def test_settings_reach_the_reader(load: Any) -> None:
    seen = load(max_message_chars=123).perception

    assert seen.reader.max_chars == seen.crisis_reader.texts.max_chars == 123


def test_without_an_encoder_every_message_escalates(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, *, device: str | None) -> Any:
        raise EncoderError("the packaged encoder's weights are damaged")

    monkeypatch.setattr(module, "load_encoder", broken)

    resources = load()

    assert resources.problems == ("encoder: the packaged encoder's weights are damaged",)
    assert resources.retrieval is resources.store is None
    assert check_safe(resources) == "protocol"


@pytest.mark.parametrize("content", [None, "", "not toml [", "country = []", "country = 3"])
def test_a_damaged_registry_gives_the_constant_reply(
    content: str | None, settings: Settings, load: Any
) -> None:
    path = cast(Path, settings.helplines_file)
    path.unlink()
    if content is not None:
        path.write_text(content)

    resources = load()

    [problem] = resources.problems
    assert problem.startswith(f"helplines: {path.name}")
    assert check_safe(resources) == "composed"
    assert reply(answer(resources, DANGER)) == CONSTANT_REPLY


@pytest.mark.parametrize(
    "content", ["", "no front matter", "---\nid: [\n---\n", "---\nid: x\n---\n"]
)
def test_a_damaged_card_is_left_out(content: str, settings: Settings, load: Any) -> None:
    assert settings.cards_dir is not None
    (settings.cards_dir / "broken.md").write_text(content)

    resources = load()

    assert held(resources) == {"strategies": 2}
    [problem] = resources.problems
    assert "broken.md" in problem
    assert check_safe(resources) == "composed"


@pytest.mark.parametrize("exists", [True, False], ids=["empty folder", "no folder"])
def test_without_cards_replies_have_no_strategies(exists: bool, load: Any, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    if exists:
        folder.mkdir()

    resources = load(cards_dir=folder)

    assert any("none" in problem for problem in resources.problems) != exists
    assert check_safe(resources) == "composed"
    assert answer(resources)["strategies"] == []


def test_cards_of_ones_own_are_added(settings: Settings, load: Any) -> None:
    write_card(settings.data_dir / "cards", "my-own")

    assert held(load()) == {"strategies": 3}


def test_a_corrupted_index_is_rebuilt(settings: Settings, load: Any) -> None:
    first = load()
    before = found(first, "my heart is racing")
    first.store.close()
    damaged = 0
    for folder, _, files in os.walk(settings.data_dir / "index"):
        for name in files:
            if not name.endswith(".lock"):
                Path(folder, name).write_bytes(b"garbage")
                damaged += 1

    again = load()

    assert damaged > 1
    assert len(before) == 2
    assert again.problems == ()
    assert found(again, "my heart is racing") == before


def test_an_index_that_cannot_be_written_is_kept_in_memory(load: Any, settings: Settings) -> None:
    settings.data_dir.parent.mkdir(exist_ok=True)
    settings.data_dir.write_text("a file where a folder should be")

    resources = load()

    [index] = resources.store.info()
    assert (index["entries"], index["where"]) == (2, "memory or server")
    assert check_safe(resources) == "composed"


def test_a_chat_model_that_cannot_be_loaded_is_named(load: Any) -> None:
    resources = load(chat_engine="huggingface", chat_model="some.gguf")

    [problem] = resources.problems
    assert problem.startswith("chat model: ")
    assert resources.chat is None
    assert check_safe(resources) == "composed"


@pytest.mark.parametrize(
    "name",
    ["load_review_rules", "load_protocol_texts", "load_phrases", "load_contraindications"],
)
def test_a_damaged_file_of_the_package_is_named(
    name: str, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ValueError("damaged")

    monkeypatch.setattr(module, name, broken)

    resources = load()

    [problem] = resources.problems
    assert problem.endswith(": damaged")
    assert check_safe(resources) == ("protocol" if name == "load_phrases" else "composed")


def test_perception_and_store_can_be_loaded_alone(settings: Settings) -> None:
    perception = load_perception(settings)
    store = load_store(settings, load_retrieval(settings, perception))

    assert perception.problems == ()
    assert perception.crisis_reader is not None
    assert perception.crisis_reader.head.labels == CRISIS_LEVELS
    assert store is not None
    store.close()


def test_telemetry_is_off_unless_somebody_chose_otherwise(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "True")
    monkeypatch.delenv("LANGSMITH_TRACING", raising=False)
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)

    load_perception(settings)

    assert os.environ["ANONYMIZED_TELEMETRY"] == "True"
    assert os.environ["LANGSMITH_TRACING"] == "false"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
