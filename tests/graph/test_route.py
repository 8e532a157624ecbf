"""The crisis router: one test a branch, and no other way to the language model."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.state import CrisisLevel, State
from models.labels import CRISIS_LEVELS
from nodes.crisis import route_crisis


def route(state: dict[str, Any]) -> str:
    return route_crisis(cast(State, state))


@pytest.mark.parametrize(
    ("level", "node"),
    [
        ("none", "retrieve_strategies"),
        *((level, "escalate") for level in (*CRISIS_LEVELS[1:], "unknown")),
    ],
)
def test_route_of_each_level(level: CrisisLevel, node: str) -> None:
    assert route({"crisis": {"level": level, "score": 0.0, "signals": []}}) == node


@pytest.mark.parametrize("crisis", [None, {}, {"score": 0.0}, {"level": None}, {"level": ""}])
def test_no_level_escalates(crisis: Any) -> None:
    assert route({"crisis": crisis}) == "escalate"
    assert route({}) == "escalate"


@given(st.text() | st.integers() | st.none() | st.booleans() | st.floats())
def test_only_an_explicit_none_reaches_the_model(level: Any) -> None:
    node = route({"crisis": {"level": level, "score": 0.0, "signals": []}})

    assert (node == "retrieve_strategies") == (level == "none")
