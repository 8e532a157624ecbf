"""What the tests of the service share: clients over fakes, and readers of what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from fastapi.testclient import TestClient
from langchain_core.runnables import RunnableConfig

import app as service
from graph.build import build_graph
from graph.resources import Resources
from graph.runnable import GraphRunnable
from tests.fakes import FakeChat, Hang, fake_resources

TIRED = "I feel so tired of my work"
DANGER = "I want to die"
# They pick up a word of the message and repeat nothing, so that the review lets them pass.
SENTENCES = [
    "Being so tired of your work sounds really hard.",
    "What part of it weighs on you most today?",
]
REPLY = " ".join(SENTENCES)
SECRET = "zanzibar"
FIELDS = {
    "reply",
    "messages",
    "emotion",
    "intent",
    "crisis",
    "strategies",
    "reply_source",
    "thread_id",
}


class Response(Protocol):
    """What is read of a response; which httpx it comes from depends on starlette's version."""

    @property
    def status_code(self) -> int: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


def resources(*replies: str | Hang, **parts: Any) -> Resources:
    return fake_resources(chat=FakeChat(*replies), **parts)


@contextmanager
def client(found: Resources) -> Iterator[TestClient]:
    with TestClient(service.create_app(resources=found)) as each:
        yield each


def adapter(found: Resources) -> GraphRunnable:
    runnable = GraphRunnable(found.settings)
    runnable.graph = build_graph(found)
    return runnable


def thread(name: str) -> RunnableConfig:
    return {"configurable": {"thread_id": name}}


def events(response: Response) -> list[tuple[str, Any]]:
    """Read the server-sent events of a response: their names and data."""
    assert response.status_code == 200, response.text
    found = []
    for block in response.text.replace("\r\n", "\n").strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines.get("data", "null"))))
    return found


def data(response: Response) -> list[Any]:
    return [value for name, value in events(response) if name == "data"]
