"""Prompts for the reply, one function a prompting strategy.

`empathy` follows the EMPATHY steps (Emotion recognition, Mirroring, Perspective-taking, Active
listening, Tailored response, Helping, Yielding space). The chat template is the tokenizer's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    trim_messages,
)

from graph.state import EmotionReading, Fault, Intent, Strategy
from models.labels import EMOTIONS
from nodes.conversation import clean

_SURE: Final = 0.35
"""Probability from which the emotion is named rather than guessed."""

ROLE: Final = (
    "You are a warm listener in a support chat. You are a computer program, not a person and not "
    "a therapist. You talk about the person, never about yourself."
)

STEPS: Final = (
    "Reply in two to four short, plain sentences: name the feeling, reflect what happened in the "
    "person's own words, say why it makes sense, and {step}. End by leaving room for them to go "
    "on. At most one question. No diagnosis, no medicine, no promise that all will be well, no "
    "phone numbers, no lists."
)

STEP_OF_INTENT: Final[dict[Intent, str]] = {
    "questioning": "ask one gentle, open question about it",
    "acknowledging": "show that you take it seriously",
    "consoling": "comfort them without telling them how to feel",
    "agreeing": "side with what is true in what they say",
    "encouraging": "point to a strength or an effort they showed",
    "sympathizing": "say that it is hard",
    "suggesting": "offer one small step they could take now",
    "wishing": "wish them something that fits",
    "neutral": "stay with what they said",
}

OFFERING_INTENTS: Final = frozenset({"suggesting", "encouraging", "consoling"})
"""Intents with which a coping step is offered; the others listen."""

PLAIN: Final = "Reply to the person in two to four short, plain sentences."


def build_prompt(
    messages: Sequence[AnyMessage],
    *,
    strategy: str,
    emotion: EmotionReading,
    intent: Intent,
    strategies: Sequence[Strategy],
    faults: Sequence[Fault],
    count_tokens: Callable[[str], int],
    history_tokens: int,
) -> list[BaseMessage]:
    """Return the messages for the chat model: instructions, bounded history, the last message.

    Args:
        messages: the conversation, ending with or after a message of the person.
        strategy: "empathy" or "plain".
        emotion: the emotion read this turn.
        intent: the intent chosen this turn.
        strategies: coping strategies that may be offered, best first.
        faults: what was wrong with the last draft, to be named in a retry.
        count_tokens: counts the tokens of a text as the model does.
        history_tokens: most tokens of history; the person's last message always stays, shortened
            at its beginning where it alone is longer.
    """
    system = ROLE + " " + (PLAIN if strategy == "plain" else _empathy(emotion, intent, strategies))
    if faults:
        system += " Your last draft was rejected: " + " ".join(f["why"] for f in faults)
    return [
        SystemMessage(system),
        *bounded_history(messages, count_tokens=count_tokens, most=history_tokens),
    ]


def bounded_history(
    messages: Sequence[AnyMessage], *, count_tokens: Callable[[str], int], most: int
) -> list[BaseMessage]:
    """Return the latest turns that fit into `most` tokens, alternating, the person last."""
    turns: list[BaseMessage] = []
    for message in messages:
        text = clean(message.text)
        kind = type(message) if isinstance(message, HumanMessage | AIMessage) else None
        if kind is None or not text:
            continue
        if turns and isinstance(turns[-1], kind):
            # Chat templates want alternating roles; two messages in a row are one turn.
            turns[-1] = kind(f"{turns[-1].text}\n{text}")
        else:
            turns.append(kind(text))
    while turns and isinstance(turns[-1], AIMessage):
        turns.pop()
    if not turns:
        return []
    last = str(turns[-1].text)
    while count_tokens(last) > most:
        # The end of a long message tells most; halving keeps the count of calls small.
        last = last[len(last) // 2 :]
    turns[-1] = HumanMessage(last)
    return trim_messages(
        turns,
        max_tokens=most,
        token_counter=lambda each: sum(count_tokens(message.text) for message in each),
        strategy="last",
        start_on="human",
    )


def _empathy(emotion: EmotionReading, intent: Intent, strategies: Sequence[Strategy]) -> str:
    parts = []
    label = emotion["label"]
    if label in EMOTIONS:
        sure = emotion["scores"].get(label, 0) >= _SURE
        parts.append(f"The person {'feels' if sure else 'may feel'} {label}.")
    parts.append(STEPS.format(step=STEP_OF_INTENT[intent]))
    if strategies and intent in OFFERING_INTENTS:
        parts.append(f"If you offer a step, offer this one: {strategies[0]['text']}")
    return " ".join(parts)
