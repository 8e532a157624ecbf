"""Weights of the hub: a stand-in hub on the loopback interface, and the real client."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from models.chat import ChatError
from models.chat_hub import cached_folder, complete, fetch_file, fetch_folder

COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers each request as the repository's name asks."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        codes = {"gated": (403, "GatedRepo"), "missing": (401, "RepoNotFound"), "down": (500, "")}
        for name, (status, code) in codes.items():
            if f"owner/{name}" in self.path:
                self._answer(status, {"X-Error-Code": code} if code else {})
                return
        self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", url)
        yield
        server.shutdown()
        thread.join()
        huggingface_hub.close_session()


def cached_model(cache: Path, repo: str, files: dict[str, str]) -> Path:
    """Lay out a snapshot as the hub's client does."""
    root = cache / f"models--{repo.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    for name, text in files.items():
        (snapshot / name).write_text(text, encoding="utf-8")
    return snapshot


SHARDS = json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})


@pytest.mark.parametrize(
    ("files", "whole"),
    [
        ({"config.json": "{}", "model.safetensors": ""}, True),
        ({"model.safetensors": ""}, False),
        ({"config.json": "{}"}, False),
        (
            {
                "config.json": "{}",
                "model.safetensors.index.json": SHARDS,
                "one.safetensors": "",
                "two.safetensors": "",
            },
            True,
        ),
        (
            {"config.json": "{}", "model.safetensors.index.json": SHARDS, "one.safetensors": ""},
            False,
        ),
        ({"config.json": "{}", "model.safetensors.index.json": "{"}, False),
    ],
)
def test_only_a_whole_model_counts(cache: Path, files: dict[str, str], whole: bool) -> None:
    folder = cached_model(cache, "owner/model", files)
    assert complete(folder) is whole
    assert cached_folder("owner/model") == (folder if whole else None)


def test_a_cached_model_needs_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    files = {"config.json": "{}", "model.safetensors": ""}
    folder = cached_model(cache, "owner/model", files)
    assert fetch_folder("owner/model") == folder
    file = cached_model(cache, "owner/gguf", {"q4.gguf": ""}) / "q4.gguf"
    assert fetch_file("owner/gguf:q4.gguf") == file


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("owner/gated", r"https://huggingface\.co/owner/gated, then run `hf auth login`"),
        ("owner/missing", "there is no model owner/missing"),
        # Not for a file: the client tries again for 20 seconds.
        ("owner/down", "EMPATHY_CHAT_MODEL=embedded"),
        ("owner/gated:q4.gguf", r"https://huggingface\.co/owner/gated, then run"),
        ("owner/missing:q4.gguf", "there is no model owner/missing"),
    ],
)
def test_the_hub_says_no(name: str, says: str) -> None:
    with pytest.raises(ChatError, match=says):
        fetch_file(name) if ":" in name else fetch_folder(name)


@pytest.mark.usefixtures("hub")
def test_a_file_that_the_repository_lacks() -> None:
    with pytest.raises(ChatError, match=r"no such file; see https://huggingface\.co/owner/other"):
        fetch_file("owner/other:q4.gguf")


def test_the_hub_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for fetch in (lambda: fetch_folder("owner/model"), lambda: fetch_file("owner/model:q4.gguf")):
        with pytest.raises(ChatError, match="out of reach"):
            fetch()


@pytest.mark.parametrize("name", ["./no/such/folder", "a/b/c", "-"])
def test_a_name_that_is_no_repository(name: str) -> None:
    with pytest.raises(ChatError, match="neither a folder here nor"):
        fetch_folder(name)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ChatError, match="not a whole model"):
        fetch_folder(str(tmp_path))


def test_progress_bars_are_as_before() -> None:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    before = are_progress_bars_disabled()
    with pytest.raises(ChatError):
        fetch_folder("a/b/c")
    assert are_progress_bars_disabled() == before
