"""What the tests of the composed reply share: a composer, messages, and what reads well."""

import re
from collections.abc import Sequence
from typing import Final, get_args

from graph.state import Intent, Strategy
from knowledge.reply_parts import load_reply_parts
from nodes.compose import Composer

INTENTS: Final[tuple[Intent, ...]] = get_args(Intent)
COMPOSER: Final = Composer(load_reply_parts())

MESSAGES: Final = (
    "I failed my exam and I can't stop thinking about it",
    "My dad died on Monday. I don't know what to do with myself.",
    "I got the job!!!",
    "everything is just a lot right now",
    "What should I do about my boss? He yells at me every day.",
    "idk",
    "You're not helping, that's useless",
    "hi",
    "are you human?",
    "thank you, that helped",
    "good night",
)

FORBIDDEN: Final = re.compile(
    r"everything (?:will|is going to) be|(?:will|going to) be (?:ok|fine|alright|all right)"
    r"|i (?:know|understand) (?:exactly )?how you feel|calm down|don't worry|cheer up|at least you"
    r"|could be worse|\bjust\b|you should|you must|(?<!not )have to be strong|get over|move on"
    r"|\bpromise|i(?: will|'ll) always|always be here|committed|how can i help|good luck"
    r"|i feel\b|i've been|i'm (?:happy|sad|glad|excited|a therapist|a person)\b"
    r"|\bmy (?:own|life|family)\b|diagnosis of|disorder|medic(?:ine|ation)|everything happens"
    r"|better place|time heals|stay positive|your own fault|your it\b|your (?:my|your)\b",
    re.IGNORECASE,
)


def strategy(identifier: str, text: str) -> Strategy:
    return {"id": identifier, "title": identifier, "text": text, "source": "test", "score": 0.5}


STEP: Final = "You could look around and slowly name five things that you can see."
STRATEGIES: Final = (
    strategy("senses", STEP),
    strategy("breath", "It may help to breathe out slowly. Then let your shoulders drop."),
)
STEP_SENTENCES: Final = (
    STEP,
    "It may help to breathe out slowly.",
    "Then let your shoulders drop.",
)


def compose(
    *person: str,
    emotion: str = "sad",
    confidence: float = 0.6,
    intent: Intent = "acknowledging",
    replies: Sequence[str] = (),
    strategies: Sequence[Strategy] = STRATEGIES,
) -> list[str]:
    return COMPOSER.reply(
        emotion=emotion,
        confidence=confidence,
        intent=intent,
        person=person,
        replies=replies,
        strategies=strategies,
    )


def normal(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))


def assert_reads_well(sentences: Sequence[str], case: object = None) -> None:
    """Check the form of a reply and that it says nothing that hurts; `case` is named if not."""
    text = " ".join(sentences)
    said = (case, text)
    assert "{" not in text and "}" not in text and "None" not in text, said
    assert "  " not in text and text == text.strip(), said
    assert all(re.match(r"[A-Z]", sentence) for sentence in sentences), said
    assert all(sentence[-1] in ".?!" for sentence in sentences), said
    assert text.count("?") <= 1, said
    assert 2 <= len(sentences) <= 5, said
    assert 15 <= len(text.split()) <= 110, said
    assert not FORBIDDEN.search(text), said
