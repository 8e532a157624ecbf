"""Speed and memory of a turn, each figure in the same run on the same machine.

`empathy bench` prints: everything before the language model; the crisis branch, alone and while 32
people write at once; tokens a second of the generation node beside the same model called bare; the
start of `empathy chat`; the import of `graph.build`; resident memory; and for the readings: one new
message beside one pass of the plain encoder, messages a second in batches, and the memory that the
adapter adds.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from tqdm import tqdm

from graph.build import build_graph
from graph.lines import all_cores, annotate, read_all
from graph.resources import Resources, load_resources
from graph.settings import Settings
from graph.state import State
from nodes.generate import GenerateReply

_SITUATIONS: Final = (
    "I failed my exam and I can't stop crying",
    "my boss yelled at me in front of everyone today",
    "I miss my grandmother, she raised me",
    "I cannot fall asleep and tomorrow is the interview",
    "my best friend stopped answering my messages",
)
_CRISES: Final = ("I want to die", "I want to kill myself", "I have a plan to end my life tonight")
_GOALS: Final = {
    "before the model, median ms": 40.0,
    "crisis branch, median ms": 60.0,
    "crisis branch, 32 threads, p99 ms": 150.0,
    "three readings of a new message, median ms": 25.0,
    "memory added by the adapter, MB": 300.0,
    "first answer of `empathy chat --once`, s": 15.0,
    "import graph.build, s": 2.0,
    "resident memory, MB": 1500.0,
}
_BATCHED: Final = 1000
"""Messages of the batched run."""
_CROWD: Final = 32
_CROWD_TURNS: Final = 5


def run(turns: int) -> dict[str, Any]:
    """Measure everything; generation only where a chat model is loaded."""
    # The first import reads the files from disk; the best of three is the import itself.
    import_seconds = min(_seconds([sys.executable, "-c", "import graph.build"]) for _ in range(3))
    resources = load_resources(Settings().measuring())
    figures: dict[str, Any] = {
        "machine": _machine(),
        "turns": turns,
        "import graph.build, s": round(import_seconds, 2),
    }
    figures |= _perception(resources, turns)
    figures |= _crowd(resources)
    figures |= _readings(resources, turns)
    if resources.chat is not None:
        figures |= _generation(resources)
        command = [sys.executable, "-m", "cli", "chat", "--once", "hello"]
        figures["first answer of `empathy chat --once`, s"] = round(_seconds(command), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["resident memory, MB"] = round(_resident_mb() or peak)
    return figures


def table(figures: dict[str, Any]) -> str:
    """Lay the figures out beside the project's goals."""
    width = max(len(name) for name in figures)
    lines = []
    for name, value in figures.items():
        goal = f"   (goal: at most {_GOALS[name]:g})" if name in _GOALS else ""
        lines.append(f"{name:<{width}}  {value}{goal}")
    return "\n".join(lines)


def _perception(resources: Resources, turns: int) -> dict[str, Any]:
    """Time whole turns with composed replies: all but the model, on texts never seen before."""
    composed = Resources(**{**vars(resources), "chat": None})
    graph = build_graph(composed)

    def median_ms(texts: tuple[str, ...]) -> float:
        def turn(i: int) -> None:
            # A new text each time, so that the encoder's cache does not answer.
            text = f"{texts[i % len(texts)]}, {i} times now"
            graph.invoke({"messages": [HumanMessage(text)]})

        for i in range(3):
            turn(-i - 1)
        return round(statistics.median(_timed(turn, turns)) * 1000, 1)

    return {
        "before the model, median ms": median_ms(_SITUATIONS),
        "crisis branch, median ms": median_ms(_CRISES),
    }


def _crowd(resources: Resources) -> dict[str, Any]:
    """Time the crisis branch while many people write at once, each as fast as they are answered."""
    graph = build_graph(Resources(**{**vars(resources), "chat": None}))

    def talk(person: int) -> list[float]:
        def turn(i: int) -> None:
            text = f"{_CRISES[i % len(_CRISES)]}, {person} and {i}"
            graph.invoke({"messages": [HumanMessage(text)]})

        return _timed(turn, _CROWD_TURNS)

    with ThreadPoolExecutor(_CROWD) as people:
        seconds = [each for talked in people.map(talk, range(_CROWD)) for each in talked]
    median, slowest = statistics.median(seconds), statistics.quantiles(seconds, n=100)[-1]
    return {
        f"crisis branch, {_CROWD} threads, median ms": round(median * 1000, 1),
        f"crisis branch, {_CROWD} threads, p99 ms": round(slowest * 1000, 1),
        f"crisis branch, {_CROWD} threads, turns/s": round(_CROWD / statistics.fmean(seconds)),
    }


def _readings(resources: Resources, turns: int) -> dict[str, Any]:
    """Time the three readings of new messages, one by one and in batches."""
    seen = resources.perception
    if seen.encoder is None:
        return {}
    encoder = seen.encoder

    def new(i: int, name: str) -> str:
        return f"{_SITUATIONS[i % len(_SITUATIONS)]}, {name} {i}"

    for i in range(3):
        read_all([HumanMessage(new(i, "warming up"))], seen)

    def encode(i: int) -> None:
        encoder.encode([new(i, "plain")])

    def read(i: int) -> None:
        read_all([HumanMessage(new(i, "read"))], seen)

    plain_seconds, read_seconds = _timed(encode, turns), _timed(read, turns)
    lines = [json.dumps({"text": new(i, "batched")}) for i in range(_BATCHED)]
    start = time.perf_counter()
    with all_cores(resources.settings):
        count = sum(1 for _ in annotate(lines, seen))
    return {
        "one pass of the plain encoder, median ms": round(
            statistics.median(plain_seconds) * 1000, 1
        ),
        "three readings of a new message, median ms": round(
            statistics.median(read_seconds) * 1000, 1
        ),
        "annotated messages/s (goal: at least 150)": round(count / (time.perf_counter() - start)),
        "memory added by the adapter, MB": _adapter_mb(),
    }


def _adapter_mb() -> int:
    """Return what loading the adapter adds to the memory of a process with the plain encoder."""
    script = (
        "from benchmarks.run import _resident_mb\n"
        "from models.adapter import load_adapted\n"
        "from models.encoder import load_encoder\n"
        "plain = load_encoder(); plain.encode(['a message']); before = _resident_mb()\n"
        "load_adapted(plain).encode(['a message']); print(_resident_mb() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    return round(float(done.stdout.split()[-1]))


def _generation(resources: Resources) -> dict[str, Any]:
    """Time the node and the bare model in turn on the same prompt, counting the same tokens."""
    chat = resources.chat
    assert chat is not None
    settings = resources.settings
    recorder = _Recorder(chat)
    node = GenerateReply(
        recorder,
        resources.reviewer,
        resources.composer,
        max_new_tokens=settings.max_new_tokens,
        temperature=0.0,
        timeout=settings.generation_timeout,
        history_tokens=settings.history_tokens,
        prompting="empathy",
    )
    bare_rates, node_rates = [], []
    for text in tqdm(_SITUATIONS, desc="generation", disable=not sys.stderr.isatty()):
        state: State = {
            "messages": [HumanMessage(text)],
            "emotion": {"label": "sad", "scores": {"sad": 0.5}},
            "intent": {"label": "acknowledging", "scores": {}, "reason": ""},
        }
        recorder.pieces.clear()
        start = time.perf_counter()
        node(state, RunnableConfig())
        node_rates.append(recorder.tokens() / (time.perf_counter() - start))
        # The bare model writes as many pieces as the node took before review ended the draft.
        start, pieces = time.perf_counter(), []
        for chunk in chat.model.stream(
            recorder.prompt, max_tokens=settings.max_new_tokens, temperature=0.0
        ):
            pieces.append(chunk.text)
            if len(pieces) >= len(recorder.pieces):
                break
        bare_rates.append(chat.count_tokens("".join(pieces)) / (time.perf_counter() - start))
    bare, ours = statistics.median(bare_rates), statistics.median(node_rates)
    ratio = statistics.median(n / b for n, b in zip(node_rates, bare_rates, strict=True))
    return {
        "chat model": chat.name,
        "tokens/s, bare model": round(bare, 1),
        "tokens/s, generation node": round(ours, 1),
        "node / bare (goal: at least 0.9)": round(ratio, 2),
    }


class _Recorder:
    """Passes a chat model's pieces on and remembers them and the prompt."""

    def __init__(self, chat: Any) -> None:
        self._chat = chat
        self.prompt: Any = [SystemMessage(""), HumanMessage("")]
        self.pieces: list[str] = []

    def count_tokens(self, text: str, /) -> int:
        return int(self._chat.count_tokens(text))

    def tokens(self) -> int:
        return self.count_tokens("".join(self.pieces))

    def stream(self, messages: Any, **options: Any) -> Any:
        self.prompt = messages
        for piece in self._chat.stream(messages, **options):
            self.pieces.append(piece)
            yield piece


def _timed(turn: Callable[[int], None], count: int) -> list[float]:
    seconds = []
    for i in tqdm(range(count), desc="turns", disable=not sys.stderr.isatty()):
        start = time.perf_counter()
        turn(i)
        seconds.append(time.perf_counter() - start)
    return seconds


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _resident_mb() -> float | None:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2
    except OSError:
        return None


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores}-core CPU"
