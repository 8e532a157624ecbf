"""A webhook's receiver over real HTTP that can be stopped and started again, and its events."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from threading import Thread
from typing import Any

from handover.event import EscalationEvent

KEY = b"thirty-two bytes of a secret key"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
WORDS = "zanzibar is where I would go"


def escalation(thread: str = "t1", turn: int = 1, **fields: Any) -> EscalationEvent:
    known: dict[str, Any] = {
        "level": "high",
        "score": 0.9,
        "signals": ("active thoughts",),
        "offered": ("ask_safe", "helpline"),
        "country": "NP",
    }
    return EscalationEvent(thread=thread, turn=turn, **(known | fields))


def until(reached: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@dataclass(frozen=True)
class Delivery:
    path: str
    id: str
    timestamp: int
    signed: bool
    event: EscalationEvent


Answer = Callable[[Delivery], int | None]
"""Gives the status; None drops the connection, as a receiver does that dies before it answers."""


class Receiver:
    """Checks signatures by itself and remembers what it accepted, in order."""

    def __init__(self, key: bytes = KEY) -> None:
        self.key = key
        self.seen: list[Delivery] = []
        """Every request."""
        self.accepted: list[Delivery] = []
        """Those stored: answered with 2xx, or stored and then dropped."""
        self.answer: Answer = lambda _: 204
        self.address = ("127.0.0.1", 0)
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}/hook"

    def start(self) -> None:
        self._server = server = _Server(self.address, _Handler)
        server.receiver = self
        self.address = ("127.0.0.1", server.server_address[1])
        self._thread = Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def take(self, path: str, headers: Any, body: bytes) -> int | None:
        id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        signed = id.encode() + b"." + timestamp.encode() + b"." + body
        mac = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        good = headers["webhook-signature"] == f"v1,{mac}"
        event = EscalationEvent(**json.loads(body))
        delivery = Delivery(path, id, int(timestamp), good, event)
        self.seen.append(delivery)
        status = self.answer(delivery) if good else 401
        if status is None or 200 <= status < 300:
            self.accepted.append(delivery)
        return status

    def turns(self, thread: str) -> list[int]:
        """The turns of a thread as they came, without duplicates by id."""
        firsts = {}
        for delivery in self.accepted:
            firsts.setdefault(delivery.id, delivery.event)
        return [event.turn for event in firsts.values() if event.thread == thread]


class _Server(TCPServer):
    allow_reuse_address = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.receiver.take(self.path, self.headers, body)
        if status is None:
            return
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def receiving(key: bytes = KEY) -> Iterator[Receiver]:
    receiver = Receiver(key)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()
