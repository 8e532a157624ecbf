"""Which steps a crisis reply takes, and in which order.

The steps follow the 988 Lifeline's BeThe1To: ask, be there, help keep them safe, help them connect.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from knowledge.protocol_answers import Answer
from knowledge.protocol_texts import PLAN_STEPS, Audience, Level, PartName, ProtocolText
from nodes.escalation.stages import Stage, stage_of

SELF_HARM: Final = "self-harm"
SOMEONE_ELSE: Final = "someone else in danger"
EARLIER: Final = "danger earlier in the conversation"

_FIRST: Final[list[PartName]] = [
    "opening",
    "ask",
    "guide",
    "country",
    "emergency",
    "human",
    "stay",
]
"""Whoever writes once and leaves has been asked, and knows a way to a human."""

_COUNTRY_TURNS: Final = frozenset({0, 2, 4, 6})
_COUNTRY_TURNS_URGENT: Final = frozenset({0, 3, 7})
"""Turns that ask where the person is, as long as nobody has said; each turn would be nagging."""

_ASKING_TURNS: Final = 6
"""Turns that each ask something. Later every second one may only listen."""

_CHECK_EVERY: Final = 3
"""In the last stage, after so many steps of the plan one reply asks how it is now."""


@dataclass(frozen=True)
class Situation:
    """What the reply of this turn has to go by."""

    level: Level
    """How much danger it answers, at least as high as the thread's."""
    audience: Audience
    turn: int
    """How many turns the protocol has answered before."""
    said: Sequence[ProtocolText]
    """The texts said in this thread."""
    signals: Collection[str] = ()
    answer: Answer = "other"

    @property
    def stage(self) -> Stage:
        """Where the protocol stands."""
        return stage_of(self.level, self.said, self.answer)

    def count(self, part: PartName) -> int:
        """Count the texts of a step that were said."""
        return sum(text.part == part for text in self.said)


def plan_parts(now: Situation) -> list[PartName]:
    """List the steps of this turn's reply, in order.

    "country" stands for a question to be left out where one was said.
    """
    if now.level == "unknown":
        return _unknown(now.turn)
    if now.stage == "urgent":
        return _urgent(now)
    return [*_FIRST] if now.turn == 0 else _later(now)


def plan_step(said: Sequence[ProtocolText]) -> str:
    """Return the step of the safety plan that comes next; after the last one, the first again."""
    done = [text.kind for text in said if text.part == "safety_plan"]
    return PLAN_STEPS[len(done) % len(PLAN_STEPS)]


def _later(now: Situation) -> list[PartName]:
    opening: PartName = "reached" if now.answer == "reached" else "acknowledge"
    # A wound or a plan can turn into an emergency between two turns.
    acute = now.level != "concern" or SELF_HARM in now.signals
    emergency: list[PartName] = ["emergency"] if acute and now.turn % 2 == 0 else []
    country = _country(now.turn)
    program: list[PartName] = [] if now.count("program") else ["program"]

    if now.stage == "confirm":
        help_: PartName = "barrier" if now.answer == "refuses" else "human"
        step = help_ if now.turn % 2 or help_ == "barrier" else None
        middle: list[PartName] = [step] if step else emergency
        return [opening, *program, "ask", *middle, "guide", *country]
    if now.stage == "guide":
        if now.answer == "refuses":
            return [opening, *program, "barrier", "human", "guide"]
        return [opening, *program, "human", *emergency, "guide", *country, *_how_to_ask(now)]
    way: list[PartName] = emergency or ["guide"]
    if now.audience == "other":
        # A question each turn would nag, and go round in a ring.
        if now.turn % 2 == 0 and now.turn >= _ASKING_TURNS:
            return [opening, "stay", *way]
        return [opening, "check_back", *way, *(_how_to_ask(now) if now.turn % 2 else [])]
    check = (now.count("check_back") + 1) * _CHECK_EVERY <= now.count("safety_plan")
    if check or now.level == "imminent":
        return [opening, "check_back" if now.turn % 2 or check else "stay", *way]
    return [opening, *way, "safety_plan"]


def _how_to_ask(now: Situation) -> list[PartName]:
    # Last: it quotes a direct question, and the answer to another one must not be taken for its.
    return ["ask_them"] if now.audience == "other" and now.level != "imminent" else []


def _urgent(now: Situation) -> list[PartName]:
    program: list[PartName] = [] if now.count("program") else ["program"]
    country: list[PartName] = ["country"] if now.turn in _COUNTRY_TURNS_URGENT else []
    # The first turn at this level says all of it, even when the thread began more mildly.
    if not now.count("means_safety"):
        return ["opening", "emergency", "means_safety", "ask", "guide", "country", "human", "stay"]
    asked = sum(text.part == "ask" and now.level in text.levels for text in now.said)
    step: PartName = "ask" if asked < _ASKING_TURNS or now.turn % 2 else "stay"
    if now.answer == "refuses":
        return ["acknowledge", "emergency", *program, "barrier", step, "guide"]
    if now.turn % 2:
        return ["acknowledge", "emergency", *program, step, "guide", *country]
    return ["acknowledge", "emergency", "means_safety", step, "human"]


def _unknown(turn: int) -> list[PartName]:
    # What could not be read is answered as danger that is not known.
    if turn == 0:
        return ["unknown", "emergency", "guide", *_country(turn), "stay"]
    emergency: list[PartName] = ["emergency"] if turn % 2 else []
    return ["unknown", *emergency, "guide", *_country(turn)]


def _country(turn: int) -> list[PartName]:
    return ["country"] if turn in _COUNTRY_TURNS else []
