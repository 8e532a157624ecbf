"""Where conversations are kept between turns."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.memory import InMemorySaver


class NamedThreads(InMemorySaver):
    """Keeps a conversation in this process when the caller names its thread, else nothing.

    LangGraph's own savers refuse a call without `thread_id`; here it is a stateless call, so the
    same graph serves both. `delete_thread` removes a conversation.
    """

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the latest checkpoint of the thread, if the call names one."""
        return super().get_tuple(config) if _named(config) else None

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint, if the call names a thread."""
        if not _named(config):
            return config
        return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(self, config: RunnableConfig, *args: Any, **kwargs: Any) -> None:
        """Keep a node's writes, if the call names a thread."""
        if _named(config):
            super().put_writes(config, *args, **kwargs)


def _named(config: RunnableConfig) -> bool:
    return bool(config.get("configurable", {}).get("thread_id"))
