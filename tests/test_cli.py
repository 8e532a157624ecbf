"""The command `empathy`: its help, a talk, what it refuses, and how it exits."""

import io
import sys
from typing import Any

import pytest
import uvicorn

import cli
import graph.resources
from graph import doctor
from graph.doctor import Check
from tests.commands import Shell, fake_loads
from tests.fakes import fake_resources, real_registry

DANGER = "I want to kill myself"
SECRET = "zanzibar"


@pytest.fixture
def empathy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings of each load; what is loaded are fakes."""
    return fake_loads(monkeypatch)


def test_help_names_every_command(empathy: Shell) -> None:
    done = empathy("--help")
    assert done.code == 0
    for name in ("chat annotate review replay knowledge evaluate bench serve doctor").split():
        assert name in done.out
        inside = empathy(name, "--help")
        assert inside.code == 0
        assert inside.out.strip()
    assert "ingest" in empathy("knowledge", "--help").out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["dance"], "dance"),
        (["chat", "--loud"], "--loud"),
        (["knowledge", "search"], "argument"),
        (["knowledge", "search", "sleep", "--k", "0"], "--k"),
        (["bench", "--turns", "four"], "integer"),
        (["chat", "--once", "hi", "--country", "Nepal"], "two letters"),
        (["replay", "--country", "N1"], "two letters"),
        (["evaluate", "kindness"], "there is: crisis"),
        (["knowledge", "ingest", "a.md", "--collection", "My notes"], "cannot be a collection"),
        (["knowledge", "ingest", "a.md", "--collection", "strategies"], "choose another name"),
        (["knowledge", "ingest", "a.md", "--from", "folder"], "name that as a source"),
        (["knowledge", "remove"], "argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_explained_and_loads_nothing(
    empathy: Shell, loads: list[Any], args: list[str], says: str
) -> None:
    done = empathy(*args)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert loads == []


def test_chat_once_prints_the_reply(empathy: Shell, loads: list[Any]) -> None:
    done = empathy("chat", "--once", DANGER, "--country", "np")
    nepal = real_registry().country("NP")
    assert nepal and nepal.lines[0].call
    assert done.code == 0
    assert nepal.lines[0].call in done.out
    assert len(loads) == 1


@pytest.mark.usefixtures("loads")
def test_chat_prints_json_for_programs_and_nothing_else(empathy: Shell) -> None:
    done = empathy("chat", "--once", DANGER, "--json")
    assert (done.code, done.err) == (0, "")
    [turn] = done.records
    assert turn["reply_source"] == "protocol"
    assert turn["crisis"]["level"] == "high"
    assert turn["reply"]
    assert DANGER not in done.out


@pytest.mark.usefixtures("loads")
def test_chat_reads_a_message_a_line_in_one_thread(empathy: Shell) -> None:
    lines = b"I feel so tired of my work\n\n  \nIt is the nights \xff\n"
    done = empathy("chat", "--json", stdin=lines)
    assert done.code == 0
    first, second = done.records
    assert first["reply_source"] == second["reply_source"] == "composed"
    # In a thread of its own the second would be answered as a first message.
    alone = empathy("chat", "--json", stdin=lines.splitlines()[-1]).records[0]
    assert second["reply"] != alone["reply"]


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_chat_without_a_message_says_how_and_loads_nothing(
    empathy: Shell, loads: list[Any], nothing: bytes
) -> None:
    done = empathy("chat", stdin=nothing)
    assert done == (0, "", cli.USAGE)
    assert loads == []


@pytest.mark.usefixtures("loads")
def test_chat_in_a_terminal_introduces_itself_and_ends_with_the_input(
    empathy: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter(["", DANGER])

    def typed(prompt: str) -> str:
        try:
            return next(said)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    done = empathy("chat", terminal=True)
    assert done.code == 0
    assert cli.INTRODUCTION in done.err
    assert "suicide" in done.out or "your own life" in done.out


def test_chat_names_what_could_not_be_loaded(
    empathy: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fake_resources(chat=None, problems=("chat model: no such file",))
    monkeypatch.setattr(graph.resources, "load_resources", lambda *_, **__: found)
    done = empathy("chat", "--once", "hello there")
    assert done.code == 0
    assert "warning: chat model: no such file" in done.err


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_doctor_exits_1_when_something_is_wrong(
    empathy: Shell, monkeypatch: pytest.MonkeyPatch, ok: bool, code: int
) -> None:
    checks = [Check("python", True, "3.11"), Check("encoder", ok, "as said")]
    monkeypatch.setattr(doctor, "examine", lambda settings: checks)
    done = empathy("doctor", "--json")
    assert (done.code, done.records) == (code, [[check._asdict() for check in checks]])
    plain = empathy("doctor")
    assert (plain.code, plain.out) == (code, doctor.report(checks) + "\n")


def test_serve_listens_where_it_is_told(empathy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setenv("EMPATHY_PORT", "8123")
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: served.append(options))
    assert empathy("serve").code == 0
    assert empathy("serve", "--host", "127.0.0.2", "--port", "0").code == 0
    assert [(each["host"], each["port"]) for each in served] == [
        ("127.0.0.1", 8123),
        ("127.0.0.2", 0),
    ]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RuntimeError("no weights"), 1, "error: no weights"),
        (MemoryError(), 1, "error: MemoryError"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_a_failure_is_one_line_and_an_exit_status(
    empathy: Shell, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fail(settings: Any) -> Any:
        raise error

    monkeypatch.setattr(graph.resources, "load_perception", fail)
    # A closed pipe closes the error stream too, which must not be the one of the tests.
    own = io.StringIO()
    with monkeypatch.context() as patched:
        if isinstance(error, BrokenPipeError):
            patched.setattr(sys, "stderr", own)
        done = empathy("annotate", stdin=f'{{"text": "{SECRET}"}}'.encode())
    assert (done.code, done.out, done.err.strip()) == (code, "", said)


def test_a_setting_that_is_no_setting_is_named(
    empathy: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPATHY_PORT", "harbour")
    done = empathy("serve")
    assert done.code == 1
    assert "port" in done.err
    assert "Traceback" not in done.err
