"""The transformers engine over a tiny random LLaMA that is saved to disk as any model is."""

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from graph.settings import Settings
from models import embedded
from models.chat import ChatError, ChatModel, load_chat

pytestmark = pytest.mark.embedded

SECRET = "w7"
ROOT = Path(__file__).parents[2]
TEMPLATE = (
    "{{ '<s>' }}{% for m in messages %}{{ m['role'] + ' ' + m['content'] + ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}"
)


def build(folder: Path) -> Path:
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<unk>", "system", "user", "assistant", *(f"w{i}" for i in range(58))]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    # As Llama's own: the tokenizer adds the first token, and so does the chat template.
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.chat_template = TEMPLATE
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=2048,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
    # The end token is never drawn, so that the limit alone decides the length.
    model.generation_config.suppress_tokens = [0, 1, 2]
    # As Llama 3.1's generation_config.json: it samples unless told otherwise.
    model.generation_config.do_sample = True
    model.generation_config.top_p = 0.9
    model.generation_config.temperature = 0.6
    model.generation_config.max_length = 4096
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("tiny"))


def load(folder: Path, **values: Any) -> ChatModel:
    model = load_chat(Settings(_env_file=None, **{"chat_model": str(folder)} | values))
    assert model is not None
    return model


@pytest.fixture
def chat(folder: Path) -> ChatModel:
    return load(folder)


MESSAGES = [SystemMessage("w1"), HumanMessage("w2"), AIMessage("w3"), HumanMessage(SECRET)]


def ask(
    model: ChatModel, limit: int = 12, temperature: float = 0, timeout: float = 30
) -> Iterator[str]:
    return model.stream(MESSAGES, max_new_tokens=limit, temperature=temperature, timeout=timeout)


class Passes:
    """Watches each forward pass: one makes one token."""

    def __init__(self, chat: ChatModel, pause: float = 0) -> None:
        self.inputs: list[list[int]] = []
        self.pause = pause
        network(chat).register_forward_pre_hook(self._before, with_kwargs=True)

    def _before(self, module: Any, args: Any, kwargs: Any) -> None:
        time.sleep(self.pause)
        self.inputs.append(kwargs["input_ids"][0].tolist())


def network(chat: ChatModel) -> Any:
    return chat.model.llm.pipeline.model  # type: ignore[attr-defined]


def tokenizer(chat: ChatModel) -> Any:
    return chat.model.tokenizer  # type: ignore[attr-defined]


def generating() -> bool:
    return any(thread.name == "generate" for thread in threading.enumerate())


def wait_for_end(seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while generating() and time.monotonic() < end:
        time.sleep(0.01)
    return not generating()


def test_a_folder_loads_as_a_model(chat: ChatModel, folder: Path) -> None:
    assert (chat.name, chat.engine, chat.device) == (str(folder), "huggingface", "cpu")
    assert chat.count_tokens("w1 w2 w3") == 3
    assert str(network(chat).dtype) == "torch.float32"


@pytest.mark.parametrize("limit", [1, 5, 40])
@pytest.mark.parametrize("temperature", [0, 0.7])
def test_the_limit_of_each_call_counts(chat: ChatModel, limit: int, temperature: float) -> None:
    passes = Passes(chat)
    pieces = list(ask(chat, limit, temperature))
    assert len(passes.inputs) == limit
    assert 0 < len("".join(pieces).split()) <= limit


def test_the_prompt_is_the_chat_template_and_nothing_more(chat: ChatModel) -> None:
    passes = Passes(chat)
    reply = "".join(ask(chat, 3))
    prompt = "<s>system w1 user w2 assistant w3 user w7 assistant"
    tokens = tokenizer(chat).encode(prompt, add_special_tokens=False)
    assert passes.inputs[0] == tokens
    assert tokens.count(0) == 1 and tokenizer(chat).encode(prompt).count(0) == 2
    assert "user" not in reply.split()[:1] and not reply.startswith("system")


def test_temperature_of_each_call_counts(chat: ChatModel) -> None:
    greedy = {"".join(ask(chat, 20, 0)) for _ in range(3)}
    sampled = {"".join(ask(chat, 20, 1.5)) for _ in range(4)}
    assert len(greedy) == 1 and len(sampled) > 1
    import torch

    ids = tokenizer(chat)(
        "<s>system w1 user w2 assistant w3 user w7 assistant",
        add_special_tokens=False,
        return_tensors="pt",
    )
    with torch.inference_mode():
        best = int(network(chat)(**ids).logits[0, -1].argmax())
    assert greedy.pop().split()[0] == tokenizer(chat).decode([best])


def test_a_failure_surfaces_at_once_and_without_its_text(
    chat: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise IndexError(SECRET)

    monkeypatch.setattr(network(chat), "forward", fail)
    start = time.monotonic()
    with pytest.raises(ChatError, match="IndexError") as caught:
        list(ask(chat))
    assert time.monotonic() - start < 5
    assert SECRET not in str(caught.value)
    assert wait_for_end()


@pytest.mark.parametrize("how", ["close", "timeout"])
def test_generation_stops_at_the_next_token(chat: ChatModel, how: str) -> None:
    passes = Passes(chat, pause=0.02)
    pieces = ask(chat, 1500, timeout=0.5 if how == "timeout" else 60)
    if how == "close":
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(ChatError, match="longer than"):
            list(pieces)
    made = len(passes.inputs)
    assert wait_for_end()
    assert len(passes.inputs) <= made + 2


def test_awaiting_works(chat: ChatModel) -> None:
    expected = "".join(ask(chat))

    async def both() -> tuple[str, str]:
        options: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
        whole = await chat.model.ainvoke(MESSAGES, **options)
        parts = [part async for part in chat.model.astream(MESSAGES, **options)]
        return str(whole.text), "".join(str(part.text) for part in parts)

    assert asyncio.run(both()) == (expected, expected)
    assert str(chat.model.invoke(MESSAGES, max_tokens=12, temperature=0).text) == expected


def test_replies_at_once_do_not_mix(chat: ChatModel) -> None:
    def reply(word: str) -> str:
        chunks = chat.stream([HumanMessage(word)], max_new_tokens=15, temperature=0, timeout=60)
        return "".join(chunks)

    words = [f"w{i}" for i in range(4)]
    alone = {word: reply(word) for word in words}
    assert len(set(alone.values())) > 1
    together: dict[str, str] = {}
    threads = [threading.Thread(target=lambda w=w: together.update({w: reply(w)})) for w in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == alone


def test_a_prompt_that_is_too_long(chat: ChatModel) -> None:
    long = [HumanMessage("w1 " * 2040)]
    with pytest.raises(ChatError, match="EMPATHY_HISTORY_TOKENS"):
        list(chat.stream(long, max_new_tokens=20, temperature=0, timeout=30))


def test_memory_that_runs_out(
    chat: ChatModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    def fail(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network(chat), "forward", fail)
    with pytest.raises(ChatError, match="memory; set EMPATHY_QUANTIZATION=4bit"):
        list(ask(chat))
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(ChatError, match="memory; set EMPATHY_QUANTIZATION=4bit"):
        load(folder)


def test_a_model_that_spills_over_to_the_cpu_is_refused(
    folder: Path, chat: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    spilled = network(chat)
    spilled.hf_device_map = {"model.layers.0": 0, "model.layers.1": "cpu"}
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *a, **k: spilled)
    with pytest.raises(ChatError, match="does not fit into memory"):
        load(folder)


@pytest.mark.parametrize(
    "template", [None, "{{ raise_exception('System role not supported') }}", "{% if %}"]
)
def test_a_model_without_a_usable_chat_template(
    folder: Path, tmp_path: Path, template: str | None
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "chat_template.jinja").unlink()
    if template:
        (copy / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(ChatError, match="choose an Instruct model"):
        load(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_damaged_weights(folder: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / name).write_bytes((copy / name).read_bytes()[:40])
    with pytest.raises(ChatError, match="could not be read"):
        load(copy)


def test_an_embedded_cache_damaged_inside_is_made_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def convert(source: Path, target: Path, *, progress: bool) -> None:
        made.append(target)
        shutil.copytree(folder, target, dirs_exist_ok=True)

    monkeypatch.setattr(embedded, "_convert", convert)
    cache = {"cache_dir": tmp_path, "chat_engine": "huggingface"}
    chat = load(Path("embedded"), **cache)
    assert network(chat).generation_config.repetition_penalty > 1
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
    folder: Path, values: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ChatError, match=says):
        load(folder, **values)


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


def test_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    try:
        load(folder, threads=2)
        assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (2, "7")
        monkeypatch.delenv("OMP_NUM_THREADS")
        load(folder, threads=1)
        assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (1, "1")
    finally:
        torch.set_num_threads(before)


def test_nothing_on_the_terminal_and_no_crash_at_an_exit_amid_a_reply(folder: Path) -> None:
    # In a process of its own: transformers warns once, and keeps the terminal it first saw.
    code = f"""
        from pathlib import Path
        from tests.models.test_chat_huggingface import ask, load

        chat = load(Path({str(folder)!r}))
        for temperature in (0, 0.7, 0):
            assert list(ask(chat, 3, temperature))
        pieces = ask(chat, 1500, timeout=100)
        next(pieces)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", textwrap.dedent(code)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
