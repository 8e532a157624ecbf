"""Where indexes are kept, as tests look into it: a folder or a real Chroma server."""

import json
import os
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromadb
import httpx
from chromadb.api.models.Collection import Collection

from knowledge.index.chroma import close
from knowledge.store import IndexPlace

DAY_S = 24 * 3600.0


class Kept(ABC):
    """The indexes of one place, behind the back of the code under test."""

    place: IndexPlace

    @abstractmethod
    def collections(self) -> Any:
        """Open all collections, as a context manager."""

    @abstractmethod
    def grow_older(self, days: float) -> None:
        """Make it seem that all indexes were last opened so many days earlier."""

    def encoders(self) -> list[str]:
        """Return which collection is kept for which encoder, as "collection encoder"."""
        return sorted(f"{each['collection']} {each['encoder']}" for each in self.records())

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """Return what is written down beside the indexes that are complete."""


class Folder(Kept):
    def __init__(self, directory: Path) -> None:
        self.directory, self.place = directory, IndexPlace(directory)

    @contextmanager
    def collections(self) -> Iterator[list[Collection]]:
        clients = [open_folder(path) for path in self._paths()]
        try:
            yield [each for client in clients for each in client.list_collections()]
        finally:
            for client in clients:
                client.close()

    def grow_older(self, days: float) -> None:
        for path in self._paths():
            then = (path / "index.json").stat().st_mtime - days * DAY_S
            os.utime(path / "index.json", (then, then))

    def records(self) -> list[dict[str, Any]]:
        found = [json.loads(path.read_text()) for path in self._records()]
        return [each for each in found if each["complete"]]

    def _paths(self) -> list[Path]:
        return sorted(self.directory.glob("index-*"))

    def _records(self) -> list[Path]:
        return sorted(self.directory.glob("index-*/index.json"))


class Server(Kept):
    def __init__(self, url: str) -> None:
        self.url, self.place = url, IndexPlace(Path("unused"), url)

    @contextmanager
    def client(self) -> Iterator[Any]:
        client: Any = chromadb.HttpClient(self.url)
        try:
            yield client
        finally:
            close(client)

    @contextmanager
    def collections(self) -> Iterator[list[Collection]]:
        with self.client() as client:
            yield client.list_collections()

    def grow_older(self, days: float) -> None:
        with self.collections() as collections:
            for each in collections:
                about = dict(each.metadata)
                each.modify(metadata=about | {"opened": about["opened"] - days * DAY_S})

    def records(self) -> list[dict[str, Any]]:
        with self.collections() as collections:
            found = [dict(each.metadata or {}) for each in collections]
        return [each for each in found if each.get("complete")]

    def clear(self) -> None:
        with self.client() as client:
            for each in client.list_collections():
                client.delete_collection(each.name)


def open_folder(path: Path) -> Any:
    """Open the Chroma database in a folder."""
    settings = chromadb.config.Settings(
        anonymized_telemetry=False, is_persistent=True, persist_directory=str(path)
    )
    return chromadb.api.client.Client(settings=settings)


@contextmanager
def chroma_server(path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Chroma server until the block ends; yields its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    command = [str(program), "run", "--path", str(path), "--host", "127.0.0.1", "--port", str(port)]
    with (path.parent / "chroma.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process)
        yield url, process
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx.get(f"{url}/api/v2/heartbeat").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"the Chroma server did not start (exit status {process.poll()})")
