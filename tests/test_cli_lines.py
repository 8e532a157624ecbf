"""The commands that take JSON lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Shell, fake_loads

DANGER = "I want to kill myself"


@pytest.fixture
def empathy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings of each load; what is loaded are fakes."""
    return fake_loads(monkeypatch)


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize("command", ["annotate", "review", "replay"])
def test_a_missing_file_is_named(empathy: Shell, command: str, tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    done = empathy(command, str(missing))
    assert done.code == 2
    # The error box may break the line anywhere.
    said = "".join(done.err.replace("│", "").split())
    assert "none.jsonl" in said
    assert "Nosuchfile" in said
    assert done.out == ""


def test_annotate_goes_on_after_a_bad_line_and_exits_1(
    empathy: Shell, loads: list[Any], tmp_path: Path
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


def test_review_reads_standard_input_and_needs_no_model(empathy: Shell, loads: list[Any]) -> None:
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
    empathy: Shell, loads: list[Any], option: str, model: str | None
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
