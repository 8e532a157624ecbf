"""Runs the command `empathy` as a shell does, over fakes."""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import pytest

import cli
import graph.resources
from tests.fakes import FakeStore, fake_perception, fake_resources


class Done(NamedTuple):
    """What a command left."""

    code: Any
    out: str
    err: str

    @property
    def records(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Input(io.TextIOWrapper):
    """Standard input that holds `data`, from a pipe or a terminal."""

    def __init__(self, data: bytes, terminal: bool) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@dataclass
class Shell:
    """Runs the command from its arguments to its exit status."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *args: str, stdin: bytes = b"", terminal: bool = False) -> Done:
        self.monkeypatch.setattr(sys, "argv", ["empathy", *args])
        self.monkeypatch.setattr(sys, "stdin", Input(stdin, terminal))
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = self.capsys.readouterr()
        return Done(left.value.code, out, err)


class Stocked(FakeStore):
    """A store that embeds by itself, as the command needs it."""

    def search_text(self, text: str, *, k: int) -> Any:
        return self.search([float(len(text))], k=k)

    def stats(self) -> dict[str, Any]:
        return {"cards": 2, "encoder_id": "fake"}


def fake_loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put fakes in the place of what is loaded; says which settings they were loaded with."""
    asked: list[Any] = []

    def resources(settings: Any, **_: Any) -> Any:
        asked.append(settings)
        return fake_resources(chat=None, store=cast(Any, Stocked()))

    def perception(settings: Any) -> Any:
        asked.append(settings)
        return fake_perception()

    def store(settings: Any, *_: Any, **__: Any) -> Any:
        asked.append(settings)
        return Stocked()

    monkeypatch.setattr(graph.resources, "load_resources", resources)
    monkeypatch.setattr(graph.resources, "load_perception", perception)
    monkeypatch.setattr(graph.resources, "load_store", store)
    return asked
