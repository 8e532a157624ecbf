"""Fixtures of every test: nothing of this machine leaks in, and no surprise call goes unseen."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A slow example is the machine's fault; tests of speed measure it themselves.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("EMPATHY_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_surplus_chat_call() -> Iterator[None]:
    """Fail a test in which a `FakeChat` was called more often than it has replies."""
    yield
    # Tests that need no fakes should not pay for importing them.
    fakes = sys.modules.get("tests.fakes")
    if fakes is not None:
        surplus = fakes.FakeChat.surplus.copy()
        fakes.FakeChat.surplus.clear()
        assert not surplus, surplus
