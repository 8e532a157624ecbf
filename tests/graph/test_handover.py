"""People are told of escalations; a counsellor can take a conversation over and give it back."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.types import Command

from graph.session import Session
from handover.event import EscalationEvent
from nodes.escalation.takeover import COUNSELLOR
from tests.fakes import fake_graph, fake_settings

DANGER = "I want to kill myself"
HARMLESS = "my cat ran away"


class Told:
    """A dispatcher that remembers what it was told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[EscalationEvent] = []
        self.error = error

    def emit(self, event: EscalationEvent) -> None:
        if self.error:
            raise self.error
        self.events.append(event)


def config(thread: str = "t1", **values: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, **values}}


# --- Events -------------------------------------------------------------------------------------


def test_each_turn_of_the_protocol_is_an_event_without_the_persons_words() -> None:
    told = Told()
    graph = fake_graph(dispatcher=told, chat=None)

    for text in (HARMLESS, DANGER, "yes, every night"):
        graph.invoke({"messages": [("user", text)]}, config(country="NP"))

    first, second = told.events
    assert (first.thread, first.turn, second.turn) == ("t1", 1, 2)
    assert first.level == "high"
    assert first.country == "NP"
    assert first.signals
    assert any(each.startswith("ask-") for each in first.offered)
    assert not set(first.offered) & set(second.offered)
    assert first.id != second.id
    assert first.text is None
    assert "kill" not in first.model_dump_json()


def test_the_text_is_in_the_event_only_where_the_operator_opted_in() -> None:
    told = Told()
    graph = fake_graph(dispatcher=told, settings=fake_settings(escalation_text=True))

    graph.invoke({"messages": [("user", DANGER)]}, {"configurable": {"country": ""}})

    [event] = told.events
    assert event.text == DANGER
    assert event.thread == ""


def test_a_sink_that_fails_does_not_take_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    graph = fake_graph(dispatcher=Told(OSError(DANGER)))

    state = graph.invoke({"messages": [("user", DANGER)]}, config())

    assert state["reply_source"] == "protocol"
    assert "OSError" in caplog.text
    assert DANGER not in caplog.text


# --- Takeover -----------------------------------------------------------------------------------


def taking(level: str = "high") -> Any:
    return fake_graph(settings=fake_settings(takeover=level), chat=None)


def say(graph: Any, text: str, thread: str = "t1") -> dict[str, Any]:
    return dict(graph.invoke({"messages": [("user", text)]}, config(thread)))


def test_the_protocol_answers_before_the_thread_waits_for_a_counsellor() -> None:
    graph = taking()

    state = say(graph, DANGER)

    assert state["reply_source"] == "protocol"
    [waiting] = state["__interrupt__"]
    assert waiting.value["level"] == "high"
    assert waiting.value["asks"] == "a counsellor"
    assert "kill" not in str(waiting.value)


def test_the_protocol_goes_on_while_no_counsellor_has_come() -> None:
    graph = taking()
    say(graph, DANGER)

    state = say(graph, "yes, every night")

    assert state["reply_source"] == "protocol"
    assert isinstance(state["messages"][-1], AIMessage)
    assert len(state["messages"]) == 4


def test_a_counsellor_takes_over_and_gives_the_thread_back() -> None:
    graph = taking()
    say(graph, DANGER)

    taken = graph.invoke(Command(resume={"reply": "Hello, I'm Ana. I'm here."}), config())
    assert taken["messages"][-1].content == "Hello, I'm Ana. I'm here."
    assert taken["messages"][-1].name == COUNSELLOR
    assert taken["reply_source"] == "counsellor"

    waiting = say(graph, "are you a person?")
    assert waiting["__interrupt__"][0].value["taken_over"] is True
    assert waiting["messages"][-1].content == "are you a person?"

    last = graph.invoke(Command(resume={"reply": "Yes.", "give_back": True}), config())
    assert last["messages"][-1].content == "Yes."

    back = say(graph, "thank you")
    assert back["reply_source"] == "protocol"


def test_giving_back_at_once_says_nothing() -> None:
    graph = taking()
    before = say(graph, DANGER)

    after = graph.invoke(Command(resume={"give_back": True}), config())

    assert len(after["messages"]) == len(before["messages"])
    assert after["reply_source"] == "protocol"


@pytest.mark.parametrize(
    ("level", "text"), [("imminent", DANGER), ("high", HARMLESS)], ids=["milder", "harmless"]
)
def test_below_the_level_nobody_is_called(level: str, text: str) -> None:
    assert "__interrupt__" not in say(taking(level), text)


def test_a_conversation_that_is_kept_nowhere_is_not_taken_over() -> None:
    state = taking().invoke({"messages": [("user", DANGER)]}, {"configurable": {"country": ""}})

    assert "__interrupt__" not in state
    assert state["reply_source"] == "protocol"


def test_a_session_has_no_reply_while_it_waits_for_the_counsellor() -> None:
    graph = taking()
    session = Session(graph, thread_id="t1")

    assert session.ask(DANGER).reply
    graph.invoke(Command(resume={"reply": "I'm here."}), config())

    assert session.ask("are you there?").reply == ""


def test_without_the_setting_the_graph_has_no_such_node() -> None:
    assert "await_counsellor" not in fake_graph().get_graph().nodes
    assert "await_counsellor" in taking().get_graph().nodes
