import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from handover.audit import AuditLog, read_events
from handover.dispatch import Dispatcher
from tests.handover.receiver import WORDS, escalation


class Memory:
    """A sink that remembers, and holds every event up while it is blocked."""

    def __init__(self) -> None:
        self.events, self.threads, self.closed = [], [], []
        self.free = threading.Event()
        self.free.set()
        self.reached = threading.Event()

    def put(self, event):
        self.reached.set()
        assert self.free.wait(10)
        self.events.append(event)
        self.threads.append(threading.current_thread())

    def close(self, timeout):
        self.closed.append(timeout)


class Broken:
    def put(self, event):
        raise RuntimeError(event.text)

    def close(self, timeout):
        raise RuntimeError(WORDS)


@contextmanager
def dispatching(*sinks, **options) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(sinks, **options)
    try:
        yield dispatcher
    finally:
        dispatcher.close()


def test_every_sink_gets_every_event_in_order():
    first, second = Memory(), Memory()
    events = [escalation(turn=turn) for turn in range(50)]
    with dispatching(first, second) as dispatcher:
        for event in events:
            dispatcher.emit(event)
        assert dispatcher.flush(5)
    assert first.events == second.events == events


def test_emit_does_not_wait_for_a_sink_that_hangs():
    sink = Memory()
    sink.free.clear()
    with dispatching(sink) as dispatcher:
        start = time.perf_counter()
        for turn in range(100):
            dispatcher.emit(escalation(turn=turn))
        assert time.perf_counter() - start < 1
        assert sink.events == []
        assert not dispatcher.flush(0.02)
        sink.free.set()
        assert dispatcher.flush(5)
    assert [event.turn for event in sink.events] == list(range(100))
    assert threading.main_thread() not in sink.threads


def test_a_failing_sink_keeps_no_event_from_the_others_and_none_in_the_log(caplog):
    sink, event = Memory(), escalation(text=WORDS)
    with dispatching(Broken(), sink, Broken()) as dispatcher:
        dispatcher.emit(event)
        dispatcher.emit(event)
        assert dispatcher.flush(5)
    assert sink.events == [event, event]
    assert caplog.text.count(f"event {event.id} not stored by Broken: RuntimeError") == 4
    assert "zanzibar" not in caplog.text


def test_a_full_disk_under_one_sink_leaves_the_other(tmp_path, monkeypatch, caplog):
    path, sink = tmp_path / "audit.jsonl", Memory()
    kept, lost, later = escalation(turn=1), escalation(turn=2, text=WORDS), escalation(turn=3)
    write, room = os.write, [30]

    def full(file: int, data: bytes) -> int:
        # The last block takes a part of the line, as on a real disk.
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(file, data[: room[0]])
        room[0] -= written
        return written

    with dispatching(AuditLog(path), sink) as dispatcher:
        dispatcher.emit(kept)
        assert dispatcher.flush(5)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            dispatcher.emit(lost)
            assert dispatcher.flush(5)
        dispatcher.emit(later)
        assert dispatcher.flush(5)
    assert sink.events == [kept, lost, later]
    assert read_events(path) == ([kept, later], 1)
    assert f"event {lost.id} not stored by AuditLog: OSError" in caplog.text
    assert "zanzibar" not in caplog.text


def test_a_full_queue_drops_nothing():
    sink = Memory()
    sink.free.clear()
    events = [escalation(turn=turn) for turn in range(5)]
    with dispatching(sink, capacity=2) as dispatcher:
        dispatcher.emit(events[0])
        assert sink.reached.wait(5)
        dispatcher.emit(events[1])
        dispatcher.emit(events[2])
        callers = [
            threading.Thread(target=dispatcher.emit, args=(event,), name="caller")
            for event in events[3:]
        ]
        for caller in callers:
            caller.start()
        sink.free.set()
        for caller in callers:
            caller.join(5)
        assert dispatcher.flush(5)
    assert sorted(event.turn for event in sink.events) == [0, 1, 2, 3, 4]
    by_thread = {
        event.turn: thread.name for event, thread in zip(sink.events, sink.threads, strict=True)
    }
    assert by_thread[0] == by_thread[1] == by_thread[2] == "escalation dispatch"


def test_a_full_queue_is_written_by_the_caller():
    sink = Memory()
    sink.free.clear()
    with dispatching(sink, capacity=1) as dispatcher:
        dispatcher.emit(escalation(turn=0))
        assert sink.reached.wait(5)
        dispatcher.emit(escalation(turn=1))
        timer = threading.Timer(0.05, sink.free.set)
        timer.start()
        dispatcher.emit(escalation(turn=2))
        stored = dict(zip([event.turn for event in sink.events], sink.threads, strict=False))
        assert stored[2] is threading.main_thread()
        timer.join()


def test_close_hands_over_what_waits_and_closes_the_sinks_once():
    sink = Memory()
    dispatcher = Dispatcher([Broken(), sink])
    for turn in range(20):
        dispatcher.emit(escalation(turn=turn))
    dispatcher.close(5)
    dispatcher.close(5)
    assert len(sink.events) == 20
    (left,) = sink.closed
    assert 0 < left <= 5


def test_an_event_after_close_is_still_stored():
    sink = Memory()
    dispatcher = Dispatcher([sink])
    dispatcher.close()
    event = escalation()
    dispatcher.emit(event)
    assert sink.events == [event]
    assert dispatcher.flush(1)


def test_close_gives_up_in_time_and_says_how_many_are_left(caplog):
    sink = Memory()
    sink.free.clear()
    dispatcher = Dispatcher([sink])
    for turn in range(3):
        dispatcher.emit(escalation(turn=turn))
    start = time.perf_counter()
    dispatcher.close(0.05)
    assert time.perf_counter() - start < 2
    assert sink.closed == [0.0]
    assert "3 escalation events not handed over" in caplog.text
    sink.free.set()
    assert dispatcher.flush(5)
    assert len(sink.events) == 3


def test_many_threads_emit_at_once():
    sink = Memory()
    with dispatching(sink) as dispatcher:

        def emit(name: str) -> None:
            for turn in range(50):
                dispatcher.emit(escalation(name, turn))

        threads = [threading.Thread(target=emit, args=(f"t{i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert dispatcher.flush(5)
    for i in range(8):
        turns = [event.turn for event in sink.events if event.thread == f"t{i}"]
        assert turns == list(range(50))
