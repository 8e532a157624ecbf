"""Small requests of many threads as one batch: flat combining (Hendler et al. 2010)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Combiner(Generic[Key, Value]):
    """Computes values for many threads at once, in batches.

    A caller who finds nobody computing computes for all who wait, the oldest first, so one who is
    alone waits for nobody. There is no thread and no timer behind it.
    """

    def __init__(
        self,
        compute: Callable[[list[Key]], Sequence[Value]],
        *,
        limit: int,
        weigh: Callable[[Key], int] = lambda _: 1,
    ) -> None:
        """Bind what computes.

        Args:
            compute: returns a value for each of the keys, which are distinct; it is never called
                by two threads at a time.
            limit: most weight of a batch; only a request that is heavier by itself exceeds it.
            weigh: the weight of a key.
        """
        self._compute, self._limit, self._weigh = compute, limit, weigh
        self._lock = threading.Lock()
        self._waiting: dict[_Request[Key, Value], None] = {}
        self._leader: _Request[Key, Value] | None = None

    def __call__(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values of `keys`.

        A key that several threads ask for at the same time is computed once. When a batch fails,
        each of its requests is tried alone, so that nobody gets another's exception.

        Raises:
            Exception: whatever `compute` raises for these keys alone.
        """
        mine: _Request[Key, Value] = _Request(keys, threading.Condition(self._lock))
        try:
            while batch := self._lead(mine):
                self._run(batch)
        finally:
            # An interrupted thread, too, hands on what the others wait for.
            self._leave(mine)
        try:
            if mine.error is not None:
                raise mine.error
            return mine.found
        finally:
            # The exception's traceback holds the request, so the request must not hold it.
            mine.error = None

    def _lead(self, mine: _Request[Key, Value]) -> list[_Request[Key, Value]]:
        """Wait until `mine` is done or may lead; return the batch to compute, if any is left."""
        with self._lock:
            if mine.done:
                return []
            self._waiting[mine] = None
            while not mine.done and self._leader not in (None, mine):
                mine.turn.wait()
            if mine.done:
                return []
            self._leader = mine
            return self._oldest()

    def _oldest(self) -> list[_Request[Key, Value]]:
        batch: list[_Request[Key, Value]] = []
        weight = 0
        for request in self._waiting:
            weight += sum(map(self._weigh, request.missing))
            if batch and (weight > self._limit or request.alone or batch[0].alone):
                break
            batch.append(request)
        return batch

    def _run(self, batch: Sequence[_Request[Key, Value]]) -> None:
        keys = list(dict.fromkeys(key for request in batch for key in request.missing))
        try:
            values = dict(zip(keys, self._compute(keys), strict=True))
        except Exception as exc:  # Whatever it is, it belongs to the one whose keys cause it.
            with self._lock:
                for request in batch:
                    request.alone = True
                if len(batch) == 1:
                    batch[0].error = exc
                    self._dismiss(batch)
            return
        with self._lock:
            for request in self._waiting:
                # Also those who came during the pass and ask for the same.
                request.take(values)
            self._dismiss([request for request in self._waiting if request.done])

    def _dismiss(self, done: Iterable[_Request[Key, Value]]) -> None:
        for request in done:
            self._waiting.pop(request, None)
            request.turn.notify()

    def _leave(self, mine: _Request[Key, Value]) -> None:
        with self._lock:
            self._waiting.pop(mine, None)
            if self._leader is mine:
                self._leader = None
            if self._leader is None and self._waiting:
                next(iter(self._waiting)).turn.notify()


class _Request(Generic[Key, Value]):
    """What one caller asks for."""

    def __init__(self, keys: Iterable[Key], turn: threading.Condition) -> None:
        self.missing = dict.fromkeys(keys)
        self.found: dict[Key, Value] = {}
        self.error: Exception | None = None
        self.alone = False
        """Whether a batch with it failed."""
        self.turn = turn
        """Notified when it is done, or may lead."""

    @property
    def done(self) -> bool:
        return self.error is not None or not self.missing

    def take(self, values: Mapping[Key, Value]) -> None:
        for key in self.missing.keys() & values.keys():
            self.found[key] = values[key]
            del self.missing[key]
