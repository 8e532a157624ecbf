"""What a person wrote rules out, and what it does not."""

import re
import tomllib
from pathlib import Path
from timeit import timeit
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.cards import Technique, load_cards
from knowledge.contraindications import (
    ALWAYS_OFFERED,
    DEFAULT_PATH,
    ContraindicationError,
    RuledOut,
    load_contraindications,
)
from tests.knowledge.fakes import make_card

RULES = load_contraindications()
CASES: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "data" / "contraindications.toml").read_text(encoding="utf-8")
)


def cases(kind: str) -> list[tuple[str, str]]:
    return [(name, text) for name, each in CASES.items() for text in each[kind]]


def test_every_rule_has_hits_and_near_misses() -> None:
    assert sorted(CASES) == sorted(RULES.names)
    assert all(len(each["hits"]) >= 2 <= len(each["misses"]) for each in CASES.values())


@pytest.mark.parametrize(("name", "text"), cases("hits"))
def test_a_rule_hits(name: str, text: str) -> None:
    assert name in RULES.holding([text])
    assert name in RULES.holding([text.upper().replace("’", "'"), "And so on."])
    assert name in RULES.holding([f"I am so tired of it all. {text}", "Thanks."])


@pytest.mark.parametrize(("name", "text"), cases("misses"))
def test_a_rule_lets_a_near_miss_pass(name: str, text: str) -> None:
    assert name not in RULES.holding([text])


@pytest.mark.parametrize("apostrophe", ["'", "’", "‘", "ʼ", ""])
def test_apostrophes_of_every_kind_and_none_are_read(apostrophe: str) -> None:
    text = "don't tell me to be grateful".replace("'", apostrophe)
    assert "do-not-tell-me-to-be-positive" in RULES.holding([text])


def test_what_is_ruled_out_is_told_with_reasons_and_without_the_persons_words() -> None:
    out = RULES.ruled_out(["My husband hits me.", "Zanzibar. I hate journaling."])
    assert {"communication", "boundaries", "writing"} <= out.techniques
    assert "jealousy-need-beneath" in out.cards
    assert len(out.why) == 2
    assert not any(word in " ".join(out.why).lower() for word in ("husband", "zanzibar", "hits"))


def test_nothing_said_rules_nothing_out() -> None:
    assert RULES.ruled_out([]) == RuledOut()
    assert RULES.ruled_out(["", "hello", "I feel a bit low today"]) == RuledOut()


def test_a_card_is_out_by_its_technique_or_its_id() -> None:
    out = RuledOut(frozenset({"breathing"}), frozenset({"one"}), ("because",))
    assert out.excludes(make_card("two", technique="breathing"))
    assert out.excludes(make_card("one", technique="grounding"))
    assert not out.excludes(make_card("two", technique="grounding"))
    assert not RuledOut().excludes(make_card("one"))


def test_a_refusal_is_taken_back_by_asking_for_it_later_and_not_earlier() -> None:
    refused, asked = "please no breathing exercises", "ok, show me a breathing exercise then"
    assert "breathing" in RULES.ruled_out([refused]).techniques
    assert "breathing" not in RULES.ruled_out([refused, asked]).techniques
    assert "breathing" in RULES.ruled_out([asked, refused]).techniques
    assert "breathing" in RULES.ruled_out([refused, asked, refused]).techniques
    assert "breathing" in RULES.ruled_out([refused, "show me no breathing exercise"]).techniques


def test_what_was_a_danger_stays_one_whatever_is_asked_later() -> None:
    told = ["My husband hits me.", "Can we talk about setting boundaries?"]
    assert "boundaries" in RULES.ruled_out(told).techniques


def test_an_excuse_in_one_sentence_does_not_excuse_another() -> None:
    assert "violence" in RULES.holding(["My mum never hits me. My dad hits me."])
    assert "violence" not in RULES.holding(["My mum never hits me. My dad is calm."])


def test_people_and_safety_are_never_ruled_out() -> None:
    every = [text for each in CASES.values() for text in each["hits"]]
    out = RULES.ruled_out([*every, "I tried therapy and it didn't help", "no helplines please"])
    assert out.techniques.isdisjoint(ALWAYS_OFFERED)
    # Whatever a person has said, every card that leads to people and safety is left.
    left = {card.id for card in load_cards() if not out.excludes(card)}
    assert left == {card.id for card in load_cards() if card.technique in ALWAYS_OFFERED}
    assert set(get_args(Technique)) - out.techniques == ALWAYS_OFFERED


def test_named_cards_are_shipped() -> None:
    shipped = {card.id for card in load_cards()}
    assert sorted(RULES.cards - shipped) == []


@pytest.mark.parametrize(
    ("technique", "said", "offer"),
    [
        ("writing", "I can't write", r"\bwrit(?:e|ing)\b|\bon paper\b|\bdraft\b"),
        ("breathing", "Breathing exercises make me dizzy", r"\bbreathe\b|\bbreaths? out\b"),
    ],
)
def test_cards_that_ask_for_it_on_the_side_are_out_too(
    technique: str, said: str, offer: str
) -> None:
    out = RULES.ruled_out([said])
    assert technique in out.techniques
    # A new card that asks for it belongs into [beside], unless it leads to people.
    asking = [
        card
        for card in load_cards()
        if re.search(offer, card.short, re.IGNORECASE) and card.technique not in ALWAYS_OFFERED
    ]
    assert len(asking) > 5
    assert [card.id for card in asking if not out.excludes(card)] == []


def test_rules_that_only_name_cards_leave_the_technique() -> None:
    out = RULES.ruled_out(["I'm a truck driver"])
    assert out.techniques == frozenset()
    assert {"wind-down-and-rise-time", "get-up-and-come-back"} <= out.cards


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=300), max_size=4))
def test_any_text_can_be_read(messages: list[str]) -> None:
    out = RULES.ruled_out(messages)
    assert bool(out.why) == bool(out.techniques or out.cards)


@pytest.mark.parametrize(
    "repeated", ["i tried ", "no ", "breathing ", "my ", "he ", "a", ". ", "when i ", "i feel so "]
)
def test_a_long_message_is_read_in_time(repeated: str) -> None:
    text = (repeated * 4000)[:8000]
    assert timeit(lambda: RULES.ruled_out([text]), number=1) < 3


def changed(folder: Path, right: str, wrong: str) -> Path:
    source = DEFAULT_PATH.read_text(encoding="utf-8")
    assert right in source
    path = folder / "rules.toml"
    path.write_text(source.replace(right, wrong, 1), encoding="utf-8")
    return path


RULE = 'name = "flashbacks"'


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (RULE, 'name = "feels-unreal"', "listed twice: feels-unreal"),
        (RULE, f'{RULE}\nauthor = "me"', "author"),
        (RULE, 'name = "Flash backs"', "name"),
        (RULE, 'title = "flashbacks"', "name"),
        ('techniques = ["imagery"]', 'techniques = ["hypnosis"]', "techniques"),
        ('techniques = ["imagery"]', 'techniques = ["safety"]', "safety must stay on offer"),
        ("\nritual = [", "\nsafety = [", "safety must stay on offer"),
        ("'flash ?backs?'", "'flash ?(backs?'", "bad pattern"),
        ("'flash ?backs?'", "'%nobody%'", "bad pattern: 'nobody'"),
        ("wanted = [", "wanted = ['%wanted%', ", "bad pattern"),
        ("\n[lists]\n", "\n[lists\n", "rules.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_a_reason(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    with pytest.raises(ContraindicationError, match=re.escape(told)):
        load_contraindications(changed(tmp_path, right, wrong))


def test_a_rule_must_rule_something_out(tmp_path: Path) -> None:
    text = (
        "lists = {}\nnames = {}\nbeside = {}\neach = []\n"
        '[[rule]]\nname = "one"\nwhy = "w"\nsays = ["x"]\n'
    )
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContraindicationError, match="neither a technique nor a card"):
        load_contraindications(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContraindicationError, match=r"none\.toml"):
        load_contraindications(tmp_path / "none.toml")
