"""The service's streams: reviewed sentences as they come, and nothing from inside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import uvicorn
from httpx import HTTPStatusError
from langchain_core.messages import AIMessage, HumanMessage
from langserve import RemoteRunnable

import app as service
from graph.resources import Resources
from tests.fakes import FakeChat, Hang, fake_resources
from tests.serving import (
    FIELDS,
    REPLY,
    SECRET,
    SENTENCES,
    TIRED,
    adapter,
    client,
    data,
    events,
    resources,
    thread,
)

# LangServe reads it on instances for every request; upstream is frozen.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Accessing the 'model_fields' attribute on the instance"
)


def test_stream_releases_sentences_and_then_the_result() -> None:
    with client(resources(REPLY)) as each:
        response = each.post("/support/stream", json={"input": {"message": TIRED}})
    *sentences, result = data(response)
    assert sentences == [{"type": "sentence", "text": text} for text in SENTENCES]
    assert result.pop("type") == "result"
    assert result.keys() == FIELDS
    assert result["reply"] == REPLY
    assert events(response)[-1][0] == "end"


async def test_a_sentence_leaves_while_the_model_still_writes() -> None:
    chat = FakeChat(Hang(f"{SENTENCES[0]} And "))
    stream = adapter(fake_resources(chat=chat)).astream({"message": TIRED})
    assert await asyncio.wait_for(anext(stream), 3) == {"type": "sentence", "text": SENTENCES[0]}
    chat.released.set()
    assert [event async for event in stream][-1]["type"] == "result"


async def test_a_caller_who_leaves_frees_the_thread() -> None:
    chat = FakeChat(Hang(f"{SENTENCES[0]} And "), REPLY)
    runnable = adapter(fake_resources(chat=chat))
    stream = runnable.astream({"message": TIRED}, thread("t"))
    await anext(stream)
    await cast(Any, stream).aclose()
    again = await asyncio.wait_for(runnable.ainvoke({"message": TIRED}, thread("t")), 3)
    chat.released.set()
    assert again["reply"] == REPLY


@pytest.mark.filterwarnings("ignore:astream_log is deprecated")
@pytest.mark.parametrize("route", ["stream", "stream_events", "stream_log"])
def test_streams_show_no_unreviewed_word_and_nothing_inside(route: str) -> None:
    draft = f"{SENTENCES[0]} You have clinical depression, {SECRET}. I am here."
    chat = FakeChat(draft, draft)
    with client(fake_resources(chat=chat)) as each:
        response = each.post(f"/support/{route}", json={"input": {"message": TIRED}})
    assert chat.calls, "the draft was never written"
    assert response.status_code == 200
    assert SENTENCES[0] in response.text
    for inside in (SECRET, "clinical depression", "recognize_emotion", '"safety"', '"faults"'):
        assert inside not in response.text


def test_stream_events_are_those_of_the_service_only() -> None:
    with client(resources(REPLY)) as each:
        response = each.post("/support/stream_events", json={"input": {"message": TIRED}})
    found = data(response)
    assert {event["name"] for event in found} == {"/support"}
    assert len({event["run_id"] for event in found}) == 1
    kinds = [event["event"] for event in found]
    assert kinds == ["on_chain_start", *["on_chain_stream"] * 3, "on_chain_end"]


@contextmanager
def served(found: Resources) -> Iterator[str]:
    """Serve with uvicorn in a thread; yields the address."""
    config = uvicorn.Config(service.create_app(resources=found), port=0, log_level="warning")
    server = uvicorn.Server(config)
    running = threading.Thread(target=server.run)
    running.start()
    try:
        while not server.started and running.is_alive():
            running.join(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/support"
    finally:
        server.should_exit = True
        running.join(10)
    assert not running.is_alive()


def test_remote_runnable_invokes_and_streams() -> None:
    second = "With so much on you, one thing at a time is enough. What would you put down first?"
    with served(resources(REPLY, second, REPLY)) as url:
        remote: RemoteRunnable[Any, Any] = RemoteRunnable(url)
        first = remote.invoke({"messages": [("user", TIRED)]}, thread("remote"))
        *sentences, result = remote.stream({"message": "There is so much"}, thread("remote"))
        [alone] = remote.batch([{"messages": [HumanMessage(TIRED)]}])
    assert first["messages"] == [HumanMessage(TIRED), AIMessage(REPLY)]
    assert " ".join(each["text"] for each in sentences) == result["reply"] == second
    assert len(sentences) == 2
    assert len(result["messages"]) == 4
    assert alone["messages"] == first["messages"]


def test_a_remote_caller_reads_why_a_call_was_refused() -> None:
    with served(resources()) as url:
        remote: RemoteRunnable[Any, Any] = RemoteRunnable(url)
        with pytest.raises(HTTPStatusError, match="no message of the person") as error:
            remote.invoke({"messages": [("assistant", SECRET)]})
    assert error.value.response.status_code == 422
