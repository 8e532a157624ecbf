"""The review: every phrase rule on its own sentences, the rules of form, and whole drafts."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nodes.review.reviewer import ReviewContext, Reviewer
from nodes.review.rules import (
    DEFAULT_PATH,
    PhraseRule,
    ReviewRuleError,
    ReviewRules,
    load_review_rules,
)
from nodes.review.sentences import split_sentences
from nodes.review.structure import STRUCTURE

DRAFTS = Path(__file__).parent / "data" / "review_drafts.jsonl"
GOOD = [
    "I hear how heavy this is.",
    "Failing an exam after so much work hurts, and it makes sense that you can't stop crying.",
    "If you like, you could put a hand on your chest and take three slow breaths.",
    "There is no rush.",
    "What feels hardest right now?",
]


@cache
def rules() -> ReviewRules:
    return load_review_rules()


@dataclass(frozen=True)
class OneLine:
    """A registry with one help line."""

    def allows_number(self, number: str, /) -> bool:
        return "".join(filter(str.isdigit, number)) == "116123"

    def allows_url(self, url: str, /) -> bool:
        return url.endswith("findahelpline.com")


def faults(
    draft: str | Sequence[str],
    person: str | Sequence[str] = "I failed my exam.",
    replies: Sequence[str] = (),
    *,
    strategies: Sequence[str] = (),
    registry: OneLine | None = None,
    finished: bool = True,
) -> set[str]:
    sentences = split_sentences(draft) if isinstance(draft, str) else draft
    messages = (person,) if isinstance(person, str) else tuple(person)
    context = ReviewContext(messages, tuple(replies), tuple(strategies))
    found = Reviewer(rules(), registry).review(sentences, context, finished=finished)
    return {fault["name"] for fault in found}


@pytest.mark.parametrize("rule", rules().phrases, ids=lambda rule: rule.name)
def test_phrase_rule_hits_its_hits_and_spares_its_near_misses(rule: PhraseRule) -> None:
    assert [sentence for sentence in rule.hits if not rule.matches(sentence)] == []
    assert [sentence for sentence in rule.near_misses if rule.matches(sentence)] == []


@pytest.mark.parametrize("rule", rules().phrases, ids=lambda rule: rule.name)
def test_phrase_rule_reaches_the_verdict(rule: PhraseRule) -> None:
    for hit in rule.hits:
        draft = [hit] if rule.where == "first" else ["That sounds hard.", hit]
        assert rule.name in faults(draft), hit


@cache
def drafts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in DRAFTS.read_text(encoding="utf-8").splitlines()]


@cache
def judged() -> list[tuple[dict[str, Any], set[str]]]:
    """Each draft with the faults that are found in it."""

    def faults_of(row: dict[str, Any]) -> set[str]:
        said = {
            role: [message["content"] for message in row["messages"] if message["role"] == role]
            for role in ("user", "assistant")
        }
        return faults(row["reply"], said["user"], said["assistant"])

    return [(row, faults_of(row)) for row in drafts()]


def test_bad_drafts_are_stopped_for_the_right_fault() -> None:
    bad = [(row, found) for row, found in judged() if row["bad"]]
    missed = [row["reply"] for row, found in bad if row["fault"] not in found]
    assert len(bad) >= 60
    assert len(missed) <= 0.02 * len(bad), missed


def test_good_drafts_pass() -> None:
    good = [(row, found) for row, found in judged() if not row["bad"]]
    stopped = [(found, row["reply"]) for row, found in good if found]
    assert len(good) >= 60
    assert len(stopped) <= 0.02 * len(good), stopped


def test_every_rule_is_met_by_a_draft() -> None:
    met = {name for row, found in judged() if row["bad"] for name in found}
    assert met >= {rule.name for rule in rules().phrases} - {"leading question about danger"}
    assert met >= STRUCTURE.keys()


def test_a_warm_reply_passes_at_each_step() -> None:
    for end in range(1, len(GOOD) + 1):
        assert faults(GOOD[:end], finished=False) == set()
    assert faults(GOOD) == set()


@pytest.mark.parametrize(
    "spelling", ["YOU’RE CLEARLY DEPRESSED.", "You are clearly **depressed**."]
)
@pytest.mark.parametrize("hide", [str, lambda text: text.replace("e", "e\u200b")])
def test_spelling_does_not_hide_a_fault(spelling: str, hide: Callable[[str], str]) -> None:
    assert "diagnosis" in faults(["That sounds hard.", hide(spelling)])


def test_words_that_only_the_person_may_bring_up() -> None:
    draft = ["Living with depression wears you out.", "How is today?"]
    assert "diagnosis" in faults(draft, "I can't get out of bed")
    assert faults(draft, "my depression is back") == set()
    assert "diagnosis" in faults("That's hard. I think you have depression.", "Is it depression?")
    assert faults("Seeing the pills there each day is hard.", "I stare at the pills") == set()


def test_quoted_words_are_a_suggestion_not_a_claim() -> None:
    offer = 'You could tell him, "I love you, Dad, and I need a break."'
    assert faults(["That sounds hard.", offer]) == set()
    assert "romance or dependence" in faults(["That sounds hard.", '"I love you."'])


def test_a_farewell_is_fine_when_the_person_says_goodbye() -> None:
    draft = "I'm glad this helped a little. Good night."
    assert "closes the conversation" in faults(draft, "I failed my exam")
    assert faults(draft, "thanks, I'm going to bed") == set()


def test_only_a_question_is_held_and_can_be_cured() -> None:
    first = ["How did your parents take it?"]
    assert faults(first, finished=False) == Reviewer.holding == {"only a question"}
    assert faults([*first, "It must be hard to face them."], finished=False) == set()
    assert faults("Hello! I'm here to help. How can I help you today?") == {"only a question"}
    assert faults("Hi! I'm here to listen. What's on your mind?", "hello") == set()
    assert faults("That must have stung, what did he say?") == set()


@pytest.mark.parametrize(
    ("draft", "count"),
    [
        ("That's hard. Is it the exam? Or is it home?", False),
        ("That's hard. Is it the exam, or home?", False),
        ("And who wouldn't? That's hard. Is it home?", False),
        ('You ask "why me?" a lot. That hurts. Is it home?', False),
        ("That's hard. Is it home? What did he say?", True),
    ],
)
def test_questions_are_counted_as_a_reader_would(draft: str, count: bool) -> None:
    for finished in (True, False):
        assert ("more than one question" in faults(draft, finished=finished)) is count


def test_repetition() -> None:
    earlier = "It sounds like work has been very hard for you lately. I see."
    near = "It sounds like work has been really hard for you lately."
    assert "repetition" in faults(near, replies=[earlier])
    assert faults("I see. Tonight it all came together.", replies=[earlier]) == set()
    assert "repetition" in faults("That hurts a lot. It is late. That hurts a lot!")
    offer = "You could look around and slowly name five things that you can see."
    draft = f"That fear is back. {offer}"
    assert "repetition" in faults(draft, replies=[offer])
    assert faults(draft, replies=[offer], strategies=[offer]) == set()


def test_echo_and_speaking_as_the_person() -> None:
    person = "I failed my exam and my dad will be so angry because I lied to him about it"
    assert "echo" in faults(["You wrote: " + person + "."], person)
    assert "speaks as the person" in faults("I failed my exam. That hurts.", person)
    assert "speaks as the person" in faults("This is hard for my dad too.", person)
    assert faults("You failed your exam and your dad will be angry.", person) == set()
    assert faults("I'm sorry, I know this matters to you.", "I know this is silly") == set()


@pytest.mark.parametrize(
    "sentence",
    [
        "Call 0800 123 9876 now.",
        "Text HOME to 741741.",
        "There is also 988.",
        "Dial nine one one.",
        "Call 1-800-273-TALK.",
        "See www.help-me.org/now.",
        "Write to help@example.com.",
    ],
)
def test_numbers_and_addresses_need_the_registry(sentence: str) -> None:
    for registry in (None, OneLine()):
        assert "unknown number or address" in faults(["That is hard.", sentence], registry=registry)


def test_registry_lines_and_plain_numbers_pass() -> None:
    known = [
        "Samaritans are there on 116 123.",
        "You could call 116 123 (116 123 is free).",
        "You can look at findahelpline.com.",
    ]
    assert faults(["That is hard.", *known], registry=OneLine()) == set()
    plain = "In 2021 you called her 300 times, and 5-4-3-2-1 breathing at 10:30 helped."
    assert faults(["That is hard.", plain]) == set()


@pytest.mark.parametrize(
    ("fault", "draft"),
    [
        ("format leak", "That is hard.\n- Rest\n- Eat"),
        ("format leak", "*hugs you gently* That is hard."),
        ("empty", "... 💛"),
        ("not finished", "That is hard and I"),
        ("gibberish", "That is is is is hard."),
        ("gibberish", "I see you, I see you, I see you, I see you."),
        ("gibberish", "%$# @@ !! (a) && ^^ ~~ ||"),
        ("wrong language", "Lo siento mucho que te sientas así."),
        ("wrong language", "मुझे बहुत दुख है कि आप ऐसा महसूस कर रहे हैं।"),
        ("too long", "That is hard. " + "So much of it came in one week for you. " * 17),
    ],
)
def test_form(fault: str, draft: str) -> None:
    assert fault in faults(draft)


def test_form_has_limits() -> None:
    assert faults("That is hard. 💛") == set()
    assert "too long" not in faults("That is hard. " * 53)
    assert "wrong language" not in faults(
        "Siento mucho que estés triste hoy.", "Estoy muy triste y no puedo dormir"
    )
    draft = "That is hard and I"
    assert "not finished" not in faults(draft, finished=False)


def test_why_never_quotes_and_each_rule_speaks_once() -> None:
    draft = ["Everything will be fine.", "Zebra, don't worry about it.", "You'll be fine, zebra."]
    context = ReviewContext(("I lost my zebra.",), (), ())
    found = Reviewer(rules(), None).review(draft, context, finished=True)
    names = [fault["name"] for fault in found]
    assert names.count("minimising or blanket reassurance") == 1
    assert all(fault["why"] and "zebra" not in fault["why"].lower() for fault in found)


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer slows every line")
def test_review_is_quick_enough_for_streaming() -> None:
    context = ReviewContext(("I failed my exam.",) * 4, (" ".join(reversed(GOOD)),) * 4, ())
    reviewer = Reviewer(rules(), None)
    durations = []
    for _ in range(60):
        start = time.perf_counter()
        reviewer.review(GOOD, context, finished=True)
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.003


def test_the_file_is_checked(tmp_path: Path) -> None:
    good = DEFAULT_PATH.read_text(encoding="utf-8")
    broken = {
        "not toml": "= 1",
        "unknown key": good.replace("\nquoted = true", "\nquotd = true", 1),
        "wrong type": good.replace("\nquoted = true", '\nquoted = "yes"', 1),
        "bad pattern": good.replace("patterns = [", 'patterns = ["(", ', 1),
        "unknown list": good.replace("patterns = [", 'patterns = ["%nothing%", ', 1),
        "no near misses": good.replace("near_misses = [", "near_misses = []\nunsaid = [", 1),
        "named twice": good.replace('name = "diagnosis"', 'name = "refusal"'),
        "form without code": good.replace('name = "echo"', 'name = "echoes"'),
    }
    for text in broken.values():
        assert text != good
        path = tmp_path / "rules.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ReviewRuleError):
            load_review_rules(path)
    with pytest.raises(ReviewRuleError):
        load_review_rules(tmp_path / "missing.toml")
