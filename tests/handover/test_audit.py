import json
import os
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

from handover import audit
from handover.audit import AuditLog, read_events
from tests.handover.receiver import escalation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "escalations.jsonl"


def test_events_read_back_in_order(path):
    log = AuditLog(path)
    events = [escalation(turn=turn, text="a\nb") for turn in range(1, 6)]
    for event in events:
        log.put(event)
    log.close(1.0)
    assert read_events(path) == (events, 0)
    assert [json.loads(line)["turn"] for line in path.read_text().splitlines()] == [1, 2, 3, 4, 5]


def test_nobody_else_can_read_it(path):
    AuditLog(path).put(escalation())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_event_is_on_disk_before_put_returns(path, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(file: int) -> None:
        synced.append((os.fstat(file).st_ino, path.read_bytes().count(b"\n")))
        fsync(file)

    monkeypatch.setattr(os, "fsync", note)
    AuditLog(path).put(escalation())
    AuditLog(path).put(escalation())
    file, folder = path.stat().st_ino, path.parent.stat().st_ino
    assert synced == [(file, 1), (folder, 1), (file, 2)]


def test_half_a_line_takes_no_event_with_it(path):
    log, events = AuditLog(path), [escalation(turn=1), escalation(turn=2), escalation(turn=3)]
    log.put(events[0])
    with path.open("ab") as file:
        file.write(events[1].model_dump_json().encode()[:40])
    log.put(events[1])
    log.put(events[2])
    assert read_events(path) == (events, 1)


@pytest.mark.parametrize("line", [b"{}", b"not JSON", b"\xff\xfe", b"null"])
def test_broken_lines_are_skipped_and_counted(path, line):
    log, events = AuditLog(path), [escalation(turn=1), escalation(turn=2)]
    log.put(events[0])
    with path.open("ab") as file:
        file.write(line + b"\n\n")
    log.put(events[1])
    assert read_events(path) == (events, 1)


def test_a_log_that_is_not_there_is_not_an_empty_one(path):
    with pytest.raises(FileNotFoundError):
        read_events(path)


def test_it_can_be_rotated(path):
    log = AuditLog(path)
    log.put(escalation(turn=1))
    path.rename(path.with_suffix(".1"))
    log.put(escalation(turn=2))
    assert [event.turn for event in read_events(path)[0]] == [2]


def test_a_short_write_is_finished(path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:50]))
    event = escalation()
    AuditLog(path).put(event)
    assert read_events(path) == ([event], 0)


def test_whoever_hangs_with_the_lock_keeps_no_event_from_the_disk(path, monkeypatch, caplog):
    monkeypatch.setattr(audit, "_LOCK_TIMEOUT_S", 0.05)
    path.parent.mkdir()
    event = escalation(thread="secret thread")
    # From another thread: a lock that this thread holds already would count as its own mistake.
    writer = Thread(target=AuditLog(path).put, args=(event,))
    with FileLock(f"{path}.lock"):
        writer.start()
        writer.join(5)
        assert not writer.is_alive()
    assert read_events(path) == ([event], 0)
    assert "locked" in caplog.text
    assert "secret" not in caplog.text


def test_two_processes_append_at_once(path):
    # Forked after the slow imports, in a process of its own that has no threads.
    script = (
        "import os, sys; from handover.audit import AuditLog\n"
        "from tests.handover.receiver import escalation\n"
        "child = os.fork(); log = AuditLog(sys.argv[1])\n"
        "for turn in range(200): log.put(escalation('ab'[child > 0], turn, text='x' * 3000))\n"
        "sys.exit(child and os.waitpid(child, 0)[1])"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=True)
    events, broken = read_events(path)
    assert broken == 0
    for name in ("a", "b"):
        assert [event.turn for event in events if event.thread == name] == list(range(200))
    switches = sum(one.thread != next.thread for one, next in pairwise(events))
    assert switches > 2, "the two took turns as wholes: nothing was tested"
