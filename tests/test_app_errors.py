"""What the service refuses and how it fails: a reason each time, and never a person's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import app as service
from graph.resources import Resources
from graph.runnable import FAILED
from nodes.escalation.constant import CONSTANT_REPLY
from tests.fakes import fake_resources
from tests.serving import SECRET, TIRED, Response, client, data, events, resources

# LangServe reads it on instances for every request; upstream is frozen.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Accessing the 'model_fields' attribute on the instance"
)


TOO_LONG = SECRET * 20_000
BAD_INPUTS: list[Any] = [
    {},
    5,
    SECRET,
    None,
    {"message": ""},
    {"message": " \n"},
    {"message": {"text": SECRET}},
    {"message": TOO_LONG},
    {"messages": []},
    {"messages": SECRET},
    {"messages": [SECRET]},
    {"messages": [None]},
    {"messages": [{"content": SECRET}]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": SECRET, "content": SECRET}]},
    {"messages": [{"role": [SECRET], "content": SECRET}]},
    {"messages": [{"role": "assistant", "content": SECRET}]},
    {"messages": [{"type": "human", "content": [{"type": "image", "url": SECRET}]}]},
    {"messages": [{"type": "human", "content": TOO_LONG}]},
    {"messages": [{"type": "human", "content": SECRET}] * 201},
    {"message": SECRET, "country": SECRET},
    {"message": SECRET, "country": "1A"},
]
BAD_CONFIGS: list[Any] = [
    None,
    5,
    SECRET,
    {"configurable": None},
    {"configurable": {"thread_id": None}},
    {"configurable": {"thread_id": 5}},
    {"configurable": {"thread_id": SECRET * 100}},
    {"configurable": {"country": SECRET}},
    {"configurable": {"prompting": SECRET}},
]


class Broken:
    """A part that fails in its own words, which hold a person's."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"cannot read: {SECRET}")


def broken() -> Resources:
    return fake_resources(chat=None, composer=Broken())


def assert_refused(response: Response) -> None:
    assert response.status_code == 422, response.text[:300]
    detail = response.json()["detail"]
    assert detail and all(each["msg"] for each in detail)
    assert SECRET not in response.text


@pytest.fixture(scope="module")
def strict() -> Iterator[TestClient]:
    """A client of a service whose chat model allows no call."""
    with client(resources()) as each:
        yield each


@pytest.mark.parametrize("route", ["invoke", "stream", "stream_events"])
def test_bad_calls_are_refused_with_a_reason_and_no_echo(strict: TestClient, route: str) -> None:
    for asked in BAD_INPUTS:
        assert_refused(strict.post(f"/support/{route}", json={"input": asked}))
    for config in BAD_CONFIGS:
        call = {"input": {"message": SECRET}, "config": config}
        assert_refused(strict.post(f"/support/{route}", json=call))
    for body in (b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000, b'{"inputs": []}'):
        assert_refused(strict.post(f"/support/{route}", content=body))


def test_bad_batches_are_refused_too(strict: TestClient) -> None:
    good = {"message": SECRET}
    for asked in BAD_INPUTS:
        assert_refused(strict.post("/support/batch", json={"inputs": [good, asked]}))
    for config in BAD_CONFIGS:
        call = {"inputs": [good], "config": config}
        assert_refused(strict.post("/support/batch", json=call))
        call = {"inputs": [good, good], "config": [{}, config]}
        assert_refused(strict.post("/support/batch", json=call))
    for inputs in (None, 5, SECRET, good, [good] * 101):
        assert_refused(strict.post("/support/batch", json={"inputs": inputs}))
    uneven = strict.post("/support/batch", json={"inputs": [good], "config": [{}, {}]})
    assert uneven.status_code == 422


@pytest.mark.parametrize("route", ["invoke", "batch"])
def test_an_unexpected_failure_has_a_reason_and_a_way_to_a_human(
    route: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {"message": f"My {SECRET} is tired"}
    with client(broken()) as each:
        response = each.post(f"/support/{route}", json={"input": asked, "inputs": [asked]})
        assert each.get("/health").status_code == 200
    assert response.status_code == 500
    assert response.json() == {"detail": FAILED, "reply": CONSTANT_REPLY}
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("route", ["stream", "stream_events"])
def test_a_failure_while_streaming_is_an_event_and_an_orderly_end(
    route: str, caplog: pytest.LogCaptureFixture
) -> None:
    with client(broken()) as each:
        response = each.post(f"/support/{route}", json={"input": {"message": TIRED}})
    error = {"type": "error", "reason": FAILED, "reply": CONSTANT_REPLY}
    if route == "stream":
        assert data(response) == [error]
    else:
        assert data(response)[1]["data"] == {"chunk": error}
    assert events(response)[-1][0] == "end"
    assert SECRET not in response.text + caplog.text


def test_a_fault_of_the_server_itself_is_not_logged_with_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app: FastAPI = service.create_app(resources=resources())

    @app.get("/fault")
    async def fault() -> None:
        raise ValueError(SECRET)

    with TestClient(app) as each:
        response = each.get("/fault")
    assert response.status_code == 500
    assert response.json()["detail"] == FAILED
    assert SECRET not in response.text + caplog.text
