"""The composed reply: what a person gets when the language model fails or is switched off.

Sentences come from `knowledge/reply_parts.toml` and follow the EMPATHY steps; the person's own
noun is mirrored, and nothing is said twice in a conversation as long as there are words left.
"""

import re
import tomllib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from graph.state import Intent, Strategy
from models.labels import EMOTIONS

DEFAULT_PATH: Final = Path(__file__).parents[1] / "knowledge" / "reply_parts.toml"

_TENTATIVE: Final = 0.35  # below this the reading is a guess, and is worded as one
_MOST_SENTENCES: Final = 5
_FEWEST_WORDS: Final = 11  # before the ending, so that a reply is more than a formula
_LONGEST_STEP: Final = 55
_SAME: Final = 0.8  # share of words from which two sentences count as one
_HELPFUL: Final = frozenset({"suggesting", "encouraging", "consoling"})
_LISTENING: Final = frozenset({"questioning", "agreeing", "wishing"})
_OFFERED: Final = re.compile(r"\b(?:you could|try|may help|might help)\b", re.I)
_GONE: Final = re.compile(
    r"(?:[\s,]+(?:has|had|have|just|recently|suddenly|both|also|all|who|that|sadly|unexpectedly"
    r"|tragically|of|aged?|\d+|years?|months?|old|(?-i:[A-Z])\w+))*[\s,]+(?:died\b(?! laughing)"
    r"|passed (?:away|last (?:night|week|month|year)|yesterday|suddenly|unexpectedly|peacefully"
    r"|in (?:his|her|their) sleep)\b|passed(?=\W*$)|(?:is|are|was|were) (?:dead|killed)\b"
    r"|(?:is|are) gone (?:now|forever)\b)|'s (?:death|passing|funeral|memorial|ashes)\b",
    re.I,
)
_BURIED: Final = re.compile(
    r"\b(?:bur(?:y|ied|ying)|(?:death|passing|loss) of|mourn(?:ing)?|grieving(?: for)?)\s+$", re.I
)
_LOST: Final = re.compile(r"\b(?:lost|losing)\s+$", re.I)
_PUT: Final = re.compile(r"\bput\s+$", re.I)
_DOWN: Final = re.compile(r"(?:\s+\w+)?\s+(?:down|to sleep)\b", re.I)
_DENIED: Final = re.compile(
    r"(?:\b(?:no|not|never|without|if|like|want|wish|hope|need)\b|n't)[^.!?,;]*$", re.I
)


class ReplyPartError(ValueError):
    """The file of reply parts cannot be used; the message names the field."""


def _check(mark: str, *slots: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(wordings: tuple[str, ...]) -> tuple[str, ...]:
        for number, wording in enumerate(wordings, start=1):
            if sorted(re.findall(r"\{(.*?)\}", wording)) != sorted(slots):
                raise ValueError(f"wording {number} must have the slots {slots} and no other")
            if not re.fullmatch(rf"[A-Z][^?!\s]*(?: [^?!\s]+)*\{mark}", wording):
                raise ValueError(f"wording {number} is not one sentence that ends in {mark!r}")
        if len(set(wordings)) < len(wordings):
            raise ValueError("a wording is there twice")
        return wordings

    return check


def _compile(patterns: object) -> object:
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise ValueError("must be a list of regular expressions")
    try:
        return re.compile("|".join(patterns), re.I)
    except re.error as exc:
        raise ValueError(f"not a regular expression: {exc}") from exc


_Many = Annotated[tuple[str, ...], Strict(False), Field(min_length=5)]
Words = Annotated[tuple[str, ...], Strict(False)]
Cue = Annotated[re.Pattern[str], BeforeValidator(_compile)]
Statements = Annotated[_Many, AfterValidator(_check("."))]
Questions = Annotated[_Many, AfterValidator(_check("?"))]
WithFeeling = Annotated[_Many, AfterValidator(_check(".", "feeling"))]
WithTopic = Annotated[_Many, AfterValidator(_check(".", "topic"))]
WithBoth = Annotated[_Many, AfterValidator(_check(".", "feeling", "topic"))]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Naming(_Strict):
    """Ways to name a feeling: sure or tentative, with the person's noun or without."""

    sure: WithFeeling
    sure_topic: WithBoth
    tentative: WithFeeling
    tentative_topic: WithBoth


class Tone(_Strict):
    """What the groups of one tone share."""

    mirror_topic: WithTopic
    mirror: Statements
    perspective: Statements
    intents: dict[Intent, Statements]


class Group(_Strict):
    """Emotions that call for the same perspective."""

    tone: Literal["hard", "glad", "plain"]
    emotions: Words
    perspective: Statements
    questions: Questions


class Shared(_Strict):
    """Parts that fit any group, unless their name says otherwise."""

    questions: Questions
    invitations: Statements
    leads: Statements
    steps: Statements
    after_step: Statements
    people: Statements
    loss_topic: WithTopic
    loss: Statements


class Registers(_Strict):
    """Answers to messages that are about the talk itself."""

    frustrated: Statements
    hello: Statements
    identity: Statements
    able: Statements
    thanks: Statements
    goodbye: Statements
    door: Statements
    brief: Statements
    no_words: Statements
    write: Statements


class Cues(_Strict):
    """Regular expressions that tell what kind of message this is."""

    frustrated: Cue
    reported: Cue
    no_questions: Cue
    hello: Cue
    about: Cue
    thanks: Cue
    goodbye: Cue
    brief: Cue
    asks: Cue
    panic: Cue
    grief: Cue
    hard: Cue


class Topics(_Strict):
    """Finds the noun phrase that a message is about, in the person's own words.

    A list of common life nouns, and no guessing of parts of speech: a wrong noun hurts more than
    none.
    """

    sleepless: Cue
    kin: Words
    pets: Words
    others: Words
    names: Words
    events: Words
    things: Words
    conditions: Words
    bare: Words
    modifiers: Words
    tails: Words
    spoilers: Words
    is_or_has: Words

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        people, events = _any(*self.kin, *self.pets, *self.others), _any(*self.events)
        modifier = rf"(?:{_any(*self.modifiers)}\s+){{0,2}}"
        tail = rf"(?:\s+{_any(*self.tails)}\b)?"
        noun = _any(
            *self.kin, *self.pets, *self.others, *self.events, *self.things, *self.conditions
        )
        owned = rf"{modifier}(?:{people}'s\s+{modifier})?"
        sources = {
            "kin": rf"\b(?:my|our)\s+({owned}{_any(*self.kin, *self.pets)})\b",
            "pet": rf"\b(?:my|our)\s+({owned}{_any(*self.pets)})\b",
            "loved": rf"\b(?:my|our)\s+({owned}{people})\b",
            "event": rf"\b(?:my|our)\s+({owned}{events}\b{tail})",
            "person": rf"\b(?:my|our)\s+({owned}{people}\b{tail}"
            rf"(?:\s+and\s+(?:(?:my|our)\s+)?{modifier}{people}\b)?)",
            "definite event": rf"\b(?:the|this)\s+({modifier}{events}\b{tail})",
            "new event": r"\b(?:have|had|having|got|getting|failed|failing|passed|took|taking|in"
            rf"|after|before|about|through|from|with|gave)\s+(?:an?|another)\s+({modifier}{events}"
            rf"\b{tail})",
            "name": r"(?:^|[.!?,]\s*|\b(?:when|since|after|because|and|with|to|about|for|that|if"
            rf"|but|then)\s+)({_any(*self.names)})\b",
            "owned condition": rf"\b(?:my|our)\s+({modifier}{people}'s\s+"
            rf"{_any(*self.conditions)})\b",
            "condition": rf"\b(?:my|our)\s+({_any(*self.conditions)})\b",
            "thing": rf"\b(?:my|our)\s+({owned}{_any(*self.things)}\b{tail})",
            "definite thing": rf"\b(?:the|this)\s+({modifier}{_any(*self.things)}\b{tail})",
            "bare": rf"\b(?:at|about|with|from|in|after|of|for)\s+({_any(*self.bare)})\b",
            "part": rf"[\s-]+(?:{noun}|{_any(*self.spoilers)})\b|-\w"
            rf"|'(?!s\s+{_any(*self.is_or_has)}\b)",
        }
        return {name: re.compile(source, re.I) for name, source in sources.items()}

    def find(self, text: str) -> str | None:
        """Return what the message is about, such as "your exam", or None."""
        for article, *names in (
            ("your", "event", "owned condition"),
            ("your", "person"),
            ("the", "definite event", "new event", "condition"),
            ("your", "name", "thing"),
            ("the", "definite thing"),
            ("", "bare"),
        ):
            for name in names:
                for match in self._patterns[name].finditer(text):
                    part = self._patterns["part"].match(text, match.end())
                    denied = name == "new event" and _DENIED.search(text[: match.start()])
                    if not part and not denied:
                        return _phrase(article, match[1])
        return "your sleep" if self.sleepless.search(text) else None

    def find_lost(self, text: str) -> str | None:
        """Return the person or animal that a message says has died, or None."""
        for match in self._patterns["loved"].finditer(text):
            before, end = text[: match.start()], match.end()
            if text[end : end + 1] != "'":
                lost = _LOST.search(before) and self._patterns["kin"].fullmatch(match[0])
                put = _PUT.search(before) and self._patterns["pet"].fullmatch(match[0])
                if lost or _BURIED.search(before) or (put and _DOWN.match(text, end)):
                    return _phrase("your", match[1])
            if _GONE.match(text, end):
                return _phrase("your", match[1])
        for match in self._patterns["name"].finditer(text):
            if _GONE.match(text, match.end()):
                return _phrase("your", match[1])
        return None


def _any(*words: str) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


def _phrase(article: str, noun: str) -> str:
    phrase = re.sub(r"\b(?:my|our)\b", "your", " ".join(noun.lower().split()))
    return f"{article} {phrase}".strip()


class ReplyParts(_Strict):
    """All wordings of the composed reply, and the cues that choose between them."""

    feelings: dict[str, str]
    naming: Naming
    tones: dict[Literal["hard", "glad", "plain"], Tone]
    groups: dict[str, Group]
    shared: Shared
    registers: Registers
    cues: Cues
    topics: Topics

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if sorted(self.feelings) != sorted(EMOTIONS):
            raise ValueError("feelings must name each of the 32 emotions")
        grouped = [emotion for group in self.groups.values() for emotion in group.emotions]
        if sorted(grouped) != sorted([*EMOTIONS, "unknown"]):
            raise ValueError("each emotion, and unknown, must be in exactly one group")
        if not {"grief", "unknown"} <= set(self.groups) or len(self.tones) != 3:
            raise ValueError("the groups grief and unknown and three tones are needed")
        return self

    def group(self, emotion: str) -> Group:
        """Return the group of an emotion; a label that nobody knows counts as "unknown"."""
        found = (group for group in self.groups.values() if emotion in group.emotions)
        return next(found, self.groups["unknown"])


def load_reply_parts(path: Path = DEFAULT_PATH) -> ReplyParts:
    """Read and check the reply parts; raise ReplyPartError when anything is amiss."""
    try:
        return ReplyParts.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReplyPartError(f"{path.name}: {place}: {first['msg']}") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ReplyPartError(f"{path.name} cannot be read: {type(exc).__name__}") from exc


_Register = Literal["frustrated", "about", "hello", "thanks", "goodbye", "brief"]


@dataclass(frozen=True)
class _Reading:
    """What one message calls for."""

    register: _Register | None
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


@dataclass
class _Draft:
    """A reply in the making, which knows what the conversation has heard."""

    random: Random
    heard: list[frozenset[str]]
    sentences: list[str] = field(default_factory=list)

    @property
    def words(self) -> int:
        return sum(len(sentence.split()) for sentence in self.sentences)

    @property
    def room(self) -> int:
        return _MOST_SENTENCES - 1 - len(self.sentences)

    def last_heard(self, sentence: str) -> int:
        """Return when something like this was last said; -1 for never."""
        words = frozenset(_words(sentence))
        for place in reversed(range(len(self.heard))):
            if _alike(words, self.heard[place]):
                return place
        return -1

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)
        self.heard.append(frozenset(_words(sentence)))

    def add(self, pool: Sequence[str], *, must: bool = False, **slots: str) -> bool:
        """Say a wording that is new to the conversation; failing that, the oldest or nothing."""
        wordings = [wording.format(**slots) for wording in pool]
        ages = [self.last_heard(wording) for wording in wordings]
        oldest = min(ages)
        if oldest >= 0 and not must:
            return False
        choices = [each for each, age in zip(wordings, ages, strict=True) if age == oldest]
        starts = [_words(sentence)[:2] for sentence in self.sentences]
        varied = [each for each in choices if _words(each)[:2] not in starts]
        self.say(self.random.choice(varied or choices))
        return True

    def add_first(self, *pools: Sequence[str]) -> None:
        """Say something from the first pool with news in it, and repeat the last if none has."""
        if not any(self.add(pool) for pool in pools):
            self.add(pools[-1], must=True)


@dataclass(frozen=True)
class Composer:
    """Writes a reply from reviewed parts, after EMPATHY and the intents of Welivita and Pu (2020).

    Listening comes before advice (WHO 2011, Psychological First Aid: look, listen, link), so a
    first message gets a step only when it asks for one, in panic, or when the intent is to help.
    """

    parts: ReplyParts

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
        reading = self._read(person[-1], emotion, confidence)
        draft, registers, shared = _start(replies, person), self.parts.registers, self.parts.shared
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
        draft, shared = _start(replies, said), self.parts.shared
        draft.heard.extend(frozenset(_words(sentence)) for sentence in said)
        asking = _may_ask((), replies, said, self.parts.cues) and draft.random.random() < 0.5
        pools = (shared.questions,) if asking else ()
        draft.add_first(*pools, shared.invitations)
        return draft.sentences[0]

    def no_words(self, *, replies: Sequence[str]) -> list[str]:
        """Return the reply to an empty message: no pressure, and honest about what answers."""
        draft, registers = _start(replies, ()), self.parts.registers
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
        reading = self._read(person[-1] if person else "", emotion, confidence)
        draft = _start(replies, [*person, *said])
        draft.heard.extend(frozenset(_words(sentence)) for sentence in said)
        if reading.register in ("thanks", "goodbye"):
            draft.add_first(self.parts.registers.door, self.parts.shared.invitations)
            return draft.sentences
        step = self._step(draft, reading, intent, strategies, replies)
        whole = " ".join(said)
        fits = len(said) + len(step) < _MOST_SENTENCES and not _OFFERED.search(whole)
        if step and fits and "?" not in whole:
            for sentence in step:
                draft.say(sentence)
        stepped = bool(draft.sentences)
        self._end(draft, reading, intent, person, replies, stepped=stepped, said=said)
        return draft.sentences

    def _read(self, message: str, emotion: str, confidence: float) -> _Reading:
        text = message.replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"').strip()
        cues, topics = self.parts.cues, self.parts.topics
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
        if group.tone == "glad" and (hard or confidence < _TENTATIVE):
            group = unknown
        if grief:
            group = self.parts.groups["grief"]
        return _Reading(
            register=register,
            group=group,
            tone=self.parts.tones[group.tone],
            feeling=self.parts.feelings.get(emotion) if known and not grief else None,
            topic=topic,
            grief=grief,
            asks=bool(cues.asks.search(text)),
            panic=bool(cues.panic.search(text))
            or (emotion == "terrified" and confidence >= _TENTATIVE),
            hard=hard,
            hurting=hard or group.tone == "hard" or (group is unknown and not known),
        )

    def _register(self, text: str) -> _Register | None:
        cues = self.parts.cues
        upset = cues.frustrated.search(text)
        if upset and not cues.reported.search(text[: upset.start()]):
            return "frustrated"
        for name in ("about", "hello", "thanks", "goodbye", "brief"):
            pattern: re.Pattern[str] = getattr(cues, name)
            if pattern.search(text):
                return name
        return None

    def _step(
        self,
        draft: _Draft,
        reading: _Reading,
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
            step = _sentences(strategy["text"])
            short = len(step) <= 3 and len(strategy["text"].split()) <= _LONGEST_STEP
            if step and short and all(draft.last_heard(sentence) < 0 for sentence in step):
                return step
        if not (frustrated or reading.asks or intent == "suggesting"):
            return []
        fresh = [step for step in self.parts.shared.steps if draft.last_heard(step) < 0]
        return [draft.random.choice(fresh)] if fresh else []

    def _open(
        self, draft: _Draft, reading: _Reading, confidence: float, replies: Sequence[str]
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
        just_said = " ".join(_words(replies[-1])) if replies else ""
        mirrored = topic is None or " ".join(_words(topic)) in just_said
        if reading.grief:
            if not mirrored and topic and draft.add(shared.loss_topic, topic=topic):
                return
            draft.add(shared.loss)
        elif feeling and feeling not in just_said:
            sure = confidence >= _TENTATIVE
            both = naming.sure_topic if sure else naming.tentative_topic
            alone = naming.sure if sure else naming.tentative
            if mirrored or not topic or not draft.add(both, feeling=feeling, topic=topic):
                draft.add(alone, feeling=feeling)
        elif mirrored or not topic or not draft.add(reading.tone.mirror_topic, topic=topic):
            draft.add(reading.tone.mirror)

    def _stand_by(
        self,
        draft: _Draft,
        reading: _Reading,
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

    def _lengthen(self, draft: _Draft, *pools: Sequence[str]) -> None:
        for pool in pools:
            if draft.words < _FEWEST_WORDS:
                draft.add(pool)
        while draft.words < _FEWEST_WORDS:
            draft.add(pools[0], must=True)

    def _end(
        self,
        draft: _Draft,
        reading: _Reading,
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


def _start(replies: Sequence[str], person: Sequence[str]) -> _Draft:
    # `hash` differs from run to run; a reply must not.
    seed = zlib.crc32("\x1f".join([str(len(replies)), *replies, *person]).encode(errors="replace"))
    heard = [frozenset(_words(each)) for reply in replies for each in _sentences(reply)]
    return _Draft(Random(seed), heard)


def _sentences(text: str) -> list[str]:
    parts = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
    return [part if part[-1] in ".!?" else f"{part}." for part in parts if part]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)?", text.lower().replace("\u2019", "'"))


def _alike(words: frozenset[str], old: frozenset[str]) -> bool:
    shorter = min(len(words), len(old))
    return words == old or (shorter >= 6 and len(words & old) >= _SAME * shorter)
