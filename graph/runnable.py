"""The graph as one Runnable that LangServe can serve.

LangServe never passes a `thread_id` on to a bare graph and answers odd input with a 500; here both
are read and checked first, and only reviewed sentences and public fields leave.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias, cast
from weakref import WeakValueDictionary

from langchain_core.callbacks import AsyncCallbackManagerForChainRun
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.runnables import ConfigurableFieldSpec, Runnable, RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    create_model,
    model_validator,
)

from graph.settings import Prompting, Settings
from graph.state import (
    CrisisReading,
    EmotionReading,
    InputState,
    IntentChoice,
    ReplySource,
    Strategy,
)
from nodes.escalation.constant import CONSTANT_REPLY

if TYPE_CHECKING:
    from graph.build import Graph

logger = logging.getLogger(__name__)

FAILED: Final = "The turn failed inside the service; its log names the kind of error."

_READ_TIMES: Final = 5
"""A message of up to five times the longest one read is unreadable, not refused."""

_ROLES: Final = {"user": "human", "assistant": "ai", "developer": "system"}
_KINDS: Final = {"human": HumanMessage, "ai": AIMessage, "system": SystemMessage}


def _without_surrogates(value: Any) -> Any:
    # Half an emoji, cut by a client, is no reason to refuse a person; JSON cannot carry it back.
    return value.encode(errors="ignore").decode() if isinstance(value, str) else value


def _type_of_role(value: Any) -> Any:
    return _ROLES.get(value, value) if isinstance(value, str) else value


_Events: TypeAlias = AsyncGenerator[dict[str, Any], None]
_Parts: TypeAlias = AsyncGenerator[tuple[str, Any], None]
Text: TypeAlias = Annotated[str, BeforeValidator(_without_surrogates)]
Country: TypeAlias = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern="^([A-Za-z]{2})?$"),
    Field(description="ISO 3166-1 alpha-2 code of where the person is; empty when not known."),
]


class ChatMessage(BaseModel):
    """A message in LangChain's form (`type`) or OpenAI's (`role`: user, assistant, system)."""

    type: Annotated[
        Literal["human", "ai", "system"],
        BeforeValidator(_type_of_role),
        Field(validation_alias=AliasChoices("type", "role")),
    ]
    content: Text

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) == 2:
            return {"type": value[0], "content": value[1]}
        return value


class SupportInput(BaseModel):
    """What a caller sends: one new message, or messages, oldest first.

    With a `thread_id` only the new message is sent; without one nothing is kept, and the caller
    sends the conversation each time. System messages are kept, but steer nothing.
    """

    max_chars: ClassVar[int]

    messages: list[ChatMessage] = Field(default=[], max_length=200)
    message: Text = Field(default="", description="A single new message of the person.")
    country: Country = ""

    @model_validator(mode="after")
    def _has_something_to_answer(self) -> Self:
        texts = [*(message.content for message in self.messages), self.message]
        if any(len(text) > self.max_chars for text in texts):
            raise ValueError(f"a message is longer than {self.max_chars} characters")
        human = [message.content for message in self.messages if message.type == "human"]
        if not any(text.strip() for text in [*human, self.message]):
            raise ValueError("no message of the person (type human or role user) has any text")
        return self

    def conversation(self) -> list[AnyMessage]:
        """Return the messages as LangChain's."""
        messages: list[AnyMessage] = [_KINDS[each.type](each.content) for each in self.messages]
        return [*messages, HumanMessage(self.message)] if self.message.strip() else messages


class CallOptions(BaseModel):
    """What `config.configurable` of a call may hold."""

    thread_id: str = Field(
        default="",
        max_length=200,
        description=(
            "Names the conversation to go on with; empty: nothing is kept. Whoever knows it can "
            "read the conversation, so use one that cannot be guessed, such as a UUID."
        ),
    )
    country: Country = ""
    prompting: Literal[""] | Prompting = Field(
        default="", description="Prompting strategy of this call; empty: that of the service."
    )


class SupportOutput(BaseModel):
    """What a caller gets back."""

    reply: str
    messages: list[ChatMessage]
    emotion: EmotionReading
    intent: IntentChoice
    crisis: CrisisReading
    strategies: list[Strategy]
    reply_source: ReplySource
    thread_id: str = Field(description="The conversation that was gone on with; may be empty.")


class GraphRunnable(Runnable[Any, dict[str, Any]]):
    """The graph as LangServe can serve it: public fields only, and reviewed sentences only."""

    def __init__(self, settings: Settings) -> None:
        """Prepare for a graph that is set once it is built."""
        self.name = "EmpathyGraph"
        self.graph: Graph | None = None
        self.accepts = create_model(
            "SupportInput", __base__=SupportInput, __doc__=SupportInput.__doc__
        )
        self.accepts.max_chars = settings.max_message_chars * _READ_TIMES
        # Two turns of one thread at once would lose a message; a lock lives while it is in use.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """Return the model of the input."""
        return self.accepts

    def get_output_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """Return the model of the output."""
        return SupportOutput

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """Return the configurable keys; LangServe drops every other."""
        return [
            ConfigurableFieldSpec(
                id=name,
                annotation=field.annotation,
                default=field.default,
                description=field.description,
                is_shared=True,
            )
            for name, field in CallOptions.model_fields.items()
        ]

    def invoke(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Refuse: the locks of threads belong to the event loop of the service."""
        raise NotImplementedError("use ainvoke, or the graph itself")

    async def ainvoke(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Answer one turn."""
        return await self._acall_with_config(self._answer, input, config)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield each sentence once it has passed review, then the result.

        An error is an event too: an exception here would cut the connection.
        """

        async def inputs() -> AsyncIterator[Any]:
            yield input

        events = self._atransform_stream_with_config(inputs(), self._stream, config)
        async with aclosing(cast(_Events, events)) as each:
            async for event in each:
                yield event

    async def _answer(
        self, value: Any, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> dict[str, Any]:
        # The result is the last event.
        *_, result = [event async for event in self._events(value, config)]
        return {name: result[name] for name in SupportOutput.model_fields}

    async def _stream(
        self,
        inputs: AsyncIterator[Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> AsyncIterator[dict[str, Any]]:
        try:
            async for value in inputs:
                async with aclosing(self._events(value, config)) as events:
                    async for event in events:
                        yield event
        except Exception as exc:  # Whatever failed, the stream ends with a reason.
            logger.error("a streamed turn failed: %s", type(exc).__name__)
            # Whoever waits for this may be in danger, so it still shows a way to a human.
            yield {"type": "error", "reason": FAILED, "reply": CONSTANT_REPLY}

    async def _events(self, value: Any, config: RunnableConfig) -> _Events:
        if self.graph is None:
            raise RuntimeError("the service has not started")
        asked = self.accepts.model_validate(value)
        options = CallOptions.model_validate(config.get("configurable", {}))
        sent: InputState = {"messages": asked.conversation()}
        if asked.country:
            sent["country"] = asked.country
        # Callbacks of the caller, which reach inner runs through this variable, would show
        # unreviewed tokens and the inside of the state to `astream_events`.
        var_child_runnable_config.set(None)
        chosen = {name: value for name, value in options.model_dump().items() if value}
        lock = asyncio.Lock()
        if options.thread_id:
            lock = self._locks.setdefault(options.thread_id, lock)
        run = self.graph.astream(sent, {"configurable": chosen}, stream_mode=["custom", "values"])
        state: Mapping[str, Any] = {}
        async with lock, aclosing(cast(_Parts, run)) as parts:
            async for mode, part in parts:
                if mode == "values":
                    # An interrupt is a value too; it holds no state.
                    state = {**state, **part}
                elif part.get("type") == "sentence":
                    yield {"type": "sentence", "text": part["text"]}
        yield {"type": "result", **_public(state, options.thread_id)}


def _public(state: Mapping[str, Any], thread_id: str) -> dict[str, Any]:
    messages = [ChatMessage(type=each.type, content=str(each.text)) for each in state["messages"]]
    fields = {name: state[name] for name in SupportOutput.model_fields if name in state}
    # A conversation that a counsellor has taken over waits for them: there is no reply yet.
    reply = "" if messages[-1].type == "human" else messages[-1].content
    output = SupportOutput(
        **{**fields, "messages": messages, "thread_id": thread_id, "reply": reply}
    )
    return output.model_dump()
