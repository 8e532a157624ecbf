"""Runs the command `empathy` as a shell does, over fakes."""

import io
import json
import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import pytest

import cli
import graph.resources
from graph.retrieval import Retrieval
from models.labels import EMOTION_LABELS
from tests.fakes import fake_head, fake_perception, fake_resources
from tests.knowledge.ingesting import WordEncoder
from tests.knowledge.list_index import ListPlace


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


@dataclass
class Retrieving:
    """What the commands search and fill indexes with."""

    encoder: WordEncoder = field(default_factory=WordEncoder)
    place: ListPlace = field(default_factory=ListPlace)
    settings: list[Any] = field(default_factory=list)
    """Those of each `Retrieval`."""

    def of(self, settings: Any, **_: Any) -> Retrieval:
        self.settings.append(settings)
        return Retrieval(settings, cast(Any, self.encoder), None, cast(Any, self.place))


def fake_retrievals(monkeypatch: pytest.MonkeyPatch, feeling: str = "anxious") -> Retrieving:
    """Give the commands an encoder of words, indexes in a list, and who reads one emotion."""
    fake = Retrieving()
    seen = fake_perception(emotion_head=fake_head(EMOTION_LABELS, lean=feeling))
    monkeypatch.setattr(Retrieval, "of", fake.of)
    monkeypatch.setattr(graph.resources, "load_perception", lambda settings: seen)
    return fake


def fake_loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put fakes in the place of what is loaded; says which settings they were loaded with."""
    asked = fake_retrievals(monkeypatch).settings

    def resources(settings: Any, **_: Any) -> Any:
        asked.append(settings)
        return fake_resources(chat=None)

    def perception(settings: Any) -> Any:
        asked.append(settings)
        return fake_perception()

    monkeypatch.setattr(graph.resources, "load_resources", resources)
    monkeypatch.setattr(graph.resources, "load_perception", perception)
    return asked
