"""The wiring of one turn, in the order in which a message travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph

from graph.state import InputState, OutputState, State
from nodes.crisis import CheckCrisis, route_crisis
from nodes.emotion import RecognizeEmotion
from nodes.escalation.node import Escalate
from nodes.escalation.takeover import AwaitCounsellor, route_taken_over
from nodes.generate import GenerateReply
from nodes.intent import SelectIntent
from nodes.retrieve import RetrieveStrategies
from nodes.review.node import ReviewReply, route_review

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    from graph.resources import Resources

    Graph = CompiledStateGraph[State, None, InputState, OutputState]


def wire(resources: Resources) -> StateGraph[State, None, InputState, OutputState]:
    """Return the uncompiled graph, for servers that bring their own checkpointer."""
    r, seen, settings = resources, resources.perception, resources.settings
    graph = StateGraph(State, input_schema=InputState, output_schema=OutputState)

    graph.add_node("recognize_emotion", RecognizeEmotion(seen.reader, seen.emotion_head))
    graph.add_node("select_intent", SelectIntent(seen.reader, seen.intent_head))
    graph.add_node("check_crisis", CheckCrisis(seen.crisis_reader, r.protocol_texts))
    graph.add_node(
        "escalate",
        Escalate(
            r.protocol_texts,
            r.registry,
            r.protocol_answers,
            emit=r.dispatcher.emit if r.dispatcher else None,
            with_text=settings.escalation_text,
        ),
    )
    graph.add_node(
        "retrieve_strategies",
        RetrieveStrategies(
            r.retrieval.encoder.model if r.retrieval else None, r.store, r.contraindications
        ),
    )
    graph.add_node(
        "generate_reply",
        GenerateReply(
            r.chat,
            r.reviewer,
            r.composer,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            timeout=settings.generation_timeout,
            history_tokens=settings.history_tokens,
            prompting=settings.prompting,
        ),
    )
    graph.add_node("review_reply", ReviewReply(r.reviewer, r.composer))

    if settings.takeover == "off":
        graph.add_edge(START, "recognize_emotion")
        graph.add_edge("escalate", END)
    else:
        counsellor = AwaitCounsellor(settings.takeover)
        graph.add_node("await_counsellor", counsellor)
        graph.add_conditional_edges(START, route_taken_over)
        graph.add_conditional_edges("escalate", counsellor.route)
        graph.add_edge("await_counsellor", END)
    graph.add_edge("recognize_emotion", "select_intent")
    graph.add_edge("select_intent", "check_crisis")
    graph.add_conditional_edges("check_crisis", route_crisis)
    graph.add_edge("retrieve_strategies", "generate_reply")
    graph.add_edge("generate_reply", "review_reply")
    graph.add_conditional_edges("review_reply", route_review)
    return graph


def build_graph(
    resources: Resources, *, checkpointer: BaseCheckpointSaver[Any] | None = None
) -> Graph:
    """Compile the graph of one turn.

    Args:
        resources: models, stores and texts, from `graph.resources.load_resources`.
        checkpointer: keeps conversations by `thread_id`; the default is the one of `resources`,
            which keeps them in this process, and keeps nothing for calls without a `thread_id`.
    """
    graph = wire(resources).compile(checkpointer=checkpointer or resources.threads)
    # LangGraph wants some configurable key beside a checkpointer, also for a stateless call.
    return graph.with_config(configurable={"prompting": resources.settings.prompting})
