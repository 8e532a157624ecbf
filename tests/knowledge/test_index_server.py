"""Indexes on a Chroma server: what only a server can do to them (the rest is in test_store.py)."""

import base64
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from knowledge.cards import Card
from knowledge.index import server as index_server
from knowledge.index.chroma import IndexFailure, sessions
from knowledge.index.server import ServerError, connect
from knowledge.store import IndexPlace
from tests.knowledge.fakes import QUERY, HashedWords, Open, ids, open_cards, search
from tests.knowledge.places import Server, chroma_server


@pytest.fixture
def kept(chroma_url: str) -> Server:
    server = Server(chroma_url)
    server.clear()
    return server


@pytest.fixture
def place(kept: Server) -> IndexPlace:
    return kept.place


class _Refusing(BaseHTTPRequestHandler):
    """Answers as a proxy does that wants a password, and keeps what it was sent."""

    seen: list[str]
    status = 401

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization", ""))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"<html>not Chroma</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[401, 404, 200])
def stranger(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that is not Chroma, and the credentials that it is sent."""
    seen: list[str] = []
    handler = type("Handler", (_Refusing,), {"status": request.param, "seen": seen})
    with HTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, args=[0.02], daemon=True).start()
        yield f"127.0.0.1:{web.server_port}", seen
        web.shutdown()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_that_is_not_there(cards: list[Card], embeddings: HashedWords) -> None:
    port = _free_port()
    url = f"http://someone:s3cret@127.0.0.1:{port}"
    with pytest.raises(ServerError) as caught:
        open_cards(IndexPlace(Path("unused"), url), cards, embeddings)
    assert f"http://127.0.0.1:{port} (ConnectError); check EMPATHY_CHROMA_URL" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    # A wrong address costs nothing but a moment.
    assert embeddings.documents == 0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("localhost:8000", "localhost:8000"),
        ("chroma", "chroma"),
        ("ftp://127.0.0.1", "ftp://127.0.0.1"),
        ("http://", "http://"),
        ("http://[::1", "http://[::1"),
        ("http://127.0.0.1:port", "http://127.0.0.1:port"),
        ("someone:s3cret@127.0.0.1:1", "127.0.0.1:1"),
        ("http://someone:s3c/ret@127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://someone:s3c://r@et@127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.0.0.1:1/?token=s3cret", "http://127.0.0.1:1/"),
    ],
)
def test_an_address_that_is_none(url: str, shown: str) -> None:
    with pytest.raises(ServerError) as caught:
        connect(url)
    assert f" {shown} (" in str(caught.value)
    assert "s3c" not in str(caught.value)
    # A message about a bad port, for one, quotes what stands in its place.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_server_of_something_else(stranger: tuple[str, list[str]]) -> None:
    address, seen = stranger
    with pytest.raises(ServerError, match=f"no Chroma server at http://{address}/proxied "):
        connect(f"http://some%40one:s3cret@{address}/proxied")
    # The password goes where it belongs.
    assert set(seen) == {"Basic " + base64.b64encode(b"some@one:s3cret").decode()}


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_server, "_TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ServerError, match="ReadTimeout"):
            connect(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_no_answer_is_waited_for_for_ever(chroma_url: str) -> None:
    connected = sessions(connect(chroma_url))
    assert connected
    for each in connected:
        assert each.timeout == httpx.Timeout(index_server._TIMEOUT_S)
        each.close()


def test_a_server_that_goes_while_it_is_used(
    tmp_path: Path, cards: list[Card], embeddings: HashedWords
) -> None:
    with chroma_server(tmp_path / "data") as (url, process):
        place = IndexPlace(Path("unused"), url)
        with open_cards(place, cards, embeddings) as store:
            assert ids(search(store, QUERY))[0] == "wind-down"
            process.kill()
            process.wait()
            with pytest.raises(IndexFailure, match=r"^the index failed: \w+Error$"):
                search(store, QUERY)
        with pytest.raises(ServerError):
            open_cards(place, cards, embeddings)


def test_a_server_that_goes_while_it_is_changed(
    place: IndexPlace, cards: list[Card], chroma_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise httpx.ReadError("s3cret")

    monkeypatch.setattr(index_server, "is_sound", gone)
    monkeypatch.setattr(index_server, "fill", gone)
    monkeypatch.setattr(index_server, "_prune", gone)
    for use in (lambda: open_cards(place, cards, HashedWords()), lambda: place.remove("notes")):
        with pytest.raises(ServerError) as caught:
            use()
        assert str(caught.value) == f"the Chroma server {chroma_url} failed: ReadError"


def test_two_fills_at_once(kept: Server, cards: list[Card]) -> None:
    both = threading.Barrier(2, timeout=30)

    class Together(HashedWords):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            both.wait()
            return super().embed_documents(texts)

    def open_and_search(_: int) -> list[str]:
        with open_cards(kept.place, cards, Together()) as store:
            return ids(search(store, QUERY))

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(open_and_search, range(2))
    assert one == two
    assert one[0] == "wind-down"
    assert kept.encoders() == ["strategies fake"]
    with kept.collections() as (collection,):
        assert collection.count() == 12


def test_what_was_left_unfinished_is_filled(
    kept: Server, open_store: Open, cards: list[Card], embeddings: HashedWords
) -> None:
    open_store(cards).close()
    with kept.collections() as (collection,):
        collection.modify(metadata=dict(collection.metadata) | {"complete": False})
        collection.delete(ids=["wind-down#1"])
    store = open_store(cards)
    assert embeddings.documents == 24
    assert ids(search(store, QUERY))[0] == "wind-down"
    assert kept.encoders() == ["strategies fake"]


def test_collections_of_others_are_left_alone(
    kept: Server, open_store: Open, cards: list[Card]
) -> None:
    with kept.client() as client:
        client.create_collection("theirs", metadata={"opened": "yesterday"})
        client.create_collection("strategies", metadata={"collection": "strategies", "opened": 0})
        client.create_collection("bare", embedding_function=None)
    open_store(cards)
    with kept.collections() as collections:
        names = {each.name for each in collections}
    assert names > {"theirs", "strategies", "bare"}
    assert len(names) == 4


def test_another_process_may_remove_the_same_collection(
    kept: Server, open_store: Open, cards: list[Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(cards, "old").close()
    kept.grow_older(8)
    with kept.client() as client:
        listed = client.list_collections()
    kept.clear()
    monkeypatch.setattr("chromadb.api.client.Client.list_collections", lambda *_, **__: listed)
    store = open_store(cards)
    assert ids(search(store, QUERY))[0] == "wind-down"
