"""The transformers engine over a tiny random LLaMA: prompts, limits of a call, and its end."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from models.chat import ChatError, ChatModel
from tests.models.tiny_llama import (
    MESSAGES,
    SECRET,
    Passes,
    ask,
    network,
    tokenizer,
    wait_for_end,
)

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.embedded


def test_a_folder_loads_as_a_model(llama: ChatModel, llama_folder: Path) -> None:
    assert (llama.name, llama.engine, llama.device) == (str(llama_folder), "huggingface", "cpu")
    assert llama.count_tokens("w1 w2 w3") == 3
    assert str(network(llama).dtype) == "torch.float32"


@pytest.mark.parametrize("limit", [1, 5, 40])
@pytest.mark.parametrize("temperature", [0, 0.7])
def test_the_limit_of_each_call_counts(llama: ChatModel, limit: int, temperature: float) -> None:
    passes = Passes(llama)
    pieces = list(ask(llama, limit, temperature))
    assert len(passes.inputs) == limit
    assert 0 < len("".join(pieces).split()) <= limit


def test_the_prompt_is_the_chat_template_and_nothing_more(llama: ChatModel) -> None:
    passes = Passes(llama)
    reply = "".join(ask(llama, 3))
    prompt = "<s>system w1 user w2 assistant w3 user w7 assistant"
    tokens = tokenizer(llama).encode(prompt, add_special_tokens=False)
    assert passes.inputs[0] == tokens
    assert tokens.count(0) == 1 and tokenizer(llama).encode(prompt).count(0) == 2
    assert "user" not in reply.split()[:1] and not reply.startswith("system")


def test_temperature_of_each_call_counts(llama: ChatModel) -> None:
    greedy = {"".join(ask(llama, 20, 0)) for _ in range(3)}
    sampled = {"".join(ask(llama, 20, 1.5)) for _ in range(4)}
    assert len(greedy) == 1 and len(sampled) > 1
    import torch

    ids = tokenizer(llama)(
        "<s>system w1 user w2 assistant w3 user w7 assistant",
        add_special_tokens=False,
        return_tensors="pt",
    )
    with torch.inference_mode():
        best = int(network(llama)(**ids).logits[0, -1].argmax())
    assert greedy.pop().split()[0] == tokenizer(llama).decode([best])


def test_a_failure_surfaces_at_once_and_without_its_text(
    llama: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise IndexError(SECRET)

    monkeypatch.setattr(network(llama), "forward", fail)
    start = time.monotonic()
    with pytest.raises(ChatError, match="IndexError") as caught:
        list(ask(llama))
    assert time.monotonic() - start < 5
    assert SECRET not in str(caught.value)
    assert wait_for_end()


@pytest.mark.parametrize("how", ["close", "timeout"])
def test_generation_stops_at_the_next_token(llama: ChatModel, how: str) -> None:
    passes = Passes(llama, pause=0.02)
    pieces = ask(llama, 1500, timeout=0.5 if how == "timeout" else 60)
    if how == "close":
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(ChatError, match="longer than"):
            list(pieces)
    made = len(passes.inputs)
    assert wait_for_end()
    assert len(passes.inputs) <= made + 2


def test_awaiting_works(llama: ChatModel) -> None:
    expected = "".join(ask(llama))

    async def both() -> tuple[str, str]:
        options: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
        whole = await llama.model.ainvoke(MESSAGES, **options)
        parts = [part async for part in llama.model.astream(MESSAGES, **options)]
        return str(whole.text), "".join(str(part.text) for part in parts)

    assert asyncio.run(both()) == (expected, expected)
    assert str(llama.model.invoke(MESSAGES, max_tokens=12, temperature=0).text) == expected


def test_replies_at_once_do_not_mix(llama: ChatModel) -> None:
    def reply(word: str) -> str:
        chunks = llama.stream([HumanMessage(word)], max_new_tokens=15, temperature=0, timeout=60)
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


def test_nothing_on_the_terminal_and_no_crash_at_an_exit_amid_a_reply(llama_folder: Path) -> None:
    # In a process of its own: transformers warns once, and keeps the terminal it first saw.
    code = f"""
        from pathlib import Path
        from tests.models.tiny_llama import ask, load

        llama = load(Path({str(llama_folder)!r}))
        for temperature in (0, 0.7, 0):
            assert list(ask(llama, 3, temperature))
        pieces = ask(llama, 1500, timeout=100)
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
