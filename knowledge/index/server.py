"""Indexes on a Chroma server: a collection is filled under a name of its own, then marked complete.

The name holds a fingerprint of content and encoder, so that servers of two versions can share a
Chroma server, and a reader never sees a collection change under it.
"""

from __future__ import annotations

import logging
import math
import re
import time
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from knowledge.index.chroma import VectorIndex, close, configuration, fill, is_sound, sessions
from knowledge.index.passages import Passages

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

logger = logging.getLogger(__name__)

_KEEP_UNUSED_S: Final = 7 * 24 * 3600.0
_PORTS: Final = {"http": 8000, "https": 443}
_NAME_AND_PASSWORD: Final = re.compile(r"^(\w+://)?.*@", re.S)
_TIMEOUT_S: Final = 60.0
"""For one answer; a thousand passages are written at a time."""


class ServerError(RuntimeError):
    """The Chroma server cannot be used; says which, and what to check."""


def open_on_server(url: str, source: Passages, *, progress: bool = False) -> VectorIndex:
    """Open the index of `source` on the Chroma server at `url`, or fill it when it is not whole.

    Two processes that fill at once write the same, so neither waits for the other.

    Raises:
        ServerError: the server cannot be reached, or refuses.
    """
    client = connect(url)
    try:
        collection = _open(client, source, progress=progress)
        _prune(client, source.collection, keep=collection.name)
    except Exception as exc:
        close(client)
        # The client raises errors of Chroma's, httpx' and its own; the remedy is the same.
        raise ServerError(f"the Chroma server {_shown(url)} failed: {type(exc).__name__}") from exc
    return VectorIndex(client, collection, len(source.texts), None)


def remove_from_server(url: str, collection: str) -> None:
    """Remove all that this program filled for a collection.

    Raises:
        ServerError: the server cannot be reached, or refuses.
    """
    client = connect(url)
    try:
        # Whenever it was opened: the clock of another machine may be ahead.
        _prune(client, collection, keep="", unused_s=-math.inf)
    except Exception as exc:
        # As above: one error for those of three libraries.
        raise ServerError(f"the Chroma server {_shown(url)} failed: {type(exc).__name__}") from exc
    finally:
        close(client)


def connect(url: str) -> ClientAPI:
    """Connect to the Chroma server at `url`, such as http://localhost:8000.

    Raises:
        ServerError: the address is not one, or nothing answers there.
    """
    import chromadb
    import httpx
    from chromadb.config import Settings

    try:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("not http:// or https:// and a host")
        address, headers = _address(parts), _headers(parts)
        # Chroma's client waits for an answer for ever; this says first that there is one.
        heartbeat = f"{address}/api/v2/heartbeat"
        httpx.get(heartbeat, headers=headers, timeout=_TIMEOUT_S).raise_for_status()
        client = chromadb.HttpClient(
            host=address,
            ssl=parts.scheme == "https",
            headers=headers,
            settings=Settings(anonymized_telemetry=False),
        )
    except Exception as exc:
        # What answers may be anything, and a message about a bad address may quote a password.
        raise ServerError(
            f"no Chroma server at {_shown(url)} ({type(exc).__name__}); check EMPATHY_CHROMA_URL, "
            "and that it runs"
        ) from None
    for session in sessions(client):  # A person must not wait for a reply for ever.
        session.timeout = httpx.Timeout(_TIMEOUT_S)
    return client


def _address(parts: SplitResult) -> str:
    """Return the address without name and password, which go into a header."""
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def _headers(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _open(client: ClientAPI, source: Passages, *, progress: bool) -> Collection:
    name = f"{source.collection}-{source.fingerprint}"
    collection = _existing(client, name)
    if collection is not None and (collection.metadata or {}).get("complete"):
        if is_sound(collection, source):
            collection.modify(metadata=_note(source, complete=True))
            return collection
        logger.warning("the collection %s is damaged and is built again", name)
        client.delete_collection(name)
        collection = None
    if collection is None:
        collection = client.get_or_create_collection(
            name,
            embedding_function=None,
            configuration={"hnsw": configuration(len(source.texts))},
            metadata=_note(source, complete=False),
        )
    fill(collection, source, progress=progress)
    collection.modify(metadata=_note(source, complete=True))
    return collection


def _existing(client: ClientAPI, name: str) -> Collection | None:
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None


def _note(source: Passages, *, complete: bool) -> dict[str, Any]:
    """Return what is kept with a collection; `opened` says that it is in use, for `_prune`."""
    return source.record | {"complete": complete, "opened": time.time(), "by": "empathy-graph"}


def _prune(client: ClientAPI, name: str, *, keep: str, unused_s: float = _KEEP_UNUSED_S) -> None:
    """Remove what this program filled for a collection and nobody opened for so long."""
    from chromadb.errors import NotFoundError

    for each in client.list_collections():
        about = each.metadata or {}
        if about.get("by") != "empathy-graph" or about.get("collection") != name:
            continue
        if each.name != keep and time.time() - float(about["opened"]) > unused_s:
            with suppress(NotFoundError):  # Another process removed it.
                client.delete_collection(each.name)


def _shown(url: str) -> str:
    """Return the address without name, password and query; it may be no URL at all."""
    return _NAME_AND_PASSWORD.sub(r"\1", url).partition("?")[0]
