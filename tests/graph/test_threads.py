"""Where conversations are kept: only where a thread is named, and until it is deleted."""

from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from graph.threads import NamedThreads

METADATA: Any = {"source": "loop", "step": 1, "parents": {}}


def named(thread: str | None, **more: Any) -> Any:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", **more}}


def test_a_named_thread_is_kept_and_deleted() -> None:
    threads = NamedThreads()

    config = threads.put(named("one"), empty_checkpoint(), METADATA, {})
    threads.put_writes(config, [("channel", "value")], "task")

    found = threads.get_tuple(named("one"))
    assert found is not None
    assert found.pending_writes == [("task", "channel", "value")]
    assert threads.get_tuple(named("two")) is None
    threads.delete_thread("one")
    assert threads.get_tuple(named("one")) is None


@pytest.mark.parametrize("config", [named(None), named(""), {"configurable": {}}, {}])
def test_without_a_name_nothing_is_kept(config: Any) -> None:
    threads = NamedThreads()

    assert threads.put(config, empty_checkpoint(), METADATA, {}) == config
    threads.put_writes(config, [("channel", "value")], "task")

    assert threads.get_tuple(config) is None
    assert not threads.storage
    assert not threads.writes
    assert not threads.blobs


async def test_the_asynchronous_methods_are_the_same() -> None:
    threads = NamedThreads()

    await threads.aput(named("one"), empty_checkpoint(), METADATA, {})
    await threads.aput({"configurable": {}}, empty_checkpoint(), METADATA, {})

    assert await threads.aget_tuple(named("one")) is not None
    assert await threads.aget_tuple({"configurable": {}}) is None
    assert list(threads.storage) == ["one"]
