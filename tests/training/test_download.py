import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.data import DataError
from training.public_data import download

Respond = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Respond], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server on this machine that answers every request alike; gives its URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(respond: Respond) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                respond(self)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/file"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answer(status: int, promised: int | None, body: bytes) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if promised is not None:
            handler.send_header("Content-Length", str(promised))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


BODY = bytes(range(256)) * 1000


@pytest.mark.parametrize("promised", [len(BODY), None])
def test_a_download_is_whole(tmp_path: Path, serve: Serve, promised: int | None) -> None:
    path = tmp_path / "file"
    download(serve(answer(200, promised, BODY)), path, progress=False)
    assert path.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (answer(404, 0, b""), "404"),
        (answer(200, len(BODY) + 1, BODY), "broke off after 256000 of 256001 bytes"),
    ],
)
def test_a_failed_download_leaves_nothing(
    tmp_path: Path, serve: Serve, respond: Respond, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        download(serve(respond), tmp_path / "file", progress=False)
    assert not list(tmp_path.iterdir())


def test_no_server_is_a_data_error(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    with pytest.raises(DataError, match="cannot be downloaded"):
        download(f"http://127.0.0.1:{port}/file", tmp_path / "file", progress=False)
