"""Types that travel through the graph. No logic, and no import of the project's other parts.

State holds plain data only (strings, numbers, lists, dicts, messages), so that any LangGraph
checkpointer can store it and any client can read it.
"""

from typing import Annotated, Literal, NotRequired, Required

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

Emotion = str
"""One of `models.labels.EMOTIONS`, or "unknown"."""

Intent = Literal[
    "questioning",
    "acknowledging",
    "consoling",
    "agreeing",
    "encouraging",
    "sympathizing",
    "suggesting",
    "wishing",
    "neutral",
]
"""What a listener does with a reply (EmpatheticIntents, Welivita and Pu 2020)."""

CrisisLevel = Literal["none", "concern", "high", "imminent", "unknown"]
"""Danger after the C-SSRS screener; "unknown" is a message that could not be read."""

ReplySource = Literal["model", "composed", "protocol", "counsellor"]
"""Who wrote the reply: the language model, reviewed parts, the crisis protocol, or a person."""


class EmotionReading(TypedDict):
    """What the person seems to feel."""

    label: Emotion
    """The most probable emotion; "unknown" when nothing could be read."""
    scores: dict[str, float]
    """The five most probable emotions with their probabilities, highest first."""


class IntentChoice(TypedDict):
    """What a good listener would do next."""

    label: Intent
    scores: dict[str, float]
    """Probability of each of the nine intents, before the policy."""
    reason: str
    """Why this intent, in a few words: the head's choice, or the rule that overruled it."""


class CrisisReading(TypedDict):
    """How much danger the conversation shows."""

    level: CrisisLevel
    score: float
    """Probability of any danger, 0 to 1."""
    signals: list[str]
    """What was noticed, in plain words, such as "wish to be dead"; never the person's text."""


class SafetyRecord(TypedDict):
    """What the thread knows about danger so far; it outlives the window of messages."""

    level: CrisisLevel
    """The highest level seen in this thread."""
    escalations: int
    """How many turns the protocol has answered."""
    settled: int
    """How many of the person's messages a clear denial, after a direct question, has settled."""
    used: list[str]
    """Ids of the protocol texts already said, so that none is said twice."""


class Strategy(TypedDict):
    """One coping strategy found for this turn."""

    id: str
    title: str
    text: str
    """What can be offered to the person, in words made for a chat."""
    source: str
    score: float
    """Similarity after re-ranking; higher is closer."""


class Fault(TypedDict):
    """Why a draft may not be sent."""

    name: str
    why: str
    """An explanation without the draft's words."""


class InputState(TypedDict, total=False):
    """What a caller sends: the new message or messages, and optionally a country."""

    messages: Required[Annotated[list[AnyMessage], add_messages]]
    country: str
    """ISO 3166-1 alpha-2 code of where the person is; never guessed."""


class OutputState(TypedDict):
    """What a caller gets back."""

    messages: Annotated[list[AnyMessage], add_messages]
    emotion: EmotionReading
    intent: IntentChoice
    crisis: CrisisReading
    strategies: NotRequired[list[Strategy]]
    reply_source: ReplySource


class State(InputState, total=False):
    """Everything a turn knows. Each field names the node that writes it."""

    emotion: EmotionReading
    """recognize_emotion"""
    intent: IntentChoice
    """select_intent"""
    intents: list[Intent]
    """select_intent: the intents of earlier turns, oldest first, bounded."""
    crisis: CrisisReading
    """check_crisis"""
    safety: SafetyRecord
    """check_crisis raises its level; escalate records what was said."""
    strategies: list[Strategy]
    """retrieve_strategies; empty after an escalation."""
    retrieval_failed: bool
    """retrieve_strategies: true when the store failed, which is not the same as no result."""
    offered: list[str]
    """review_reply: ids of strategies already offered in this thread."""
    draft: list[str]
    """generate_reply: sentences that passed review one by one. Unreviewed text is never state."""
    draft_source: ReplySource
    """generate_reply: who wrote the draft."""
    attempts: int
    """generate_reply: drafts written in this turn."""
    faults: list[Fault]
    """generate_reply and review_reply: what was wrong with the last draft."""
    reply_source: ReplySource
    """escalate, review_reply or await_counsellor"""
    taken_over: bool
    """await_counsellor: whether a counsellor answers this thread now."""
