"""How reviewed words leave the graph while a turn is still running.

The only thing a node may write to the stream is a sentence that has passed review or a reviewed
text. Clients read it with `stream_mode="custom"`.
"""

from __future__ import annotations

from collections.abc import Iterable

from langgraph.config import get_stream_writer


def release(sentences: Iterable[str]) -> None:
    """Send reviewed sentences to whoever listens to this run; outside a run, do nothing."""
    try:
        write = get_stream_writer()
    except RuntimeError:
        # A node called on its own, as in a test, has no stream.
        return
    for sentence in sentences:
        write({"type": "sentence", "text": sentence})
