"""The transformers engine where memory, weights, templates or settings stand in its way."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from graph.settings import Settings
from models import embedded
from models.chat import ChatError, ChatModel
from tests.models.tiny_llama import ask, load, network

pytestmark = pytest.mark.embedded


def test_a_prompt_that_is_too_long(llama: ChatModel) -> None:
    long = [HumanMessage("w1 " * 2040)]
    with pytest.raises(ChatError, match="EMPATHY_HISTORY_TOKENS"):
        list(llama.stream(long, max_new_tokens=20, temperature=0, timeout=30))


def test_memory_that_runs_out(
    llama: ChatModel, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    def fail(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network(llama), "forward", fail)
    with pytest.raises(ChatError, match="memory; set EMPATHY_QUANTIZATION=4bit"):
        list(ask(llama))
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(ChatError, match="memory; set EMPATHY_QUANTIZATION=4bit"):
        load(llama_folder)


def test_a_model_that_spills_over_to_the_cpu_is_refused(
    llama_folder: Path, llama: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    spilled = network(llama)
    spilled.hf_device_map = {"model.layers.0": 0, "model.layers.1": "cpu"}
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *a, **k: spilled)
    with pytest.raises(ChatError, match="does not fit into memory"):
        load(llama_folder)


@pytest.mark.parametrize(
    "template", [None, "{{ raise_exception('System role not supported') }}", "{% if %}"]
)
def test_a_model_without_a_usable_chat_template(
    llama_folder: Path, tmp_path: Path, template: str | None
) -> None:
    copy = Path(shutil.copytree(llama_folder, tmp_path / "copy"))
    (copy / "chat_template.jinja").unlink()
    if template:
        (copy / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(ChatError, match="choose an Instruct model"):
        load(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_damaged_weights(llama_folder: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(llama_folder, tmp_path / "copy"))
    (copy / name).write_bytes((copy / name).read_bytes()[:40])
    with pytest.raises(ChatError, match="could not be read"):
        load(copy)


def test_an_embedded_cache_damaged_inside_is_made_again(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def convert(source: Path, target: Path, *, progress: bool) -> None:
        made.append(target)
        shutil.copytree(llama_folder, target, dirs_exist_ok=True)

    monkeypatch.setattr(embedded, "_convert", convert)
    cache = {"cache_dir": tmp_path, "chat_engine": "huggingface"}
    llama = load(Path("embedded"), **cache)
    assert network(llama).generation_config.repetition_penalty > 1
    (weights,) = (tmp_path / "models").glob("*/model.safetensors")
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    load(Path("embedded"), **cache)
    assert len(made) == 2
    assert weights.read_bytes()[:1] != b"\xff"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"device": "cuda"}, "EMPATHY_DEVICE=cuda, but"),
        ({"device": "cuda:3"}, "EMPATHY_DEVICE=cuda:3, but"),
        ({"device": "toaster"}, "is no device"),
        ({"device": "meta"}, "finds no such device"),
        ({"quantization": "4bit", "device": "cpu"}, "EMPATHY_QUANTIZATION=4bit needs an NVIDIA"),
    ],
)
def test_settings_that_this_machine_cannot_follow(
    llama_folder: Path, values: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ChatError, match=says):
        load(llama_folder, **values)


def test_quantization_without_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from models import chat_huggingface

    monkeypatch.setattr(chat_huggingface.importlib.util, "find_spec", lambda name: None)
    settings = Settings(_env_file=None, quantization="8bit")
    with pytest.raises(ChatError, match="pip install bitsandbytes"):
        chat_huggingface._check_quantization(settings, torch.device("cuda:0"))


@pytest.mark.parametrize(
    ("device", "bf16", "setting", "expected"),
    [
        ("cpu", True, "auto", "float32"),
        ("cuda:0", True, "auto", "bfloat16"),
        ("cuda:0", False, "auto", "float16"),
        ("mps", False, "auto", "float16"),
        ("cpu", False, "bfloat16", "bfloat16"),
    ],
)
def test_number_format(
    device: str, bf16: bool, setting: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from models.chat_huggingface import _dtype

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    settings = Settings(_env_file=None, dtype=setting)
    assert _dtype(settings, torch.device(device)) is getattr(torch, expected)


def test_threads(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    try:
        load(llama_folder, threads=2)
        assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (2, "7")
        monkeypatch.delenv("OMP_NUM_THREADS")
        load(llama_folder, threads=1)
        assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (1, "1")
    finally:
        torch.set_num_threads(before)
