"""check_crisis: how much danger the conversation shows. Unreadable means unsafe."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, cast

from typing_extensions import TypedDict

from graph.state import CrisisLevel, CrisisReading, SafetyRecord, State
from knowledge.protocol_texts import ProtocolTexts
from models.heads import LinearHead
from models.labels import CRISIS_LEVELS
from nodes.conversation import Conversation, read_conversation
from nodes.crisis_phrases import CrisisPhrases
from nodes.escalation.plan import EARLIER
from nodes.escalation.recall import NEW_RECORD, is_protocol, recall
from nodes.language import reads_as_english
from nodes.reading import TextReader

logger = logging.getLogger(__name__)

WINDOW: Final = 6
"""The person's latest messages that are read anew each turn."""

_PHRASE_SCORE: Final = 0.95
"""Least score of a message with an explicit phrase; the phrases are chosen for precision."""

_HEAD_SIGNALS: Final = {
    "concern": "wording close to hopelessness or a wish to be dead",
    "high": "wording close to thoughts of suicide or self-harm",
    "imminent": "wording close to a plan or an act under way",
}

# An answer about a past attempt says nothing of today's thoughts, so that question is left out.
_ASKED = re.compile(
    r"\b(?:suicide|kill(?:ing)? yourself|end(?:ing)? your life|hurt(?:ing)? yourself"
    r"|(?<!try to )(?<!tried to )tak(?:e|ing) your own life)\b[^?]*\?",
    re.IGNORECASE,
)


class CrisisUpdate(TypedDict):
    """What this node writes."""

    crisis: CrisisReading
    safety: SafetyRecord


class MessageReading(NamedTuple):
    """The danger that one message shows."""

    level: CrisisLevel
    score: float
    signals: tuple[str, ...]


UNREADABLE: Final = MessageReading("unknown", 0.0, ("the message could not be read",))


@dataclass(frozen=True)
class CrisisReader:
    """Reads one message: the trained head over every window of it, and explicit phrases."""

    texts: TextReader
    head: LinearHead
    phrases: CrisisPhrases

    def read(self, text: str) -> MessageReading:
        """Return the higher of the head's and the phrases' level, and why.

        A level of danger is reported whatever the language; "none" only for a message that the
        encoder can read.
        """
        phrase = self.phrases.read(text)
        word_pieces = self.texts.encoder.word_pieces
        if len(text) > self.texts.max_chars or not reads_as_english(text, word_pieces):
            if phrase.level != "none":
                return MessageReading(phrase.level, _PHRASE_SCORE, phrase.signals)
            return UNREADABLE
        level, score = self.head.ordinal(*self.texts.message(text))
        signals = phrase.signals
        if _rank(level) > _rank(phrase.level):
            signals = (*signals, _HEAD_SIGNALS[level])
        if phrase.level != "none":
            level, score = max(level, phrase.level, key=_rank), max(score, _PHRASE_SCORE)
        return MessageReading(cast(CrisisLevel, level), round(score, 4), signals)

    def denies(self, text: str) -> bool:
        """Tell whether `text` is a clear denial and holds no explicit phrase of danger."""
        return self.phrases.denies(text)


@dataclass(frozen=True)
class CheckCrisis:
    """Read the danger of the conversation; any failure reads "unknown", which escalates."""

    reader: CrisisReader | None
    texts: ProtocolTexts | None = None
    """By which the replies of a caller without a thread tell what was said before."""

    def __call__(self, state: State) -> CrisisUpdate:
        """Write the level, and raise the thread's record to it."""
        record = state.get("safety", NEW_RECORD)
        try:
            if "safety" not in state:
                record = self._recalled(read_conversation(state["messages"]))
            return self._check(state, record)
        except Exception as exc:  # Whatever broke, an unread message must not pass as harmless.
            logger.error("check_crisis failed: %s", type(exc).__name__)
            return {"crisis": _reading(UNREADABLE), "safety": record}

    def _recalled(self, talk: Conversation) -> SafetyRecord:
        """Return the record as the thread would have kept it, had there been one."""
        if self.texts is None or self.reader is None or not talk.replies:
            return NEW_RECORD
        settled, since = 0, 0
        for i, text in enumerate(talk.person[:-1]):
            count, after = talk.answered[i], talk.answered[i + 1]
            # A direct question, a denial, and then a reply of the normal path: that settled it.
            if (
                after > count
                and _ASKED.search(talk.before(i))
                and not is_protocol(talk.before(i + 1), self.texts)
                and recall(talk.replies[since:count], self.texts)["level"] != "imminent"
                and self.reader.denies(text)
            ):
                settled, since = i + 1, count
        level = recall(talk.replies[since:], self.texts)["level"]
        return {**recall(talk.replies, self.texts), "level": level, "settled": settled}

    def _check(self, state: State, record: SafetyRecord) -> CrisisUpdate:
        talk = read_conversation(state["messages"])
        if self.reader is None or not (talk.readable or talk.person):
            return {"crisis": _reading(UNREADABLE), "safety": record}
        if not talk.person:
            return {"crisis": _reading(MessageReading("none", 0.0, ())), "safety": record}

        asked = bool(talk.replies) and _ASKED.search(talk.replies[-1]) is not None
        now = self.reader.read(talk.person[-1])
        # A denial answers a direct question about thoughts; it does not erase a plan, earlier or
        # in the same message. The head reads milder danger into the very words of a denial.
        if (
            asked
            and talk.readable
            and "imminent" not in (record["level"], now.level)
            and self.reader.denies(talk.person[-1])
        ):
            record = {**record, "level": "none", "settled": len(talk.person)}
            denied = MessageReading("none", 0.0, ("denied when asked directly",))
            return {"crisis": _reading(denied), "safety": record}

        first = max(record["settled"], len(talk.person) - WINDOW)
        earlier = [self.reader.read(text) for text in talk.person[first:-1]]
        dangers = [reading for reading in earlier if reading.level in CRISIS_LEVELS[1:]]
        kept = MessageReading(record["level"], now.score, (EARLIER,))
        if record["level"] != "none":
            dangers.append(kept)
        if not talk.readable:
            dangers.append(UNREADABLE)
        worst = max([*dangers, now], key=lambda reading: _rank(reading.level))
        signals = dict.fromkeys(signal for each in [*dangers, now] for signal in each.signals)
        reading = MessageReading(
            worst.level, max(each.score for each in [*dangers, now]), tuple(signals)
        )
        if reading.level in CRISIS_LEVELS:
            record = {**record, "level": max(record["level"], reading.level, key=_rank)}
        return {"crisis": _reading(reading), "safety": record}


def route_crisis(state: State) -> Literal["escalate", "retrieve_strategies"]:
    """Let only an explicit level "none" reach the language model."""
    crisis = state.get("crisis")
    return "retrieve_strategies" if crisis and crisis.get("level") == "none" else "escalate"


def _rank(level: str) -> int:
    # "unknown" stands between none and concern: it escalates, but any danger read outranks it.
    order = ("none", "unknown", "concern", "high", "imminent")
    return order.index(level)


def _reading(reading: MessageReading) -> CrisisReading:
    return {"level": reading.level, "score": reading.score, "signals": list(reading.signals)}
