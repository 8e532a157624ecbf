"""Counts what gets lost when the webhook's receiver is killed and restarted under way.

`python -m benchmarks.webhook_faults` emits escalation events while a receiver in a process of its
own dies by SIGKILL and comes back on the same port, and compares what was sent with what the
receiver wrote to its file. Nothing may be lost, and threads must stay in order once duplicates
are dropped by id, as the Standard Webhooks specification asks of receivers.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Annotated, Final

# Nothing of the project is imported here: the receiver must be up again in a tenth of a second.

_HOST: Final = "127.0.0.1"
_SECRET: Final = "a secret of the fault run only"
_EVENTS_PER_RESTART: Final = 40
_PACE_S: Final = 0.002
"""Between two events, so that deliveries are under way when the receiver dies."""

Figures = dict[str, float]


def run(events: int, threads: int, seed: int = 0, timeout: float = 300.0) -> Figures:
    """Send `events` events of `threads` conversations past a receiver that keeps dying."""
    from handover.dispatch import Dispatcher
    from handover.event import EscalationEvent
    from handover.webhook import Webhook

    chance = random.Random(seed)
    kills = set(chance.sample(range(1, events), max(2, events // _EVENTS_PER_RESTART)))
    down_for = 0
    sent: list[str] = []
    turns = [0] * threads
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _receiver(Path(folder) / "received") as receiver:
        webhook = Webhook(
            f"http://{_HOST}:{receiver.port}/",
            _SECRET,
            Path(folder) / "outbox.sqlite",
            first_pause=0.05,
            longest_pause=1.0,
        )
        dispatcher = Dispatcher([webhook])
        for number in range(events):
            if number in kills:
                receiver.kill()
                down_for = chance.randint(1, _EVENTS_PER_RESTART // 2)
            elif not receiver.running and (down_for := down_for - 1) <= 0:
                receiver.start()
            thread = chance.randrange(threads)
            turns[thread] += 1
            event = EscalationEvent(
                thread=f"thread {thread}",
                turn=turns[thread],
                level="high",
                score=0.9,
                signals=("active thoughts",),
                offered=("ask_safe",),
                country="",
            )
            dispatcher.emit(event)
            sent.append(event.id)
            time.sleep(_PACE_S)
        if not receiver.running:
            receiver.start()
        dispatcher.flush(timeout)
        deadline = time.monotonic() + timeout
        while webhook.pending() and time.monotonic() < deadline:
            time.sleep(0.02)
        dispatcher.close()
        received = [json.loads(line) for line in receiver.file.read_text().splitlines()]
    firsts: dict[str, tuple[str, int]] = {}
    for id, thread_name, turn in received:
        firsts.setdefault(id, (thread_name, turn))
    return {
        "sent": len(sent),
        "received": len(firsts),
        "lost": len(set(sent) - firsts.keys()),
        "duplicates": len(received) - len(firsts),
        "out of order within a thread": _out_of_order(firsts.values()),
        "restarts": receiver.starts - 1,
        "seconds": round(time.perf_counter() - start, 1),
    }


def _out_of_order(deliveries: Iterable[tuple[str, int]]) -> int:
    latest: dict[str, int] = {}
    count = 0
    for thread, turn in deliveries:
        count += turn < latest.get(thread, 0)
        latest[thread] = max(turn, latest.get(thread, 0))
    return count


class _Receiver:
    """The receiver's process, which can be killed and started again on its port."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with socket.create_server((_HOST, 0)) as free:
            self.port = int(free.getsockname()[1])
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the process and wait until it listens."""
        command = [sys.executable, "-I", __file__, "--receive", str(self.port), str(self.file)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the receiver did not start")
        self.starts += 1

    def kill(self) -> None:
        """Kill it with whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def _receiver(file: Path) -> Iterator[_Receiver]:
    receiver = _Receiver(file)
    try:
        yield receiver
    finally:
        receiver.kill()


class _Handler(BaseHTTPRequestHandler):
    """Checks a delivery's signature on its own terms, writes it down and only then answers."""

    file: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        id, timestamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = b".".join((id.encode(), timestamp.encode(), body))
        digest = hmac.new(_SECRET.encode(), signed, hashlib.sha256).digest()
        if self.headers["webhook-signature"] != f"v1,{base64.b64encode(digest).decode()}":
            self.send_error(401)
            return
        event = json.loads(body)
        os.write(self.file, json.dumps([id, event["thread"], event["turn"]]).encode() + b"\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class _Server(TCPServer):
    allow_reuse_address = True


def _receive(port: int, path: str) -> None:
    _Handler.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with _Server((_HOST, port), _Handler) as server:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        server.serve_forever()


def _main() -> None:
    import typer

    def main(
        events: Annotated[int, typer.Option(min=10, help="Events to send.")] = 1000,
        threads: Annotated[int, typer.Option(min=1, help="Conversations they belong to.")] = 20,
        seed: Annotated[int, typer.Option(help="Of the moments when the receiver dies.")] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Kill and restart a webhook's receiver while events are sent, and count what arrived."""
        figures = run(events, threads, seed)
        if as_json:
            typer.echo(json.dumps(figures))
        else:
            typer.echo("\n".join(f"{name:<30}{value:g}" for name, value in figures.items()))
        if figures["lost"] or figures["out of order within a thread"]:
            raise typer.Exit(1)

    typer.run(main)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--receive"]:
        _receive(int(sys.argv[2]), sys.argv[3])
    else:
        _main()
