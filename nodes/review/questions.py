"""Rules on questions: one leaves room, two are an interview, one alone is no answer."""

import re
from typing import Final

from nodes.review.draft import Draft
from nodes.review.text import without_quotes

_QUESTION: Final = re.compile(r"""\?[!?]*["')\]]*(?=\s|$)""")
_RHETORICAL: Final = re.compile(
    r"^(?:and |but |well,? )?(?:who wouldn't|who could blame|how could you not|why wouldn't you"
    r"|or\b)|^\W*(?:(?:oh|ugh|wow|ouch|again|really|seriously|right|okay|yes|yeah|no|huh|did you"
    r"|have you|is it|are you|was it|do you),?\s?)+\?|^what\?!"
)
"""A question that wants no answer, or the second half of one that does."""
_ASKS: Final = re.compile(
    r"^(?:and |but |so |oh,? (?:no,? )?|well,? |okay,? |ok,? |hi,? |hello,? |hey,? |sure,? |now,? "
    r"|yes,? |please |then,? )*(?:what|how|why|when|where|who|which|whose|are|is|was|were|am|do"
    r"|does|did|have|has|had|can|could|would|will|should|may|might|shall|isn't|aren't|don't|didn't"
    r"|haven't|want|care|any|anything|anyone|ever|in what|for how|since when|tell me|share"
    r"|let me know|say more|go on|feel free|if you(?:'d)? (?:like|want))\b"
)
_GREETING: Final = re.compile(
    r"^\W*(?:(?:oh|hi|hello|hey|there|greetings|good (?:morning|evening|afternoon)|welcome|okay|ok"
    r"|i see|sure|of course|certainly|yes|no|right|well|hmm|alright|sorry|nice to meet you"
    r"|thanks|thank you|(?:thank you|thanks) for (?:reaching out|your message|sharing))\b\W*)+$"
)
_OFFER: Final = re.compile(
    r"^\W*(?:and |so )?(?:i'm|i am) (?:always |right |just )?(?:here|happy|glad|ready|listening"
    r"|all ears|an? \w+)(?: (?:to|for|and) (?:help|listen|assist|support|you|chat|talk)\w*"
    r"(?: (?:you|to you|and|with|listen|help|support|anything|today))*)?\W*$"
)
_INVITES: Final = re.compile(
    r"^(?:please |so |okay,? )*(?:tell me|go on|let me know|say more|feel free to|share)\b"
)


def is_question(folded: str) -> bool:
    """Whether a folded sentence asks the person something."""
    return bool(_QUESTION.search(without_quotes(folded))) and not _RHETORICAL.search(folded)


def many_questions(draft: Draft) -> bool:
    """A second question; "Or is it home?" belongs to the one before."""
    return sum(is_question(folded) for folded in draft.folded) > 1


def only_question(draft: Draft) -> bool:
    """Nothing but a question, perhaps after a greeting or an offer to help."""
    asked = False
    greeted = bool(draft.person) and bool(_GREETING.match(draft.person[-1]))
    for folded in draft.folded:
        if _GREETING.match(folded):
            continue
        if _OFFER.match(folded) and not greeted:
            continue
        if _INVITES.match(folded) or (_QUESTION.search(folded) and not _mirrors_first(folded)):
            asked = True
            continue
        return False
    return asked


def _mirrors_first(folded: str) -> bool:
    """Whether a question holds an acknowledgement: "That hurts, what did he say?"."""
    if not _ASKS.match(folded):
        return len(folded.split()) >= 6
    lead, comma, _ = folded.rpartition(",")
    return bool(comma) and not _ASKS.match(lead) and len(lead.split()) >= 3
