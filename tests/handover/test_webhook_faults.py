"""A short run of the fault benchmark, through its command."""

import json
import sys

import pytest

from benchmarks import webhook_faults


def test_nothing_is_lost_while_the_receiver_is_killed(monkeypatch, capsys):
    arguments = ["--events", "60", "--threads", "6", "--json"]
    monkeypatch.setattr(sys, "argv", ["webhook_faults", *arguments])
    with pytest.raises(SystemExit) as ended:
        webhook_faults._main()
    assert ended.value.code == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["sent"] == figures["received"] == 60
    assert figures["lost"] == figures["out of order within a thread"] == 0
    assert figures["restarts"] >= 1


def test_a_loss_fails_the_command(monkeypatch, capsys):
    figures = {"sent": 60, "lost": 1, "out of order within a thread": 0}
    monkeypatch.setattr(webhook_faults, "run", lambda *_: figures)
    monkeypatch.setattr(sys, "argv", ["webhook_faults"])
    with pytest.raises(SystemExit) as ended:
        webhook_faults._main()
    assert ended.value.code == 1
    assert "lost" in capsys.readouterr().out


def test_disorder_would_be_counted():
    assert webhook_faults._out_of_order([("a", 1), ("b", 1), ("a", 2), ("b", 2)]) == 0
    assert webhook_faults._out_of_order([("a", 2), ("b", 1), ("a", 1), ("a", 3)]) == 1
