"""Node escalate: the crisis protocol answers. No model, no retrieval, fixed texts only."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from graph.state import CrisisLevel, SafetyRecord, State, Strategy
from handover.event import EscalationEvent
from knowledge.helplines import Registry
from knowledge.protocol_answers import ANY, Answer, ProtocolAnswers
from knowledge.protocol_texts import (
    About,
    Audience,
    Level,
    PartName,
    Place,
    ProtocolText,
    ProtocolTexts,
)
from nodes.conversation import read_conversation
from nodes.escalation.constant import CONSTANT_REPLY
from nodes.escalation.plan import EARLIER, SELF_HARM, SOMEONE_ELSE, Situation, plan_parts, plan_step
from nodes.escalation.recall import NEW_RECORD
from nodes.escalation.wording import slots
from nodes.streaming import release

logger = logging.getLogger(__name__)

_RANK: Final[dict[CrisisLevel, int]] = {
    "none": 0,
    # Answered, but not kept: one unreadable message is no danger of the whole thread.
    "unknown": 0,
    "concern": 1,
    "high": 2,
    "imminent": 3,
}


class EscalateUpdate(TypedDict):
    """What the node writes to the state."""

    messages: list[AIMessage]
    safety: SafetyRecord
    strategies: list[Strategy]
    reply_source: Literal["protocol"]


@dataclass(frozen=True)
class Escalate:
    """Answer a person in danger with the protocol's texts and the registry's numbers.

    The texts follow WHO and 988 Lifeline guidance, #chatsafe and the C-SSRS. Whatever goes wrong
    here ends in a constant reply, never in silence.
    """

    texts: ProtocolTexts | None
    registry: Registry | None
    answers: ProtocolAnswers | None = None
    """Without it no answer is understood, and every stage takes its longest way."""
    emit: Callable[[EscalationEvent], None] | None = None
    """Tells people; returns at once."""
    with_text: bool = False
    """Whether the event holds the person's message."""

    def __call__(self, state: State, config: RunnableConfig) -> EscalateUpdate:
        """Write the reply and record what was said."""
        try:
            safety = _record(state)
            pieces, said = self._compose(state, config, safety)
        except Exception as error:
            # Wide on purpose: any failure here would leave a person in danger without an answer.
            logger.error("crisis protocol failed: %s", type(error).__name__)
            safety = _safe_record(state)
            pieces, said = [CONSTANT_REPLY], []
        try:
            release(pieces)
        except Exception as error:
            # Wide on purpose: the reply stands in the state, whether or not it could be streamed.
            logger.error("crisis reply not streamed: %s", type(error).__name__)
        logger.warning("escalated: level=%s turn=%d", safety["level"], safety["escalations"] + 1)
        self._tell(state, config, safety["escalations"] + 1, said)
        used = [*(each for each in safety["used"] if each not in said), *said]
        return {
            "messages": [AIMessage(content=" ".join(pieces))],
            "safety": {**safety, "escalations": safety["escalations"] + 1, "used": used},
            "strategies": [],
            "reply_source": "protocol",
        }

    def _tell(self, state: State, config: RunnableConfig, turn: int, said: list[str]) -> None:
        """Hand an event to the sinks. Whatever fails there, the person has their reply."""
        if self.emit is None:
            return
        try:
            reading = state.get("crisis")
            self.emit(
                EscalationEvent(
                    thread=str(config.get("configurable", {}).get("thread_id") or ""),
                    turn=turn,
                    level=reading["level"] if reading else "unknown",
                    score=reading["score"] if reading else 0.0,
                    signals=tuple(reading["signals"]) if reading else (),
                    offered=tuple(said),
                    country=str(_given_country(state, config) or ""),
                    text=_last_message(state) if self.with_text else None,
                )
            )
        except Exception as error:
            # Wide on purpose: a sink must not take the reply with it.
            logger.error("escalation event not sent: %s", type(error).__name__)

    def _compose(
        self, state: State, config: RunnableConfig, safety: SafetyRecord
    ) -> tuple[list[str], list[str]]:
        """Return the pieces of the reply and the ids of their texts."""
        if self.texts is None or self.registry is None:
            raise LookupError("no protocol texts or no registry")
        reading = state.get("crisis")
        signals = reading["signals"] if reading else []
        # An unreadable message in a thread known as dangerous keeps that thread's emergency texts.
        wording: Level = "unknown" if safety["level"] == "none" else safety["level"]
        unread = reading is None or reading["level"] == "unknown"
        level: Level = "unknown" if unread else wording
        said = self.texts.by_ids(safety["used"])
        audience = _audience(signals, said)
        about: About = "self_harm" if SELF_HARM in signals and audience == "self" else "any"

        message = _last_message(state)
        answer: Answer = "other"
        kinds: dict[PartName, str] = {}
        if self.answers:
            answer, barrier = self.answers.read(message), self.answers.barrier(message, audience)
            kinds["barrier"] = barrier
            # Who tells what stands in the way has been asked to reach out, and does not.
            if answer == "other" and barrier != ANY and safety["escalations"]:
                answer = "refuses"
        now = Situation(
            level=level,
            audience=audience,
            turn=safety["escalations"],
            said=said,
            signals=signals,
            answer=answer,
        )
        code = _country_code(state, config, self.registry)
        country = self.registry.country(code)
        place: Place = "line" if country and country.lines else "site"
        values = slots(country, now.turn)
        kinds["safety_plan"] = plan_step(now.said)

        chosen = []
        for part in plan_parts(now):
            if part == "country" and code:
                continue
            text = self.texts.choose(
                part,
                "unknown" if part == "unknown" else wording,
                audience,
                place=place,
                about=about,
                kind=kinds.get(part, ""),
                used=safety["used"],
            )
            if text is None:
                raise LookupError(f"no text for {part}")
            chosen.append(text)
        return [text.text.format_map(values) for text in chosen], [text.id for text in chosen]


def _audience(signals: Sequence[str], said: Sequence[ProtocolText]) -> Audience:
    if SOMEONE_ELSE in signals:
        return "other"
    # Nothing new was noticed, so it is still about the same person as before.
    before = [text.audience for text in said if text.audience != "any"]
    return "other" if set(signals) <= {EARLIER} and before[-1:] == ["other"] else "self"


def _last_message(state: State) -> str:
    person = read_conversation(state["messages"]).person
    return person[-1] if person else ""


def _record(state: State) -> SafetyRecord:
    """Return the thread's safety record, with this turn's danger in it."""
    reading = state.get("crisis")
    before = state.get("safety") or NEW_RECORD
    now: CrisisLevel = reading["level"] if reading else "unknown"
    return {
        "level": max(before["level"], now, key=_RANK.__getitem__),
        "escalations": int(before["escalations"]),
        "settled": int(before["settled"]),
        "used": [str(text_id) for text_id in before["used"]],
    }


def _safe_record(state: State) -> SafetyRecord:
    """Return the safety record, or a new one where it is itself what is broken."""
    try:
        return _record(state)
    except (KeyError, TypeError, ValueError, AttributeError):
        return NEW_RECORD


def _given_country(state: State, config: RunnableConfig) -> str | None:
    given = config.get("configurable", {}).get("country") or state.get("country")
    return given if isinstance(given, str) else None


def _country_code(state: State, config: RunnableConfig, registry: Registry) -> str | None:
    """Return the country that the caller or the person has said; it is never guessed."""
    given = _given_country(state, config)
    if given:
        return given
    talk = read_conversation(state["messages"])
    said = (
        registry.said_in(text, asked="country" in talk.before(i))
        for i, text in reversed(list(enumerate(talk.person)))
    )
    return next(filter(None, said), None)
