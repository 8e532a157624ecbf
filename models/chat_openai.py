"""Chat models behind an OpenAI-compatible server: vLLM, TGI, SGLang, llama.cpp, Ollama."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr

from graph.settings import Settings
from models.chat import EMBEDDED, ChatError, ChatModel, given_up

_NO_KEY: Final = SecretStr("none")
_FIRST_SERVED: Final = {"auto", EMBEDDED}
_BYTES_PER_TOKEN: Final = 4


class ServerChat(ChatOpenAI):
    """ChatOpenAI that other servers than OpenAI's understand, with errors that say what to do."""

    _first: str = PrivateAttr(default="")

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        # llama.cpp's server ignores the new name of the limit; every server knows the old one.
        if "max_completion_tokens" in payload:
            payload["max_tokens"] = payload.pop("max_completion_tokens")
        if self.model_name in _FIRST_SERVED:
            payload["model"] = self._first_served()
        return payload

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        try:
            yield from super()._stream(*args, **kwargs)
        except openai.OpenAIError as exc:
            raise ChatError(self._explain(exc)) from None

    def _first_served(self) -> str:
        if not self._first:
            served = getattr(self.root_client.models.list(), "data", None)
            if not served:
                raise ChatError(
                    f"the chat server at {self._host} lists no models; check EMPATHY_CHAT_URL, "
                    "or name a model with EMPATHY_CHAT_MODEL"
                )
            self._first = str(served[0].id)
        return self._first

    @property
    def _host(self) -> str:
        return host_of(self.openai_api_base or "")

    def _explain(self, exc: openai.OpenAIError) -> str:
        server = f"the chat server at {self._host}"
        if isinstance(exc, openai.APITimeoutError):
            return f"{server} took too long; raise EMPATHY_GENERATION_TIMEOUT or check the server"
        if isinstance(exc, openai.APIConnectionError):
            return f"{server} cannot be reached; start it, or check EMPATHY_CHAT_URL"
        if isinstance(exc, (openai.AuthenticationError, openai.PermissionDeniedError)):
            return f"{server} refused the key; check EMPATHY_CHAT_API_KEY"
        if isinstance(exc, openai.NotFoundError):
            return (
                f"{server} knows no such model or address; check EMPATHY_CHAT_MODEL and "
                "EMPATHY_CHAT_URL (it often ends in /v1)"
            )
        if isinstance(exc, openai.APIStatusError):
            return f"{server} answered with status {exc.status_code}; see the server's log"
        return f"{server} sent an answer that cannot be read ({type(exc).__name__}); see its log"


def load_openai(weights: str, settings: Settings) -> ChatModel:
    """Return the chat model behind `settings.chat_url`; the server is first asked at a call.

    Raises:
        ChatError: the URL is missing or malformed.
    """
    host = host_of(settings.chat_url)
    if not host:
        raise ChatError(
            "EMPATHY_CHAT_URL must be the address of a chat server, such as "
            "http://localhost:8000/v1"
        )
    model = ServerChat(
        model=weights,
        base_url=settings.chat_url,
        # Servers of one's own mostly want no key, and the client insists on one.
        api_key=settings.chat_api_key if settings.chat_api_key.get_secret_value() else _NO_KEY,
        timeout=settings.generation_timeout,
        max_retries=1,
        stream_usage=False,
        use_responses_api=False,
        http_client=openai.DefaultHttpxClient(event_hooks={"request": [_stop_if_given_up]}),
    )
    return ChatModel(
        name=f"the first model of {host}" if weights in _FIRST_SERVED else weights,
        engine="openai",
        device="server",
        model=model,
        # Bytes, not letters: scripts other than Latin take more tokens a letter, and more bytes.
        count_tokens=lambda text: math.ceil(len(text.encode("utf-8")) / _BYTES_PER_TOKEN),
    )


def host_of(url: str) -> str:
    """Return the host and port of a web address, without user and password; "" if malformed."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"{parts.hostname}{port}"


def _stop_if_given_up(_: object) -> None:
    # Without it the client repeats a request that timed out, though nobody waits any longer.
    if given_up().is_set():
        raise openai.OpenAIError("given up")
