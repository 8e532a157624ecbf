"""Threads that ask a `Combiner` while a first pass is held."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

from models.batching import Combiner

PATIENCE = 10
"""Seconds until a test gives up; no test that passes waits for it."""


def start(work: Callable[..., Any], *args: Any) -> Future[Any]:
    """Run `work` in a thread that no test has to wait for, should it wait for ever."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work(*args))
        except BaseException as exc:  # An interruption, too, is what came of it.
            future.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return future


class Squares:
    """Squares numbers; a pass waits at `gate` while it is shut, and fails over `bad` ones."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.leaders: list[int] = []
        self.bad: dict[int, BaseException] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self._busy = threading.Lock()

    def __call__(self, keys: list[int]) -> Sequence[int]:
        assert self._busy.acquire(blocking=False), "two passes at a time"
        try:
            self.passes.append(keys)
            self.leaders.append(threading.get_ident())
            self.begun.release()
            assert self.gate.wait(PATIENCE)
            for key in keys:
                if key in self.bad:
                    raise self.bad[key]
            return [key * key for key in keys]
        finally:
            self._busy.release()


class Crowd:
    """Threads that ask while a first caller's pass is held at the gate."""

    def __init__(self, limit: int = 64, weigh: Callable[[int], int] = lambda _: 1) -> None:
        self.squares = Squares()
        self.combiner = Combiner(self.squares, limit=limit, weigh=weigh)
        self.asked: list[Future[dict[int, int]]] = []
        self.squares.gate.clear()
        self.first = self.ask(0)

    def ask(self, *keys: int) -> Future[dict[int, int]]:
        """Ask in a new thread, and return once that thread computes or waits."""
        waiting = len(self.combiner._waiting)
        future = start(self.combiner, keys)
        self.asked.append(future)
        until(lambda: len(self.combiner._waiting) > waiting)
        if len(self.asked) == 1:
            assert self.squares.begun.acquire(timeout=PATIENCE)
        return future

    def answer(self) -> None:
        """Open the gate and wait for everybody."""
        self.squares.gate.set()
        assert not wait(self.asked, PATIENCE).not_done


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)
