"""The choice of engine and weights."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graph.settings import Settings
from models import chat_hub
from models.chat import LLAMA, ChatError, choose, load_chat

ROOT = Path(__file__).parents[2]


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHAT_MODEL", "CHAT_ENGINE", "CHAT_URL", "DEVICE"):
        monkeypatch.delenv(f"EMPATHY_{name}", raising=False)


@pytest.fixture
def llama_cpp_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama_cpp.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def no_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.chat.importlib.util.find_spec", lambda name: None)


@pytest.fixture(autouse=True)
def empty_hub_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_hub, "cached_folder", lambda repo: None)


@pytest.mark.usefixtures("no_llama_cpp")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("huggingface", "embedded")),
        ({"chat_model": "embedded"}, ("huggingface", "embedded")),
        ({"chat_engine": "llamacpp"}, ("llamacpp", "embedded")),
        ({"chat_model": "owner/model"}, ("huggingface", "owner/model")),
        ({"chat_model": "/some/model.GGUF"}, ("llamacpp", "/some/model.GGUF")),
        ({"chat_model": "o/r:q4.gguf"}, ("llamacpp", "o/r:q4.gguf")),
        ({"chat_url": "http://host/v1"}, ("openai", "auto")),
        ({"chat_url": "http://host/v1", "chat_model": "o/m"}, ("openai", "o/m")),
        ({"chat_url": "http://host/v1", "chat_engine": "huggingface"}, ("huggingface", "embedded")),
        ({"chat_engine": "openai"}, ("openai", "auto")),
    ],
)
def test_choice(values: dict[str, Any], expected: tuple[str, str]) -> None:
    assert choose(settings(**values)) == expected


@pytest.mark.usefixtures("llama_cpp_installed")
def test_embedded_weights_run_on_llama_cpp_where_it_is_installed() -> None:
    assert choose(settings()) == ("llamacpp", "embedded")
    assert choose(settings(chat_model="o/m")) == ("huggingface", "o/m")


@pytest.mark.parametrize(
    ("gpu", "cached", "values", "expected"),
    [
        (True, True, {}, ("huggingface", LLAMA)),
        (True, True, {"device": "cuda:1"}, ("huggingface", LLAMA)),
        (True, True, {"device": "cpu"}, ("huggingface", "embedded")),
        (True, True, {"chat_engine": "llamacpp"}, ("llamacpp", "embedded")),
        (True, False, {}, ("huggingface", "embedded")),
        (False, True, {}, ("huggingface", "embedded")),
    ],
)
@pytest.mark.usefixtures("no_llama_cpp")
def test_auto_takes_llama_only_where_gpu_and_weights_are(
    gpu: bool,
    cached: bool,
    values: dict[str, Any],
    expected: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class FakeTorch:
        class cuda:
            is_available = staticmethod(lambda: gpu)

    monkeypatch.setitem(sys.modules, "torch", FakeTorch)
    monkeypatch.setattr(chat_hub, "cached_folder", lambda repo: Path("there") if cached else None)
    assert choose(settings(**values)) == expected


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"chat_engine": "huggingface", "chat_model": "a.gguf"}, "EMPATHY_CHAT_ENGINE=llamacpp"),
        ({"chat_engine": "llamacpp", "chat_model": "o/m"}, "GGUF"),
    ],
)
def test_settings_that_contradict_each_other(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ChatError, match=says):
        choose(settings(**values))


def test_none_is_no_model() -> None:
    assert load_chat(settings(chat_model="none", chat_url="http://host")) is None


def test_choosing_loads_nothing_heavy() -> None:
    code = (
        "import sys; from models.chat import load_chat; from graph.settings import Settings;"
        "import models.chat_hub, models.embedded;"
        "load_chat(Settings(chat_model='none'));"
        "sys.exit(bool({'torch', 'transformers', 'llama_cpp', 'openai'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
