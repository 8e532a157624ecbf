"""Harmful advice is found, and its near misses are not."""

from pathlib import Path

import pytest

from knowledge.cleaning.advice import AdviceRule, AdviceRuleError, advice_rules, harmful_advice

RULES = advice_rules()
HITS = [(rule, text) for rule in RULES for text in rule.hits]
NEAR_MISSES = [(rule, text) for rule in RULES for text in rule.near_misses]


@pytest.mark.parametrize("rule, text", HITS, ids=[text for _, text in HITS])
def test_a_hit_is_found(rule: AdviceRule, text: str) -> None:
    assert rule.name in {fault.name for fault in harmful_advice(text)}


@pytest.mark.parametrize("rule, text", NEAR_MISSES, ids=[text for _, text in NEAR_MISSES])
def test_a_near_miss_is_sound_by_every_rule(rule: AdviceRule, text: str) -> None:
    assert harmful_advice(text) == []


@pytest.mark.parametrize("rule, text", HITS, ids=[text for _, text in HITS])
def test_the_letters_case_and_quotes_do_not_matter(rule: AdviceRule, text: str) -> None:
    for changed in (text.upper(), text.replace("'", "’"), f"  {text}\n\n"):
        assert rule.name in {fault.name for fault in harmful_advice(changed)}


def test_every_kind_of_harm_has_a_rule() -> None:
    assert {rule.name for rule in RULES} == {
        "stop medicine",
        "change a dose",
        "against medicine",
        "false cure",
        "diagnosis",
        "stay with violence",
        "minimise suicide",
        "method",
        "dieting",
        "conversion",
        "spiritual blame",
        "victim blame",
        "secret",
        "hit children",
        "toughen up",
        "against help",
    }


def test_a_fault_shows_no_more_than_the_matched_words() -> None:
    (fault,) = harmful_advice("Anna from Springfield wrote to me. Pray harder and it goes away.")

    assert (fault.name, fault.words) == ("spiritual blame", "pray harder")
    assert "Anna" not in fault.why


def test_quoted_and_reported_words_are_not_advice() -> None:
    assert harmful_advice('He shouted "man up" at me.') == []
    assert harmful_advice("Some people say you need to man up.") == []
    assert harmful_advice("You were told that being gay is a sin.") == []


def test_a_sound_text_has_no_fault() -> None:
    text = (
        "What you describe sounds heavy. A doctor can tell whether a medicine could help. "
        "If you think of suicide, tell someone you trust, and call a crisis line."
    )
    assert harmful_advice(text) == []
    assert harmful_advice("") == []


RULE = '[[rule]]\nname="a"\nwhy="b"\nhits=["x","x","x"]\nnear_misses=["y","y","y"]\n'


@pytest.mark.parametrize(
    "content, problem",
    [
        ("[[rule", "rules.toml"),
        (RULE, "patterns"),
        (RULE + 'patterns=["("]', "bad pattern"),
        (RULE + 'patterns=["%none%"]', "bad pattern"),
        ((RULE + 'patterns=["x"]\n') * 2, "named twice"),
        (RULE + 'patterns=["x"]\nextra=1', "extra"),
    ],
)
def test_unsound_rules_are_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(content)

    with pytest.raises(AdviceRuleError, match=problem):
        advice_rules(path)


def test_missing_rules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AdviceRuleError, match=r"none\.toml"):
        advice_rules(tmp_path / "none.toml")
