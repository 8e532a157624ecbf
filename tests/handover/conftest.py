"""Fixtures of the tests that send to a receiver."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from handover.webhook import Webhook
from tests.handover.receiver import SECRET, Receiver, receiving

Open = Callable[..., Webhook]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as each:
        yield each


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as each:
        yield each


@pytest.fixture
def open_webhook(outbox: Path, client: httpx.Client) -> Iterator[Open]:
    """Opens webhooks on `outbox` with short pauses and closes them after the test."""
    with ExitStack() as stack:

        def open_(url: str, secret: str = SECRET, **options) -> Webhook:
            quick = {"client": client, "first_pause": 0.01, "longest_pause": 0.04, "poll": 0.02}
            webhook = Webhook(url, secret, outbox, **(quick | options))
            stack.callback(webhook.close, 5)
            return webhook

        yield open_
