"""Wording that no card may use: each rule with what it finds and what it lets pass."""

import pytest

from knowledge.lint import lint_card
from knowledge.lint_wording import WORDING_RULES, faulty_wording
from tests.knowledge.fakes import make_card

WORDINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "suicide-wording": (
        ("He committed suicide.", "Some commit suicide.", "It was a failed attempt."),
        ("He died by suicide.", "Commit to one walk a day.", "You failed an exam."),
    ),
    "false-promise": (
        (
            "Everything will be fine.",
            "Everything’s going to be okay.",
            "You will be all right.",
            "It gets better.",
            "This never fails.",
            "It will all work out.",
        ),
        (
            "It may feel better.",
            "You will be asked for a date.",
            "Write down everything.",
            "Good food gets a better taste.",
            "Work out what you owe.",
        ),
    ),
    "order-to-feel": (
        ("Calm down.", "Cheer up a little.", "Get over it.", "Don't worry.", "Stop crying."),
        (
            "Wait until you both calm down.",
            "It can feel like being told to cheer up.",
            "Calm your body first.",
            "Stop and rest.",
            "Get over the road safely.",
        ),
    ),
    "minimising-just": (
        ("Just breathe.", "You could just tell him.", "It is just a bad day."),
        ("Stop just before it hurts.", "It is not just.", "That is a fair and justified wish."),
    ),
    "minimising": (
        ("At least you have a job.", "Others have it worse.", "It could be worse."),
        (
            "Take at least twenty minutes apart.",
            "Walk for at least an hour.",
            "Others have time for it.",
        ),
    ),
    "order": (
        ("You must tell them.", "You really should go.", "You have to stop."),
        ("You could go.", "Write what you have to do.", "It should feel warm."),
    ),
    "diagnosis": (
        (
            "You have depression.",
            "You may have an anxiety disorder.",
            "This is a sign of PTSD.",
            "You are probably bipolar.",
            "Your depression talks.",
        ),
        (
            "You have a low day.",
            "Studies of depression found this.",
            "It is used in care for PTSD.",
            "You are a parent.",
            "A doctor can tell if it is depression.",
        ),
    ),
    "medicine-advice": (
        (
            "Stop taking your pills.",
            "Take a sleeping tablet.",
            "Try melatonin.",
            "Take 20 mg.",
            "Lower the dose.",
        ),
        (
            "Do not stop your medicine.",
            "Ask a doctor before you change your dose.",
            "Take your notes along.",
            "Ask your doctor about medicine.",
            "Take your pills as your doctor said.",
        ),
    ),
}


def test_every_wording_rule_has_cases() -> None:
    assert [rule.name for rule in WORDING_RULES] == list(WORDINGS)


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, (hits, _) in WORDINGS.items() for text in hits]
)
def test_forbidden_wording_is_found_in_every_field(rule: str, text: str) -> None:
    assert rule in [each.name for each in faulty_wording(text)]
    short = text.replace("?", ".")
    changes: dict[str, object] = {"title": text, "short": short, "body": text}
    for field, value in {**changes, "steps": ["Sit.", text, "Go."], "when_not": [text]}.items():
        findings = lint_card(make_card("one", **{field: value}))
        where = [(each.card, each.field) for each in findings if each.rule == rule]
        conditional = field == "when_not" and rule in {"diagnosis", "medicine-advice"}
        assert where == ([] if conditional else [("one", field)])


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, (_, misses) in WORDINGS.items() for text in misses]
)
def test_wording_that_only_looks_forbidden_passes(rule: str, text: str) -> None:
    assert rule not in [each.name for each in faulty_wording(text)]


def test_quoted_words_and_what_people_write_are_let_pass() -> None:
    assert faulty_wording('Swap "you should cope" for a kind word.') == []
    said = make_card("one", situations=["he said calm down", "you must cope", "just stop"])
    assert {each.rule for each in lint_card(said)} == set()
