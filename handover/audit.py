"""The audit log: every escalation on this machine's disk before anyone else hears of it."""

import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from pydantic import ValidationError

from handover.event import EscalationEvent

logger = logging.getLogger(__name__)

_LOCK_TIMEOUT_S: Final = 5.0


class AuditLog:
    """Append-only JSON lines, one event a line, on disk when `put` returns.

    The durability rule is that of write-ahead logs: append, fsync, then answer.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def put(self, event: EscalationEvent) -> None:
        """Append the event and wait until the disk has it.

        Raises:
            OSError: the disk did not take it.
        """
        line = event.model_dump_json().encode() + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Polled often: holders are gone after one fsync, a few milliseconds.
        lock = FileLock(
            f"{self._path}.lock", timeout=_LOCK_TIMEOUT_S, mode=0o600, poll_interval=0.002
        )
        with ExitStack() as stack:
            try:
                stack.enter_context(lock.acquire())
            except Timeout:
                # The lock guards only the check for a half line. Lines stay whole without it:
                # POSIX moves to the end and writes as one step under O_APPEND, so a process that
                # hangs with the lock cannot keep an event from the disk.
                logger.warning("audit log locked for %g s; appending anyway", _LOCK_TIMEOUT_S)
            # Opened anew each time, so that the log can be rotated by renaming it.
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            stack.callback(os.close, file)
            size = os.fstat(file).st_size
            if size and not _ends_a_line(file):
                # A crash left half a line; without this the event would be glued to it.
                line = b"\n" + line
            # One write in practice. Only a disk about to be full takes a part; the next says why.
            while line:
                line = line[os.write(file, line) :]
            os.fsync(file)
            if not size:
                _sync_folder(self._path.parent)

    def close(self, timeout: float) -> None:
        """Nothing to do: each event is on disk when `put` returns."""


def read_events(path: Path | str) -> tuple[list[EscalationEvent], int]:
    """Read an audit log.

    Returns:
        The events, oldest first, and how many lines could not be read (a crash or a full disk
        may leave half a line).
    """
    events, broken = [], 0
    with open(path, "rb") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                events.append(EscalationEvent.model_validate_json(line))
            except ValidationError:
                broken += 1
    return events, broken


def _ends_a_line(file: int) -> bool:
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1) == b"\n"


def _sync_folder(folder: Path) -> None:
    # fsync of a new file keeps its bytes; its name is kept only by fsync of the folder.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
