"""The prompt for a reply, in one of several strategies.

`empathy` follows the EMPATHY steps (Emotion recognition, Mirroring, Perspective-taking, Active
listening, Tailored response, Helping, Yielding space); the words of all are in `strategies.toml`.
The chat template is the tokenizer's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage

from graph.state import EmotionReading, Fault, IntentChoice, Strategy
from knowledge.sentences import split_sentences
from models.labels import EMOTIONS
from nodes.compose_reading import TENTATIVE
from nodes.conversation import clean, read_conversation
from nodes.prompts.history import bounded_history, summarize
from nodes.prompts.material import block
from nodes.prompts.stage import read_stage
from nodes.prompts.words import Certainty, PromptWords, Stage, prompt_words

_TORN: Final = 0.5
"""Share of the first emotion's probability from which the second is a guess as good."""

_MOST_STRATEGIES: Final = 3
_STRATEGY_WORDS: Final = 60
_SUGGESTED: Final = 5
_SLUG: Final = re.compile(r"[a-z]+(?:-[a-z0-9]+)*")


def build_prompt(
    messages: Sequence[AnyMessage],
    *,
    strategy: str,
    emotion: EmotionReading,
    intent: IntentChoice,
    strategies: Sequence[Strategy],
    faults: Sequence[Fault],
    count_tokens: Callable[[str], int],
    history_tokens: int,
    asks: bool = False,
    offered: Sequence[str] = (),
    feelings: Mapping[str, str] | None = None,
) -> list[BaseMessage]:
    """Return the messages for the chat model: instructions, bounded history, the last message.

    Args:
        messages: the conversation, ending with or after a message of the person.
        strategy: the prompting strategy, one of `strategy_names()`.
        emotion: the emotion read this turn.
        intent: the intent chosen this turn, with its reason.
        strategies: coping strategies that may be offered, best first.
        faults: what was wrong with the last draft, to be named in a retry.
        count_tokens: counts the tokens of a text as the model does.
        history_tokens: most tokens of history; the person's last message always stays, shortened
            at its beginning where it alone is longer. What falls out is summarized.
        asks: whether the person asks what to do.
        offered: ids of strategies that this thread has offered before, oldest first.
        feelings: the word for each emotion after "feels"; default: its label.

    Raises:
        ValueError: no strategy of prompting has this name.
    """
    words = prompt_words()
    template = words.strategies.get(strategy)
    if template is None:
        raise ValueError(f"prompting must be one of {', '.join(words.strategies)}")
    certainty, feeling = _feeling(words, emotion, feelings or {})
    stage = read_stage(read_conversation(messages), intent, asks=asks, has_steps=bool(strategies))
    # The other strategies are the same at every stage.
    staged = "{steps}" in template
    system = template.format(
        role=words.role,
        rails=words.rails.format(question=words.stages[stage if staged else "listen"].question),
        feeling=feeling,
        recognition=words.recognition[certainty],
        intent=words.intents[intent["label"]],
        steps=_steps(words, stage, intent, certainty),
        lead=words.stages[stage].lead,
    )
    if faults:
        system += " ".join([f" {words.retry}", *(fault["why"] for fault in faults)])
    history = bounded_history(messages, count_tokens=count_tokens, most=history_tokens)
    blocks = []
    if summary := summarize(history.left_out):
        blocks.append(block(words.summary, [summary]))
    if staged and stage in ("help", "initiative"):
        blocks += _offers(words, strategies, offered)
    if blocks:
        system = "\n".join([f"{system} {words.material}", *blocks])
    return [SystemMessage(system), *history.turns]


def _feeling(
    words: PromptWords, emotion: EmotionReading, feelings: Mapping[str, str]
) -> tuple[Certainty, str]:
    """Name the emotion, guess among two, or say that it is not clear."""
    label, scores = emotion["label"], emotion["scores"]
    if label not in EMOTIONS:
        return "unsure", words.feeling.unsure
    first, score = feelings.get(label, label), scores.get(label, 0.0)
    if score >= TENTATIVE:
        return "named", words.feeling.named.format(first=first)
    second = next((each for each in scores if each in EMOTIONS and each != label), None)
    if second is None or scores[second] < _TORN * score:
        return "guessed", words.feeling.guessed.format(first=first)
    torn = words.feeling.torn.format(first=first, second=feelings.get(second, second))
    return "guessed", torn


def _steps(words: PromptWords, stage: Stage, intent: IntentChoice, certainty: Certainty) -> str:
    steps = words.stages[stage].steps
    clauses = []
    for step in steps:
        if step != "intent":
            clause = words.steps[step].format(recognition=words.recognition[certainty])
        elif intent["label"] == "suggesting" and "helping" in steps:
            continue  # Helping says the same.
        else:
            clause = words.intents[intent["label"]]
        clauses.append(clause)
    return f"{', '.join(clauses[:-1])}, and {clauses[-1]}"


def _offers(
    words: PromptWords, strategies: Sequence[Strategy], offered: Sequence[str]
) -> list[str]:
    blocks = []
    texts = [_shorten(strategy["text"]) for strategy in strategies[:_MOST_STRATEGIES]]
    if texts:
        blocks.append(block(words.offer.one if len(texts) == 1 else words.offer.many, texts))
    # Retrieval brings an old one back only when the person asks for it.
    found = {strategy["id"] for strategy in strategies}
    # An id is the only trace of what was offered; those of cards are words, others say nothing.
    old = (each for each in reversed(offered) if each not in found and _SLUG.fullmatch(each))
    names = [each.replace("-", " ") for each in islice(dict.fromkeys(old), _SUGGESTED)]
    if names:
        blocks.append(block(words.suggested, ["; ".join(names)]))
    return blocks


def _shorten(text: str) -> str:
    """Keep the leading sentences of a text; a passage of a document can be long."""
    whole = " ".join(clean(text).split())
    kept: list[str] = []
    count = 0
    for sentence in split_sentences(whole):
        count += len(sentence.split())
        if count > _STRATEGY_WORDS:
            break
        kept.append(sentence)
    return "".join(kept).strip() or " ".join(whole.split()[:_STRATEGY_WORDS])
