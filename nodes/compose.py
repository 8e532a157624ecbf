"""The composed reply: what a person gets when the language model fails or is switched off.

Sentences come from `knowledge/reply_parts.toml` and follow the EMPATHY steps; the person's own
noun is mirrored, and nothing is said twice in a conversation as long as there are words left.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from graph.state import Intent, Strategy
from knowledge.reply_parts import Cues, ReplyParts
from nodes.compose_draft import MOST_SENTENCES, Draft, split_sentences, start_draft, words_of
from nodes.compose_reading import TENTATIVE, MessageReader, Reading

_FEWEST_WORDS: Final = 11  # before the ending, so that a reply is more than a formula
_LONGEST_STEP: Final = 55
_HELPFUL: Final = frozenset({"suggesting", "encouraging", "consoling"})
_LISTENING: Final = frozenset({"questioning", "agreeing", "wishing"})
_OFFERED: Final = re.compile(r"\b(?:you could|try|may help|might help)\b", re.I)


@dataclass(frozen=True)
class Composer:
    """Writes a reply from reviewed parts, after EMPATHY and the intents of Welivita and Pu (2020).

    Listening comes before advice (WHO 2011, Psychological First Aid: look, listen, link), so a
    first message gets a step only when it asks for one, in panic, or when the intent is to help.
    """

    parts: ReplyParts

    @cached_property
    def _reader(self) -> MessageReader:
        return MessageReader(self.parts)

    def reply(
        self,
        *,
        emotion: str,
        confidence: float,
        intent: Intent,
        person: Sequence[str],
        replies: Sequence[str],
        strategies: Sequence[Strategy],
    ) -> list[str]:
        """Return the sentences of a whole reply to the last message of `person`."""
        if not person or not person[-1].strip():
            return self.no_words(replies=replies)
        reading = self._reader.read(person[-1], emotion, confidence)
        draft, registers, shared = (
            start_draft(replies, person),
            self.parts.registers,
            self.parts.shared,
        )
        if reading.register in ("thanks", "goodbye"):
            draft.add(registers.thanks if reading.register == "thanks" else registers.goodbye)
            calm = self.parts.tones["plain"]
            self._lengthen(draft, calm.intents["wishing"], calm.perspective, calm.mirror)
            draft.add_first(registers.door, shared.invitations)
            return draft.sentences
        if reading.register == "hello" or (reading.register == "about" and not reading.hard):
            if reading.register == "hello":
                draft.add(registers.hello)
            draft.add_first(registers.identity)
            draft.add(registers.able)
            draft.add_first(registers.write, shared.invitations)
            return draft.sentences
        step = self._step(draft, reading, intent, strategies, replies)
        self._open(draft, reading, confidence, replies)
        self._stand_by(draft, reading, intent, replies, room=draft.room - len(step))
        for sentence in step:
            draft.say(sentence)
        tone, group = reading.tone, reading.group
        self._lengthen(draft, tone.perspective, group.perspective, tone.mirror)
        self._end(draft, reading, intent, person, replies, stepped=bool(step))
        return draft.sentences

    def ending(self, *, replies: Sequence[str], said: Sequence[str] = ()) -> str:
        """Return an open ending for a draft that lacks one; a question only if `said` has none."""
        draft, shared = start_draft(replies, said), self.parts.shared
        draft.heard.extend(frozenset(words_of(sentence)) for sentence in said)
        asking = _may_ask((), replies, said, self.parts.cues) and draft.random.random() < 0.5
        pools = (shared.questions,) if asking else ()
        draft.add_first(*pools, shared.invitations)
        return draft.sentences[0]

    def no_words(self, *, replies: Sequence[str]) -> list[str]:
        """Return the reply to an empty message: no pressure, and honest about what answers."""
        draft, registers = start_draft(replies, ()), self.parts.registers
        draft.add(registers.no_words)
        draft.add_first(registers.identity)
        draft.add_first(registers.write, self.parts.shared.invitations)
        return draft.sentences

    def continuation(
        self,
        said: Sequence[str],
        *,
        emotion: str,
        confidence: float,
        intent: Intent,
        person: Sequence[str],
        replies: Sequence[str],
        strategies: Sequence[Strategy],
    ) -> list[str]:
        """Return what finishes a reply that broke off after `said`: a step, an ending or both."""
        if not said:
            return self.reply(
                emotion=emotion,
                confidence=confidence,
                intent=intent,
                person=person,
                replies=replies,
                strategies=strategies,
            )
        reading = self._reader.read(person[-1] if person else "", emotion, confidence)
        draft = start_draft(replies, [*person, *said])
        draft.heard.extend(frozenset(words_of(sentence)) for sentence in said)
        if reading.register in ("thanks", "goodbye"):
            draft.add_first(self.parts.registers.door, self.parts.shared.invitations)
            return draft.sentences
        step = self._step(draft, reading, intent, strategies, replies)
        whole = " ".join(said)
        fits = len(said) + len(step) < MOST_SENTENCES and not _OFFERED.search(whole)
        if step and fits and "?" not in whole:
            for sentence in step:
                draft.say(sentence)
        stepped = bool(draft.sentences)
        self._end(draft, reading, intent, person, replies, stepped=stepped, said=said)
        return draft.sentences

    def _step(
        self,
        draft: Draft,
        reading: Reading,
        intent: Intent,
        strategies: Sequence[Strategy],
        replies: Sequence[str],
    ) -> list[str]:
        """Choose at most one step: the best strategy that the conversation has not heard."""
        frustrated = reading.register == "frustrated"
        wanted = frustrated or reading.asks
        if not wanted and reading.hurting:
            wanted = intent in _HELPFUL and not (reading.grief and not replies)
            if reading.group.tone == "hard" and not reading.grief:
                listened = len(replies) % 2 == 1 and intent not in _LISTENING
                wanted = wanted or reading.panic or listened
        if not wanted:
            return []
        for strategy in strategies:
            step = split_sentences(strategy["text"])
            short = len(step) <= 3 and len(strategy["text"].split()) <= _LONGEST_STEP
            if step and short and all(draft.last_heard(sentence) < 0 for sentence in step):
                return step
        if not (frustrated or reading.asks or intent == "suggesting"):
            return []
        fresh = [step for step in self.parts.shared.steps if draft.last_heard(step) < 0]
        return [draft.random.choice(fresh)] if fresh else []

    def _open(
        self, draft: Draft, reading: Reading, confidence: float, replies: Sequence[str]
    ) -> None:
        """Name the feeling, or mirror the situation when it was named a moment ago."""
        naming, shared, registers = self.parts.naming, self.parts.shared, self.parts.registers
        if reading.register == "frustrated":
            draft.add(registers.frustrated)
            return
        if reading.register == "about":
            draft.add_first(registers.identity)
        elif reading.register == "brief" and draft.add(registers.brief):
            return
        topic, feeling = reading.topic, reading.feeling
        just_said = " ".join(words_of(replies[-1])) if replies else ""
        mirrored = topic is None or " ".join(words_of(topic)) in just_said
        if reading.grief:
            if not mirrored and topic and draft.add(shared.loss_topic, topic=topic):
                return
            draft.add(shared.loss)
        elif feeling and feeling not in just_said:
            sure = confidence >= TENTATIVE
            both = naming.sure_topic if sure else naming.tentative_topic
            alone = naming.sure if sure else naming.tentative
            if mirrored or not topic or not draft.add(both, feeling=feeling, topic=topic):
                draft.add(alone, feeling=feeling)
        elif mirrored or not topic or not draft.add(reading.tone.mirror_topic, topic=topic):
            draft.add(reading.tone.mirror)

    def _stand_by(
        self,
        draft: Draft,
        reading: Reading,
        intent: Intent,
        replies: Sequence[str],
        *,
        room: int,
    ) -> None:
        """Take the person's perspective, follow the intent, and lead over to a step."""
        stepping = room < draft.room
        if reading.register == "frustrated":
            if not stepping:
                draft.add(reading.tone.perspective)
            return
        size = len(draft.sentences) + room
        pools = [reading.group.perspective, reading.tone.perspective]
        if reading.register == "brief":
            pools = [reading.tone.perspective]
        if intent in reading.tone.intents and not reading.grief:
            pools.insert(0, reading.tone.intents[intent])
        for pool in pools[: 1 if stepping else 2]:
            if len(draft.sentences) < size:
                draft.add(pool)
        if stepping and len(draft.sentences) < size:
            draft.add(self.parts.shared.leads)
        often = len(replies) % 3 == 2 and len(draft.sentences) < size
        if often and not stepping and reading.group.tone == "hard":
            draft.add(self.parts.shared.people)

    def _lengthen(self, draft: Draft, *pools: Sequence[str]) -> None:
        for pool in pools:
            if draft.words < _FEWEST_WORDS:
                draft.add(pool)
        while draft.words < _FEWEST_WORDS:
            draft.add(pools[0], must=True)

    def _end(
        self,
        draft: Draft,
        reading: Reading,
        intent: Intent,
        person: Sequence[str],
        replies: Sequence[str],
        *,
        stepped: bool,
        said: Sequence[str] = (),
    ) -> None:
        """Yield space: one question at most, or an invitation."""
        shared = self.parts.shared
        asking = _may_ask(person, replies, [*said, *draft.sentences], self.parts.cues)
        eager = 1.0 if intent == "questioning" else 0.0 if stepped else 0.6
        if reading.register == "frustrated" or draft.random.random() >= eager:
            asking = False
        pools = [reading.group.questions, shared.questions] if asking else []
        if stepped and not asking:
            pools.append(shared.after_step)
        draft.add_first(*pools, shared.invitations)


def _may_ask(
    person: Sequence[str], replies: Sequence[str], said: Sequence[str], cues: Cues
) -> bool:
    """Tell whether a question is welcome: none pending, not a third in a row, not unwanted."""
    if any("?" in sentence for sentence in said):
        return False
    third = len(replies) >= 2 and all("?" in reply for reply in replies[-2:])
    return not third and not any(cues.no_questions.search(text) for text in person)
