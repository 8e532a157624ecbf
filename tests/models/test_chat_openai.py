"""Chat servers: a small real HTTP server on the loopback interface, well-behaved or not."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from graph.settings import Settings
from models.chat import ChatError, ChatModel, load_chat
from models.chat_openai import host_of

SECRET = "I have not slept since the funeral"


class Handler(BaseHTTPRequestHandler):
    server: "ChatServer"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._send(200, json.dumps({"object": "list", "data": self.server.models}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        self.server.keys.append(self.headers.get("Authorization", ""))
        manner = self.server.manner
        if isinstance(manner, int):
            self._send(manner, json.dumps({"error": {"message": f"echo: {SECRET}"}}).encode())
        elif manner == "html":
            self._send(200, b"<html>hello</html>", "text/html")
        elif manner == "hang":
            self.server.release.wait(20)
        else:
            self._stream(manner, body)

    def _stream(self, manner: str, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if manner == "garbage":
            self.wfile.write(b"data: {not json\n\n")
        elif manner == "cut":
            self._word("one ")
            return
        elif manner == "endless":
            try:
                while not self.server.release.is_set():
                    self._word("word ")
                    time.sleep(0.01)
            except OSError:
                self.server.client_left.set()
            return
        elif manner == "words":
            for word in ("one ", "two ", "three")[: body.get("max_tokens", 99)]:
                self._word(word)
        self.wfile.write(b"data: [DONE]\n\n")

    def _word(self, word: str) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", "content": word}}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        self.wfile.write(f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode())
        self.wfile.flush()

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # The client waits half a second before it asks again, unless told otherwise.
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class ChatServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.manner: str | int = "words"
        self.models: list[dict[str, Any]] = [{"id": "served/model", "object": "model"}]
        self.asked: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.release = threading.Event()
        self.client_left = threading.Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


def load(server: ChatServer, **values: Any) -> ChatModel:
    url = f"http://{server.host}/v1"
    model = load_chat(Settings(_env_file=None, **{"chat_url": url, "chat_model": "m"} | values))
    assert model is not None
    return model


def ask(model: ChatModel, *, timeout: float = 10, limit: int = 50) -> Iterator[str]:
    messages = [SystemMessage("Listen."), HumanMessage(SECRET)]
    return model.stream(messages, max_new_tokens=limit, temperature=0.4, timeout=timeout)


def test_a_reply_comes_in_pieces_and_the_request_is_plain(server: ChatServer) -> None:
    model = load(server)
    assert (model.name, model.engine, model.device) == ("m", "openai", "server")
    assert list(ask(model, limit=2)) == ["one ", "two "]
    (body,) = server.bodies
    assert body["messages"] == [
        {"role": "system", "content": "Listen."},
        {"role": "user", "content": SECRET},
    ]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 2, 0.4)
    # llama.cpp's server ignores this one, and others refuse both at once.
    assert "max_completion_tokens" not in body
    assert server.asked == []


def test_the_key_is_sent_and_kept_out_of_sight(server: ChatServer) -> None:
    model = load(server, chat_api_key="s3cret-key")
    list(ask(model))
    list(ask(load(server)))
    assert server.keys == ["Bearer s3cret-key", "Bearer none"]
    assert "s3cret-key" not in repr(model)


@pytest.mark.parametrize("name", ["auto", "embedded"])
def test_without_a_name_the_first_model_served_answers(server: ChatServer, name: str) -> None:
    model = load(server, chat_model=name, chat_engine="openai")
    assert model.name == f"the first model of {server.host}"
    assert server.asked == []
    for _ in range(2):
        assert "".join(ask(model)) == "one two three"
    assert server.asked == ["/v1/models"]
    assert [body["model"] for body in server.bodies] == ["served/model"] * 2


def test_a_server_without_models(server: ChatServer) -> None:
    server.models = []
    with pytest.raises(ChatError, match=f"{server.host} lists no models"):
        list(ask(load(server, chat_model="auto")))


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        (500, "status 500"),
        (400, "status 400"),
        (401, "EMPATHY_CHAT_API_KEY"),
        (403, "EMPATHY_CHAT_API_KEY"),
        (404, "EMPATHY_CHAT_MODEL"),
        (429, "status 429"),
        ("garbage", "JSONDecodeError"),
        ("html", "failed|empty"),
        ("empty", "failed|empty"),
    ],
)
def test_a_server_that_misbehaves(server: ChatServer, manner: str | int, says: str) -> None:
    server.manner = manner
    with pytest.raises(ChatError, match=says) as caught:
        list(ask(load(server)))
    assert SECRET not in str(caught.value)
    if isinstance(manner, int):
        assert server.host in str(caught.value)


def test_a_server_that_breaks_off_ends_the_reply(server: ChatServer) -> None:
    server.manner = "cut"
    assert list(ask(load(server))) == ["one "]


def test_a_server_that_hangs_is_given_up_and_not_asked_again(server: ChatServer) -> None:
    server.manner = "hang"
    # Loading imports the client, which may take longer than the limit.
    model = load(server, generation_timeout=0.4)
    start = time.monotonic()
    with pytest.raises(ChatError, match="longer than"):
        list(ask(model, timeout=0.2))
    assert time.monotonic() - start < 10
    # The client's own time limit passes now; it would repeat the request after half a second.
    time.sleep(1.2)
    assert len(server.bodies) == 1


def test_a_reader_that_leaves_closes_the_connection(server: ChatServer) -> None:
    server.manner = "endless"
    pieces = ask(load(server), timeout=60)
    assert next(pieces) == "word "
    pieces.close()  # type: ignore[attr-defined]
    assert server.client_left.wait(5)


@pytest.mark.parametrize("name", ["m", "auto"])
def test_an_unreachable_server_is_named_at_the_first_call(name: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        url = f"http://user:password@127.0.0.1:{port}/v1"
        model = load_chat(Settings(_env_file=None, chat_url=url, chat_model=name))
        assert model is not None
        with pytest.raises(ChatError, match=f"127.0.0.1:{port} cannot be reached") as caught:
            list(ask(model))
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://host/v1", "http://", "http://host:port/v1"]
)
def test_a_malformed_url_is_refused_at_load(url: str) -> None:
    with pytest.raises(ChatError, match="EMPATHY_CHAT_URL"):
        load_chat(Settings(_env_file=None, chat_url=url, chat_engine="openai"))


def test_the_host_is_named_without_user_and_password() -> None:
    assert host_of("https://user:pass@example.org:8443/v1?key=x") == "example.org:8443"


def test_tokens_are_estimated_from_bytes(server: ChatServer) -> None:
    count = load(server).count_tokens
    assert count("") == 0
    assert count("12345678") == 2
    assert count("मन दुख्छ") > count("my heart")
