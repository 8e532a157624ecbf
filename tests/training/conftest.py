"""Fixtures of the tests that train."""

from collections.abc import Iterator

import pytest

from tests.models.tiny_encoder import tiny_encoder
from tests.training.counselling import counsel_chat
from tests.training.stopping import steps

__all__ = ["counsel_chat", "steps", "tiny_encoder"]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Train on one thread: two wait for each other longer than the tiny sums take."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
