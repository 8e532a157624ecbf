"""What one message calls for: the first step of composing a reply."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from knowledge.reply_parts import Group, ReplyParts, Tone
from nodes.mirror import TopicFinder

TENTATIVE: Final = 0.35  # below this the reading is a guess, and is worded as one

Register = Literal["frustrated", "about", "hello", "thanks", "goodbye", "brief"]


@dataclass(frozen=True)
class Reading:
    """What one message calls for."""

    register: Register | None
    group: Group
    tone: Tone
    feeling: str | None
    topic: str | None
    grief: bool
    asks: bool
    panic: bool
    hard: bool
    hurting: bool
    """A hard thing or a hard feeling, so that a step may be in place."""


@dataclass(frozen=True)
class MessageReader:
    """Reads a message by the cues and topics of the reply parts."""

    parts: ReplyParts

    @cached_property
    def _topics(self) -> TopicFinder:
        return TopicFinder(self.parts.topics)

    def read(self, message: str, emotion: str, confidence: float) -> Reading:
        """Say what `message` calls for, given the emotion that was recognized in it."""
        text = message.replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"').strip()
        cues, topics = self.parts.cues, self._topics
        lost = topics.find_lost(text)
        grief = bool(cues.grief.search(text)) or lost is not None
        hard = grief or bool(cues.hard.search(text))
        register = self._register(text)
        topic = lost if grief else topics.find(text)
        unknown = self.parts.groups["unknown"]
        unsure = register == "brief" or (len(text.split()) < 3 and confidence < 0.5)
        group = self.parts.group("unknown" if unsure else emotion)
        # A misread feeling does least harm unnamed, and a guess is no ground for gladness.
        known = emotion in group.emotions and not (hard and group.tone != "hard")
        if group.tone == "glad" and (hard or confidence < TENTATIVE):
            group = unknown
        if grief:
            group = self.parts.groups["grief"]
        return Reading(
            register=register,
            group=group,
            tone=self.parts.tones[group.tone],
            feeling=self.parts.feelings.get(emotion) if known and not grief else None,
            topic=topic,
            grief=grief,
            asks=bool(cues.asks.search(text)),
            panic=bool(cues.panic.search(text))
            or (emotion == "terrified" and confidence >= TENTATIVE),
            hard=hard,
            hurting=hard or group.tone == "hard" or (group is unknown and not known),
        )

    def _register(self, text: str) -> Register | None:
        cues = self.parts.cues
        upset = cues.frustrated.search(text)
        if upset and not cues.reported.search(text[: upset.start()]):
            return "frustrated"
        for name in ("about", "hello", "thanks", "goodbye", "brief"):
            pattern: re.Pattern[str] = getattr(cues, name)
            if pattern.search(text):
                return name
        return None
