"""LangGraph's own server, as `langgraph dev` starts it from `langgraph.json`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

ROOT = Path(__file__).parent.parent
START_SECONDS = 240
KEYS = ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY", "LANGGRAPH_CLOUD_LICENSE_KEY")

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(START_SECONDS + 120)]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to start the server in, since it keeps its threads where it is started."""
    made = tmp_path_factory.mktemp("studio")
    for name in ("langgraph.json", "graph", "handover", "nodes", "models", "knowledge"):
        (made / name).symlink_to(ROOT / name)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[SyncLangGraphClient]:
    """A running server without any key; its process group ends with the test."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in KEYS and not name.startswith("EMPATHY_")
    } | {
        "EMPATHY_CHAT_MODEL": "none",
        "EMPATHY_TAKEOVER": "imminent",
        "EMPATHY_DATA_DIR": str(folder / "data"),
        "EMPATHY_CACHE_DIR": str(folder / "cache"),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    command = [str(Path(sys.executable).parent / "langgraph"), "dev", "--no-browser"]
    options = ["--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_up(process, url, folder / "log")
            with get_sync_client(url=url) as client:
                yield client
        finally:
            stop(process)


def wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/ok", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    pytest.fail(f"langgraph dev did not start:\n{log.read_text()[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    for each in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, each)
        except ProcessLookupError:
            break
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            continue


def run(
    server: SyncLangGraphClient, thread_id: str | None, text: str, **options: str
) -> dict[str, Any]:
    state = cast(Any, server.runs).wait(
        thread_id,
        "empathy",
        input={"messages": [{"role": "user", "content": text}]},
        config={"configurable": dict(options)},
    )
    assert isinstance(state, dict), state
    assert "__error__" not in state, state
    return state


def test_stateless_run_is_answered(server: SyncLangGraphClient) -> None:
    state = run(server, None, "My manager shouted at me and I feel so embarrassed.")
    person, reply = state["messages"]
    assert (person["type"], reply["type"]) == ("human", "ai")
    assert reply["content"].strip()
    assert state["crisis"]["level"] == "none"
    assert state["reply_source"] == "composed"
    assert state["emotion"]["label"] != "unknown"
    assert state["strategies"]


def test_a_thread_is_remembered_and_the_country_arrives(server: SyncLangGraphClient) -> None:
    thread_id = server.threads.create()["thread_id"]
    first = run(server, thread_id, "I had a long week and I feel worn out.")
    second = run(server, thread_id, "I want to kill myself.", country="NP")
    assert len(first["messages"]) == 2
    assert len(second["messages"]) == 4
    assert second["crisis"]["level"] in {"high", "imminent"}
    assert second["reply_source"] == "protocol"
    assert "1166" in second["messages"][-1]["content"]
    kept = cast(dict[str, Any], server.threads.get_state(thread_id)["values"])
    assert [each["type"] for each in kept["messages"]] == ["human", "ai", "human", "ai"]
    assert kept["safety"]["escalations"] == 1


def resume(server: SyncLangGraphClient, thread_id: str, answer: dict[str, Any]) -> dict[str, Any]:
    state = cast(Any, server.runs).wait(thread_id, "empathy", command={"resume": answer})
    assert isinstance(state, dict) and "__error__" not in state, state
    return state


def test_a_counsellor_takes_a_thread_over_and_gives_it_back(server: SyncLangGraphClient) -> None:
    thread_id = server.threads.create()["thread_id"]

    first = run(server, thread_id, "I am on the bridge and I am going to jump now.", country="NP")
    assert "102" in first["messages"][-1]["content"]
    [waiting] = server.threads.get_state(thread_id)["tasks"]
    [asks] = waiting["interrupts"]
    assert asks["value"]["level"] == "imminent"
    assert "bridge" not in str(asks)

    taken = resume(server, thread_id, {"reply": "This is Ana. Please step back. I'm with you."})
    assert taken["messages"][-1]["name"] == "counsellor"
    assert taken["messages"][-1]["content"].startswith("This is Ana.")

    asked = run(server, thread_id, "who are you?", country="NP")
    assert asked["messages"][-1]["type"] == "human"

    last = resume(server, thread_id, {"reply": "I'm a nurse on call.", "give_back": True})
    assert last["messages"][-1]["content"] == "I'm a nurse on call."
    again = run(server, thread_id, "ok, i stepped back", country="NP")
    assert again["messages"][-1]["type"] == "ai"
    assert again["reply_source"] == "protocol"


def test_studio_sees_the_nodes(server: SyncLangGraphClient) -> None:
    [assistant] = server.assistants.search(graph_id="empathy")
    drawn = server.assistants.get_graph(assistant["assistant_id"])
    names = {node["id"] for node in drawn["nodes"]}
    assert {"recognize_emotion", "check_crisis", "escalate", "review_reply"} <= names


def test_the_log_holds_nothing_that_a_person_wrote(
    server: SyncLangGraphClient, folder: Path
) -> None:
    run(server, None, "My neighbour Zanzibarra makes me so angry.")
    log = (folder / "log").read_text()
    assert "Background run succeeded" in log
    assert "zanzibarra" not in log.lower()
