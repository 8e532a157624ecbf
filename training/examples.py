"""What the adapter is trained on: texts with the labels that are known of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from models.features import conversation_text
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS, UNSURE
from training.data import (
    Dialogue,
    counselling_questions,
    crisis_examples,
    crisis_turns,
    dialogues,
    labelled_replies,
    neutral_examples,
    sdcnl,
)

Normalise = Callable[[str], str]

_EVERYDAY_WEIGHT: Final = 0.05
"""Weight of everyday talk as harmless, beside our own examples that are close to danger."""

_EVERYDAY_SHARE: Final = 3
"""One dialogue of so many is read message by message."""
_MESSAGE_WEIGHT: Final = 0.45

_COUNSELLING_WEIGHT: Final = 0.5
_FORUM_WEIGHT: Final = 0.4
_FORUM_LEVELS: Final = {True: (0.05, 0.2, 0.6, 0.15), False: (0.35, 0.45, 0.2, 0.0)}
"""What a forum's name tells of a post: SuicideWatch posts are mostly active thoughts, depression
posts mostly none or passive ones. The names are noisy, so the targets are soft."""

_ORDINAL_SHARPNESS: Final = 3.0
_REPEATS: Final = 2
"""How often an epoch shows our own examples; after the first time with typing mistakes."""
_REFINING_REPEATS: Final = 3

_FORGOTTEN: Final = 0.25
"""Share of conversations shown without the listener's earlier intents."""

_DANGER_WORDS: Final = ("suicid", "kill", "die", "dead", "cutting", "harm", "end it", "live")


@dataclass(frozen=True)
class Example:
    """One text and what is known of it; -1 or no target where nothing is."""

    text: str
    emotion: int = -1
    intent: int = -1
    turns: int = 1
    earlier: tuple[str, ...] = ()
    reply_intent: int = -1
    crisis: tuple[float, ...] = ()
    crisis_weight: float = 0.0


def soft_level(level: str) -> tuple[float, ...]:
    """Return targets that fall off with the distance of the levels (Diaz and Marathe 2019)."""
    steps = np.abs(np.arange(len(CRISIS_LEVELS)) - CRISIS_LEVELS.index(level))
    near = np.exp(-_ORDINAL_SHARPNESS * steps)
    return tuple(float(each) for each in near / near.sum())


def conversation_examples(
    talks: Sequence[Dialogue], normalise: Normalise, rng: np.random.Generator
) -> Iterator[Example]:
    """Yield two views of each dialogue: its situation, and its first message or a longer part.

    More views of a dialogue in an epoch make the adapter learn its label by heart.
    """
    none = soft_level("none")
    for talk in talks:
        emotion = EMOTION_LABELS.index(talk.emotion)
        seen = Example("", emotion=emotion, crisis=none, crisis_weight=_EVERYDAY_WEIGHT)
        yield replace(seen, text=normalise(talk.situation))
        points = list(talk.points())
        last = len(points) - 1
        # The first message, the whole conversation, or any part of it.
        chosen = int(rng.choice(np.array([0, last, rng.integers(last + 1)]), p=[0.4, 0.3, 0.3]))
        said, earlier, label = points[chosen]
        # A caller without a thread does not say what the listener did before.
        forgotten = rng.random() < _FORGOTTEN
        yield _point(seen, said, [] if forgotten else earlier, label, normalise)


def _point(
    seen: Example, said: list[str], earlier: list[str], label: str, normalise: Normalise
) -> Example:
    return replace(
        seen,
        text=conversation_text([normalise(text) for text in said]),
        intent=INTENTS.index(label) if label in INTENTS else -1,
        turns=len(said),
        earlier=tuple(earlier),
    )


def everyday_messages(
    talks: Sequence[Dialogue], normalise: Normalise, rng: np.random.Generator
) -> Iterator[Example]:
    """Yield the situation and each message of some dialogues as harmless texts of their own."""
    for i in rng.choice(len(talks), len(talks) // _EVERYDAY_SHARE, replace=False):
        for text in (talks[i].situation, *talks[i].speaker):
            yield Example(
                normalise(text),
                crisis=soft_level("none"),
                crisis_weight=_MESSAGE_WEIGHT,
            )


def reply_examples(folder: Path, split: str, normalise: Normalise) -> list[Example]:
    """Return replies with what they do."""
    pairs = labelled_replies(folder, split)
    return [Example(normalise(text), reply_intent=INTENTS.index(label)) for text, label in pairs]


def danger_examples(
    normalise: Normalise, read: Callable[[], list[tuple[str, str]]] = crisis_examples
) -> list[Example]:
    """Return our own chat-length examples of each level, as they read once normalised."""
    return [
        Example(normalise(text), crisis=soft_level(level), crisis_weight=1.0)
        for text, level in read()
    ]


def forum_posts(folder: Path, normalise: Normalise) -> list[Example]:
    """Return long posts of people who are depressed, in danger, or both."""
    return [
        Example(normalise(text), crisis=_FORUM_LEVELS[suicide], crisis_weight=_FORUM_WEIGHT)
        for text, suicide in sdcnl(folder)
    ]


def other_examples(folder: Path, normalise: Normalise) -> list[Example]:
    """Return counselling questions without danger, and text without emotion."""
    none = soft_level("none")
    questions = [
        Example(normalise(text), crisis=none, crisis_weight=_COUNSELLING_WEIGHT)
        for text, _ in counselling_questions(folder)
        if not any(word in text.lower() for word in _DANGER_WORDS)
    ]
    neutral = [
        Example(normalise(text), emotion=EMOTION_LABELS.index(UNSURE), crisis=none, crisis_weight=1)
        for text in neutral_examples()
    ]
    return questions + neutral * _REPEATS


@dataclass(frozen=True)
class TrainingSet:
    """Everything the adapter is trained on; each epoch draws its own views from it."""

    talks: tuple[Dialogue, ...]
    danger: tuple[Example, ...]
    turns: tuple[Example, ...]
    """Messages from the middle of a conversation: for the layer of danger only."""
    posts: tuple[Example, ...]
    others: tuple[Example, ...]
    normalise: Normalise

    @classmethod
    def read(cls, folder: Path, normalise: Normalise) -> TrainingSet:
        """Read the sets of `folder` and our own examples."""
        talks = [talk for talk in dialogues(folder, "train") if talk.speaker]
        others = reply_examples(folder, "train", normalise) + other_examples(folder, normalise)
        return cls(
            tuple(talks),
            tuple(danger_examples(normalise)),
            tuple(danger_examples(normalise, crisis_turns)),
            tuple(forum_posts(folder, normalise)),
            tuple(others),
            normalise,
        )

    def epoch(self, rng: np.random.Generator, *, refining: bool = False) -> list[Example]:
        """Return the examples of one epoch, shuffled.

        Args:
            rng: draws the views and their order.
            refining: leave out the long forum posts and show our own examples more often, since
                the readings are of chat messages.
        """
        examples = [*conversation_examples(self.talks, self.normalise, rng), *self.others]
        examples += self.danger if refining else [*self.danger, *self.posts]
        for _ in range((_REFINING_REPEATS if refining else _REPEATS) - 1):
            examples += [replace(each, text=mistype(each.text, rng)) for each in self.danger]
        order = rng.permutation(len(examples))
        return [examples[i] for i in order]

    def rated(self, rng: np.random.Generator) -> list[Example]:
        """Return texts rated for danger, as the crisis check reads them: one message each."""
        own = [*self.danger, *self.turns]
        slips = [replace(each, text=mistype(each.text, rng)) for each in own]
        others = [each for each in self.others if each.crisis]
        everyday = everyday_messages(self.talks, self.normalise, rng)
        return [*own, *slips, *self.posts, *others, *everyday]


def mistype(text: str, rng: np.random.Generator) -> str:
    """Return the text with a slip in about one word of eight: a letter lost, doubled or swapped."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 3 and word.isalpha() and rng.random() < 0.125:
            at = int(rng.integers(1, len(word) - 1))
            slips = (
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
                word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
            )
            words[i] = slips[int(rng.integers(len(slips)))]
    return " ".join(words)
