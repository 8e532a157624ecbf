"""A training run that is stopped at a step, as when the machine goes off."""

from types import SimpleNamespace
from typing import Any

import pytest

from training import run


class Stopped(Exception):
    """The machine went off."""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Count the optimizer's steps; the one numbered `stop` raises. Every step is saved."""
    import torch

    real, seen = torch.optim.AdamW.step, SimpleNamespace(taken=0, stop=None)

    def step(self: Any, *args: Any, **options: Any) -> Any:
        if seen.taken == seen.stop:
            raise Stopped
        seen.taken += 1
        return real(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    return seen
