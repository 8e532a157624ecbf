"""The command `empathy`: what it prints, what it refuses, and how it exits."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import uvicorn

import cli
import graph.resources
from graph import doctor
from graph.doctor import Check
from tests.fakes import FakeStore, fake_perception, fake_resources, real_registry

DANGER = "I want to kill myself"
SECRET = "zanzibar"


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


@pytest.fixture
def empathy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run the command as the shell does, from its arguments to its exit status."""

    def run(*args: str, stdin: bytes = b"", terminal: bool = False) -> Done:
        monkeypatch.setattr(sys, "argv", ["empathy", *args])
        monkeypatch.setattr(sys, "stdin", Input(stdin, terminal))
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return Done(left.value.code, out, err)

    return run


Run = Callable[..., Done]


class Stocked(FakeStore):
    """A store that embeds by itself, as the command needs it."""

    def search_text(self, text: str, *, k: int) -> Any:
        return self.search([float(len(text))], k=k)

    def stats(self) -> dict[str, Any]:
        return {"cards": 2, "encoder_id": "fake"}


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
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


# --- Help and usage -----------------------------------------------------------------------------


def test_help_names_every_command(empathy: Run) -> None:
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
        (["knowledge", "search", "sleep", "--collection", "poems"], "there is: strategies"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_explained_and_loads_nothing(
    empathy: Run, loads: list[Any], args: list[str], says: str
) -> None:
    done = empathy(*args)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert loads == []


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize("command", ["annotate", "review", "replay"])
def test_a_missing_file_is_named(empathy: Run, command: str, tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    done = empathy(command, str(missing))
    assert done.code == 2
    # The error box may break the line anywhere.
    said = "".join(done.err.replace("│", "").split())
    assert "none.jsonl" in said
    assert "Nosuchfile" in said
    assert done.out == ""


# --- chat ---------------------------------------------------------------------------------------


def test_chat_once_prints_the_reply(empathy: Run, loads: list[Any]) -> None:
    done = empathy("chat", "--once", DANGER, "--country", "np")
    nepal = real_registry().country("NP")
    assert nepal and nepal.lines[0].call
    assert done.code == 0
    assert nepal.lines[0].call in done.out
    assert len(loads) == 1


@pytest.mark.usefixtures("loads")
def test_chat_prints_json_for_programs_and_nothing_else(empathy: Run) -> None:
    done = empathy("chat", "--once", DANGER, "--json")
    assert (done.code, done.err) == (0, "")
    [turn] = done.records
    assert turn["reply_source"] == "protocol"
    assert turn["crisis"]["level"] == "high"
    assert turn["reply"]
    assert DANGER not in done.out


@pytest.mark.usefixtures("loads")
def test_chat_reads_a_message_a_line_in_one_thread(empathy: Run) -> None:
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
    empathy: Run, loads: list[Any], nothing: bytes
) -> None:
    done = empathy("chat", stdin=nothing)
    assert done == (0, "", cli.USAGE)
    assert loads == []


@pytest.mark.usefixtures("loads")
def test_chat_in_a_terminal_introduces_itself_and_ends_with_the_input(
    empathy: Run, monkeypatch: pytest.MonkeyPatch
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


def test_chat_names_what_could_not_be_loaded(empathy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fake_resources(chat=None, problems=("chat model: no such file",))
    monkeypatch.setattr(graph.resources, "load_resources", lambda *_, **__: found)
    done = empathy("chat", "--once", "hello there")
    assert done.code == 0
    assert "warning: chat model: no such file" in done.err


# --- JSON lines ---------------------------------------------------------------------------------


def test_annotate_goes_on_after_a_bad_line_and_exits_1(
    empathy: Run, loads: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(f'{{"text": "{DANGER}", "id": 7}}\nbad\n{{"text": "hello"}}\n')
    done = empathy("annotate", str(file))
    first, bad, last = done.records
    assert done.code == 1
    assert (first["id"], first["crisis"]["level"]) == (7, "high")
    assert bad == {"error": "not JSON", "line": 2}
    assert last["text"] == "hello"
    assert len(loads) == 1

    fine = empathy("annotate", stdin=b'{"text": "hello"}\n')
    assert fine.code == 0
    assert fine.records == [last]


def test_review_reads_standard_input_and_needs_no_model(empathy: Run, loads: list[Any]) -> None:
    record = {"messages": [{"role": "user", "content": "I lost my job"}], "reply": "x"}
    drafts = [record | {"reply": reply} for reply in ("You have depression.", "That hurts a lot.")]
    done = empathy("review", stdin="\n".join(map(json.dumps, drafts)).encode())
    assert done.code == 0
    bad, good = done.records
    assert not bad["passed"] and bad["faults"][0].keys() == {"name", "why"}
    assert good["passed"] and good["faults"] == []
    [settings] = loads
    assert settings.chat_model == "none"


@pytest.mark.parametrize(("option", "model"), [("--no-generation", "none"), ("", None)])
def test_replay_plays_a_transcript(
    empathy: Run, loads: list[Any], option: str, model: str | None
) -> None:
    record = {"id": "a", "turns": [{"role": "user", "text": DANGER}]}
    args = [option] if option else []
    done = empathy("replay", *args, "--country", "NP", stdin=json.dumps(record).encode())
    assert done.code == 0
    [played] = done.records
    assert (played["id"], played["turn"], played["route"]) == ("a", 0, "escalate")
    [settings] = loads
    assert (settings.chat_model == "none") == (model == "none")
    bad = empathy("replay", *args, stdin=b"[]")
    assert (bad.code, bad.records) == (1, [{"error": "not a JSON object", "line": 1}])


# --- knowledge ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("loads")
def test_search_prints_for_people_and_for_programs(empathy: Run) -> None:
    [found] = empathy("knowledge", "search", "sleep", "--json").records
    assert [each["id"] for each in found] == ["five-senses", "short-walk"]
    done = empathy("knowledge", "search", "sleep", "--k", "1")
    assert done.code == 0
    assert "Five senses  (0.70)" in done.out
    assert "short-walk" not in done.out


@pytest.mark.usefixtures("loads")
def test_search_reads_json_lines(empathy: Run) -> None:
    done = empathy("knowledge", "search", "-", "--k", "1", stdin=b'{"text": "sleep"}\n{}\n')
    assert done.code == 1
    [found], bad = done.records
    assert found["id"] == "five-senses"
    assert bad["line"] == 2


def test_search_without_a_find_or_an_index(
    empathy: Run, loads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph.resources, "load_store", lambda *_, **__: Stocked(strategies=[]))
    assert "No strategy is close enough" in empathy("knowledge", "search", "sleep").out
    monkeypatch.setattr(graph.resources, "load_store", lambda *_, **__: None)
    done = empathy("knowledge", "search", "sleep")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: the index could not be opened; see `empathy doctor`\n"


@pytest.mark.usefixtures("loads")
def test_stats(empathy: Run) -> None:
    assert empathy("knowledge", "stats").out == "cards: 2\nencoder id: fake\n"
    assert empathy("knowledge", "stats", "--json").records == [{"cards": 2, "encoder_id": "fake"}]


def test_ingest_without_an_encoder_is_an_error(
    empathy: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fake_perception(encoder=None)
    monkeypatch.setattr(graph.resources, "load_perception", lambda settings: seen)
    done = empathy("knowledge", "ingest")
    assert done.code == 1
    assert "sentence encoder could not be loaded" in done.err


# --- doctor, serve and the way out --------------------------------------------------------------


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_doctor_exits_1_when_something_is_wrong(
    empathy: Run, monkeypatch: pytest.MonkeyPatch, ok: bool, code: int
) -> None:
    checks = [Check("python", True, "3.11"), Check("encoder", ok, "as said")]
    monkeypatch.setattr(doctor, "examine", lambda settings: checks)
    done = empathy("doctor", "--json")
    assert (done.code, done.records) == (code, [[check._asdict() for check in checks]])
    plain = empathy("doctor")
    assert (plain.code, plain.out) == (code, doctor.report(checks) + "\n")


def test_serve_listens_where_it_is_told(empathy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
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
        pytest.param(
            MemoryError(),
            1,
            "error: MemoryError",
            marks=pytest.mark.xfail(reason="main() names no exception that has no message"),
        ),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_a_failure_is_one_line_and_an_exit_status(
    empathy: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
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
    empathy: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPATHY_PORT", "harbour")
    done = empathy("serve")
    assert done.code == 1
    assert "port" in done.err
    assert "Traceback" not in done.err
