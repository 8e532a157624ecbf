"""The service: what it loads and when, its health, schemas and pages."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import app as service
from graph.build import build_graph
from graph.resources import Resources
from graph.runnable import GraphRunnable
from tests.fakes import FakeChat, fake_resources, fake_settings
from tests.serving import FIELDS, REPLY, TIRED, client, resources

# LangServe reads it on instances for every request; upstream is frozen.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Accessing the 'model_fields' attribute on the instance"
)


def test_import_makes_no_app() -> None:
    assert not [name for name, each in vars(service).items() if isinstance(each, FastAPI)]


def test_models_load_at_start_in_a_worker_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[tuple[Any, threading.Thread]] = []
    loops: list[threading.Thread] = []
    build = build_graph

    def load(settings: Any) -> Resources:
        loads.append((settings, threading.current_thread()))
        return resources(REPLY)

    def note(found: Resources) -> Any:
        loops.append(threading.current_thread())
        return build(found)

    monkeypatch.setattr(service, "load_resources", load)
    monkeypatch.setattr(service, "build_graph", note)
    settings = fake_settings()
    app = service.create_app(settings)
    assert not loads
    assert TestClient(app).get("/ready").status_code == 503
    with TestClient(app) as each:
        assert each.post("/support/invoke", json={"input": {"message": TIRED}}).status_code == 200
    [(used, loader)] = loads
    assert used is settings
    assert loader is not loops[0]


def test_health_and_ready() -> None:
    with client(resources()) as each:
        assert each.get("/health").json() == {"status": "ok"}
        ready = each.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "problems": []})
    with client(resources(problems=("strategies: gone",))) as each:
        ready = each.get("/ready")
        assert (ready.status_code, ready.json()["problems"]) == (200, ["strategies: gone"])
    found = resources(crisis_reader=None, problems=("crisis head: gone",))
    with client(found) as each:
        ready = each.get("/ready")
        assert (ready.status_code, ready.json()["problems"]) == (503, ["crisis head: gone"])
        # Not ready, yet whoever writes all the same is answered safely.
        output = each.post("/support/invoke", json={"input": {"message": TIRED}}).json()["output"]
        assert output["reply_source"] == "protocol"


def test_schemas_docs_and_playground() -> None:
    with client(resources()) as each:
        paths = each.get("/openapi.json").json()["paths"]
        assert {"/support/invoke", "/support/stream", "/health", "/ready"} <= paths.keys()
        config = each.get("/support/config_schema").json()["$defs"]["Configurable"]["properties"]
        assert config.keys() == {"thread_id", "country", "prompting"}
        assert each.get("/support/output_schema").json()["properties"].keys() == FIELDS
        asked = each.get("/support/input_schema").json()
        # The playground is a blank page where a field may be null.
        assert '"null"' not in json.dumps(asked)
        assert asked["properties"].keys() == {"messages", "message", "country"}
        assert each.get("/docs").status_code == 200
        assert "Playground" in each.get("/support/playground/").text


def test_limits_follow_the_settings() -> None:
    # LangServe keeps models by name; a service with other limits must not change these.
    service.create_app(resources=resources())
    small = fake_resources(chat=FakeChat(REPLY), settings=fake_settings(max_message_chars=100))
    with client(small) as each:
        fits = each.post("/support/invoke", json={"input": {"message": "a " * 250}})
        over = each.post("/support/invoke", json={"input": {"message": "a " * 251}})
    assert (fits.status_code, over.status_code) == (200, 422)


def test_sync_invoke_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="ainvoke"):
        GraphRunnable(fake_settings()).invoke({"message": TIRED})
