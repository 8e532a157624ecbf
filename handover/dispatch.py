"""Hands escalation events to every sink without keeping the person waiting."""

import logging
import time
from collections.abc import Sequence
from queue import Full, Queue
from threading import Lock, Thread
from typing import Protocol

from handover.event import EscalationEvent

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """A place where events go. Safe for several threads; `put` works even after `close`."""

    def put(self, event: EscalationEvent) -> None:
        """Store the event; it is safe on return."""

    def close(self, timeout: float) -> None:
        """Finish within `timeout` seconds."""


class Dispatcher:
    """Passes each event to all sinks in a thread of its own (the observer pattern, queued).

    Whoever makes one closes it, for instance with `atexit.register(dispatcher.close)`.
    """

    def __init__(self, sinks: Sequence[Sink], *, capacity: int = 10_000) -> None:
        """Start the thread.

        Args:
            sinks: where every event goes.
            capacity: how many events may wait for slow sinks.
        """
        self._sinks = tuple(sinks)
        self._queue: Queue[EscalationEvent | None] = Queue(capacity)
        self._gate = Lock()
        self._closed = False
        self._worker = Thread(target=self._work, name="escalation dispatch", daemon=True)
        self._worker.start()

    def emit(self, event: EscalationEvent) -> None:
        """Take the event and return at once.

        When the queue is full, or closed, the caller's own thread writes it to the sinks. It may
        then overtake events of its thread, which `turn` lets a receiver put right; waiting for a
        free place instead could hold back the reply for as long as one sink hangs, and an event
        that is dropped cannot be put right by anyone.
        """
        with self._gate:
            if not self._closed:
                try:
                    self._queue.put_nowait(event)
                    return
                except Full:
                    logger.warning("escalation queue is full; writing in the caller's thread")
        self._hand_over(event)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until every sink was given each event so far; return whether that came to pass."""
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(
                lambda: not self._queue.unfinished_tasks, timeout
            )

    def close(self, timeout: float = 5.0) -> None:
        """Hand over what waits, then close the sinks, all within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._gate:
            first, self._closed = not self._closed, True
        if not first:
            return
        if self.flush(timeout):
            self._queue.put(None)
            self._worker.join(max(0.0, deadline - time.monotonic()))
        else:
            logger.error("%d escalation events not handed over", self._queue.unfinished_tasks)
        for sink in self._sinks:
            try:
                sink.close(max(0.0, deadline - time.monotonic()))
            except Exception as error:
                # Wide on purpose: the other sinks must still get to finish.
                logger.error("%s not closed: %s", type(sink).__name__, type(error).__name__)

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            self._hand_over(event)
            self._queue.task_done()
        self._queue.task_done()

    def _hand_over(self, event: EscalationEvent) -> None:
        for sink in self._sinks:
            try:
                sink.put(event)
            except Exception as error:
                # Wide on purpose: a sink that fails must not keep the event from the others. Only
                # the type is logged, since a message may quote what the person wrote.
                name = type(sink).__name__
                logger.error("event %s not stored by %s: %s", event.id, name, type(error).__name__)
