"""The llama.cpp engine over a stand-in for `llama_cpp` that breaks where the real one does."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from graph.settings import Settings
from models.chat import ChatError, ChatModel, load_chat

FAKE = """
import threading, time

GPU = False
made = []

def llama_supports_gpu_offload():
    return GPU

class Llama:
    def __init__(self, **options):
        if "damaged" in options["model_path"]:
            raise ValueError("Failed to load model from file")
        self.options, self.calls, self.tokens, self.overlaps = options, [], 0, 0
        self.busy = threading.Lock()
        made.append(self)

    def tokenize(self, text, add_bos=True, special=False):
        return [1] * add_bos + list(text.split())

    def create_chat_completion(self, messages, *, stream, **options):
        assert stream
        self.calls.append({"messages": messages, **options})
        if len(messages) > 9:
            raise ValueError("Requested tokens (3031) exceed context window of 2048")
        return self._parts(messages[-1]["content"], options["max_tokens"])

    def _parts(self, word, limit):
        # Two calls at once end the process: here it is counted.
        if not self.busy.acquire(blocking=False):
            self.overlaps += 1
            raise SystemError("segmentation fault")
        try:
            yield {"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}]}
            for _ in range(limit):
                self.tokens += 1
                time.sleep(0.002)
                yield {"choices": [{"delta": {"content": word + " "}, "finish_reason": None}]}
            yield {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        finally:
            self.busy.release()
"""


@pytest.fixture
def llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "llama_cpp.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import llama_cpp

    yield llama_cpp
    del sys.modules["llama_cpp"]


@pytest.fixture
def gguf(tmp_path: Path) -> str:
    path = tmp_path / "llama.Q4.gguf"
    path.touch()
    return str(path)


def load(weights: str, **values: Any) -> ChatModel:
    model = load_chat(Settings(_env_file=None, chat_model=weights, **values))
    assert model is not None
    return model


def ask(model: ChatModel, text: str, limit: int = 3, timeout: float = 10) -> Iterator[str]:
    messages = [SystemMessage("s"), HumanMessage("h"), AIMessage("a"), HumanMessage(text)]
    return model.stream(messages, max_new_tokens=limit, temperature=0.5, timeout=timeout)


def test_the_call_says_what_the_settings_say(llama_cpp: Any, gguf: str) -> None:
    model = load(gguf, threads=3, history_tokens=3000, max_new_tokens=200)
    assert (model.name, model.engine, model.device) == (gguf, "llamacpp", "cpu")
    assert list(ask(model, "hi")) == ["hi "] * 3
    (llama,) = llama_cpp.made
    assert llama.options["n_threads"] == llama.options["n_threads_batch"] == 3
    assert llama.options["n_ctx"] >= 3200
    assert llama.options["n_gpu_layers"] == 0
    (call,) = llama.calls
    assert [message["role"] for message in call["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert (call["max_tokens"], call["temperature"]) == (3, 0.5)
    assert model.count_tokens("two words") == 2


def test_calls_at_once_wait_for_each_other(llama_cpp: Any, gguf: str) -> None:
    model = load(gguf)
    answers: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda w=w: answers.update({w: "".join(ask(model, w, 20))}))
        for w in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == {word: f"{word} " * 20 for word in "abcd"}
    assert llama_cpp.made[0].overlaps == 0


def test_the_model_itself_holds_the_lock_also_when_awaited(llama_cpp: Any, gguf: str) -> None:
    model = load(gguf).model

    async def both() -> list[Any]:
        return await asyncio.gather(*(model.ainvoke(word, max_tokens=20) for word in "ab"))

    assert [str(answer.text) for answer in asyncio.run(both())] == ["a " * 20, "b " * 20]
    assert llama_cpp.made[0].overlaps == 0


def test_a_reader_that_leaves_stops_the_model_and_frees_the_lock(llama_cpp: Any, gguf: str) -> None:
    model = load(gguf)
    pieces = ask(model, "long", 100_000, 60)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert list(ask(model, "next", 1)) == ["next "]
    assert llama_cpp.made[0].tokens < 100


def test_who_gave_up_while_waiting_is_not_served(llama_cpp: Any, gguf: str) -> None:
    model = load(gguf)
    first = ask(model, "long", 100_000, 60)
    next(first)
    with pytest.raises(ChatError, match="longer than"):
        list(ask(model, "late", 3, timeout=0.2))
    first.close()  # type: ignore[attr-defined]
    assert list(ask(model, "next", 1)) == ["next "]
    time.sleep(0.1)
    asked = [call["messages"][-1]["content"] for call in llama_cpp.made[0].calls]
    assert asked == ["long", "next"]


def test_a_prompt_that_is_too_long(llama_cpp: Any, gguf: str) -> None:
    many = [HumanMessage("x")] * 10
    model = load(gguf)
    with pytest.raises(ChatError, match="EMPATHY_HISTORY_TOKENS"):
        list(model.stream(many, max_new_tokens=1, temperature=0, timeout=5))
    assert list(ask(model, "free again", 1)) == ["free again "]


@pytest.mark.parametrize(("device", "layers"), [("auto", -1), ("cpu", 0)])
def test_a_gpu_build_uses_the_gpu(llama_cpp: Any, gguf: str, device: str, layers: int) -> None:
    llama_cpp.GPU = True
    model = load(gguf, device=device)
    assert llama_cpp.made[0].options["n_gpu_layers"] == layers
    assert model.device == ("gpu" if layers else "cpu")


def test_the_embedded_weights(llama_cpp: Any) -> None:
    model = load("embedded")
    assert (model.name, model.engine) == ("SmolLM2-135M-Instruct (embedded)", "llamacpp")
    list(ask(model, "hi"))
    assert llama_cpp.made[0].options["model_path"].endswith(".gguf")
    assert llama_cpp.made[0].calls[0]["repeat_penalty"] > 1


@pytest.mark.usefixtures("llama_cpp")
def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    path.touch()
    with pytest.raises(ChatError, match=r"could not read damaged\.gguf"):
        load(str(path))


@pytest.mark.usefixtures("llama_cpp")
@pytest.mark.parametrize("name", ["/not/there.gguf", "there.gguf"])
def test_a_missing_file(name: str) -> None:
    with pytest.raises(ChatError, match="does not exist"):
        load(name)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, gguf: str) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(ChatError, match="make fast"):
        load(gguf)
