"""The service: settings → resources → graph → routes. Start it with `empathy serve`.

It has no log-in. Whoever serves it beyond one machine puts a proxy with TLS, log-in and limits in
front of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from langserve import add_routes
from pydantic import BaseModel, Field, ValidationError, create_model

from graph.build import build_graph
from graph.resources import Resources, load_resources
from graph.runnable import FAILED, CallOptions, GraphRunnable
from graph.settings import Settings
from nodes.escalation.constant import CONSTANT_REPLY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_ENDPOINTS: Final = (
    "invoke",
    "batch",
    "stream",
    "stream_events",
    # The playground runs on it; as with stream_events, inner runs stay out of it.
    "stream_log",
    "input_schema",
    "output_schema",
    "config_schema",
    "playground",
)
_MOST_INPUTS: Final = 100


def create_app(settings: Settings | None = None, resources: Resources | None = None) -> FastAPI:
    """Return the service; models load when it starts, not before.

    Args:
        settings: read from the environment when left out, or those of `resources`.
        resources: models, stores and texts; loaded at start when left out.
    """
    settings = settings or (resources.settings if resources else Settings())
    adapter = GraphRunnable(settings)
    loaded = resources

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal loaded
        if loaded is None:
            loaded = await asyncio.to_thread(load_resources, settings)
        adapter.graph = build_graph(loaded)
        yield

    app = FastAPI(title="Empathy Graph", lifespan=lifespan)
    app.add_middleware(ErrorBoundary)
    app.add_exception_handler(RequestValidationError, _invalid)
    add_routes(
        app,
        adapter,
        path="/support",
        enabled_endpoints=_ENDPOINTS,
        dependencies=[Depends(_check_body(adapter.accepts))],
    )

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        """Say whether messages are read for danger, and list the parts that are missing."""
        problems = list(loaded.problems) if loaded else ["the models are not loaded"]
        # Without this reader every message is answered by the crisis protocol.
        reads = loaded is not None and loaded.perception.crisis_reader is not None
        content = {"status": "ready" if reads else "not ready", "problems": problems}
        return JSONResponse(content, status_code=200 if reads else 503)

    return app


class _CallConfig(BaseModel):
    configurable: CallOptions = CallOptions()


def _check_body(accepts: type[BaseModel]) -> Callable[[Request], Awaitable[None]]:
    """Return a check of the whole body, since LangServe answers some mistakes with a 500."""
    single: Any = create_model(
        "SupportCall", input=(accepts, ...), config=(_CallConfig, _CallConfig())
    )
    batch: Any = create_model(
        "SupportBatch",
        inputs=(list[accepts], Field(max_length=_MOST_INPUTS)),  # type: ignore[valid-type]
        config=(_CallConfig | list[_CallConfig], _CallConfig()),
    )

    async def check(request: Request) -> None:
        if request.method != "POST":
            return
        model = batch if request.url.path.endswith("/batch") else single
        try:
            model.model_validate(await request.json())
        except ValidationError as exc:
            errors = exc.errors(include_input=False, include_url=False)
        except (ValueError, RecursionError):
            errors = [{"loc": (), "msg": "the body is not JSON"}]  # type: ignore[typeddict-item]
        else:
            return
        raise RequestValidationError(
            [{**error, "loc": ("body", *error["loc"])} for error in errors]
        )

    return check


async def _invalid(request: Request, exc: Exception) -> JSONResponse:
    """Answer a bad request with where and why, never with what was sent."""
    assert isinstance(exc, RequestValidationError)
    detail = [
        {"loc": error["loc"], "msg": error["msg"]} if isinstance(error, dict) else {"msg": error}
        for error in exc.errors()
    ]
    return JSONResponse({"detail": detail}, status_code=422)


class ErrorBoundary:
    """Turns an unexpected exception into a 500 with a reason and a way to a human.

    The servers below would log its traceback, and exception messages can hold a person's words.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the rest of the service."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as exc:  # The edge of the service: nothing may pass it.
            if scope["type"] != "http":
                raise
            logger.error("a request failed: %s", type(exc).__name__)
            if not started:
                answer = JSONResponse({"detail": FAILED, "reply": CONSTANT_REPLY}, status_code=500)
                await answer(scope, receive, send)
