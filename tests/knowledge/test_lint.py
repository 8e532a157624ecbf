"""The linter of cards: each rule with what it finds and what it lets pass."""

from pathlib import Path

import pytest

from knowledge.cards import DEFAULT_FOLDER, Card, load_cards
from knowledge.lint import (
    CARDS_PER_EMOTION,
    TOPICS,
    LintFinding,
    begins_with_a_verb,
    lint,
    lint_card,
    lint_folder,
)
from models.labels import EMOTIONS
from tests.knowledge.fakes import make_card, write_card

HARD = "Psychological interventions facilitate considerable emotional regulation capabilities."


def found(cards: list[Card], rule: str) -> list[tuple[str, str]]:
    return [(each.card, each.field) for each in lint(cards) if each.rule == rule]


def whole_library() -> list[Card]:
    """The fewest cards that serve every emotion and topic, without anything to mend."""
    cards = [
        make_card(
            f"e{number}-{copy}",
            emotions=[emotion],
            situations=[f"{emotion} {copy} {time}" for time in ("morning", "noon", "night")],
        )
        for number, emotion in enumerate(EMOTIONS)
        for copy in range(CARDS_PER_EMOTION)
    ]
    return cards + [
        make_card(
            f"t-{topic}",
            topics=[topic],
            short="You could sit down for one minute.",
            situations=[f"{topic.replace('-', '')} {time}" for time in ("early", "late", "now")],
        )
        for topic in TOPICS
    ]


def test_all_shipped_cards_pass() -> None:
    findings = lint_folder()
    assert not findings, "\n" + "\n".join(map(str, findings))


def test_a_whole_library_passes() -> None:
    assert lint(whole_library()) == []


@pytest.mark.parametrize(
    ("field", "hard"),
    [
        ("steps", ["Facilitate emotional regulation.", HARD, HARD]),
        ("short", HARD),
        ("when_not", [HARD]),
        ("body", HARD),
    ],
)
def test_hard_words_are_found_in_each_field(field: str, hard: object) -> None:
    assert found([make_card("one", **{field: hard})], "grade") == [("one", field)]


def test_one_hard_word_among_plain_ones_passes() -> None:
    body = "It helps to breathe out. This is called psychoeducation. You may sit down for it."
    assert found([make_card("one", body=body)], "grade") == []


def test_steps_without_full_stops_are_sentences_of_their_own() -> None:
    steps = ["Look at one thing near you and say what it is"] * 5
    assert found([make_card("one", steps=steps)], "grade") == []


@pytest.mark.parametrize(
    "step",
    [
        "Breathe out slowly.",
        "Slowly name five things.",
        "If it hurts, stop and rest.",
        "In a day or two, ask your school.",
        "The next time, wait a minute.",
        "Then go back in.",
        "Each evening write down two facts.",
        'Say "I need a break" and leave the room.',
        "Bring a friend along.",
        "Ask: is this a real problem now?",
        "Tonight, and gently, put the phone away.",
        "To end, thank yourself.",
    ],
)
def test_a_step_that_says_what_to_do(step: str) -> None:
    assert begins_with_a_verb(step)


@pytest.mark.parametrize(
    "step",
    [
        "You could breathe out slowly.",
        "Breathing out slowly.",
        "A walk outside.",
        "Deep breaths for a minute.",
        "It helps to sit down.",
        "If it hurts, it may help to rest.",
        "Your feet on the floor.",
        "When you are calm.",
        "There is time.",
        "...",
    ],
)
def test_a_step_that_does_not_say_what_to_do(step: str) -> None:
    assert not begins_with_a_verb(step)
    steps = ["Sit down.", step, "Look around you."]
    [finding] = [each for each in lint_card(make_card("one", steps=steps)) if each.rule == "verb"]
    assert finding.why.startswith("step 2 ")


def test_the_same_title_is_found_whatever_its_case_and_marks() -> None:
    cards = [make_card("a", title="Don't wait"), make_card("b", title="don’t wait!")]
    assert found(cards, "same-title") == [("b", "title")]
    assert found([cards[0], make_card("c", title="Don't wait long")], "same-title") == []


def situations(*texts: str) -> list[str]:
    return [*texts, "one of its own", "some other thing entirely", "rain again"][:3]


def test_near_equal_situations_are_found_across_cards_and_within_one() -> None:
    first = make_card("a", situations=situations("I can’t sleep at night, I lie awake"))
    same = ["i cant sleep at night i lie awake", "red", "blue"]
    [finding] = [
        each
        for each in lint([first, make_card("b", situations=same)])
        if each.rule == "same-situation"
    ]
    assert (finding.card, finding.why) == ("b", "number 1 is almost the same as one of a")
    twice = make_card("c", situations=["my dog ran off", "green", "My dog ran off!"])
    assert found([twice], "same-situation") == [("c", "situations")]


def test_situations_that_share_most_but_not_nearly_all_words_pass() -> None:
    # 4 of 6 words shared is under 0.8; 4 of 5 is not.
    base = make_card("a", situations=["my boss yells daily", "x", "y"])
    far = make_card("b", situations=["my boss yells daily at meetings", "z", "w"])
    near = make_card("c", situations=["my boss yells daily again", "v", "u"])
    assert found([base, far], "same-situation") == []
    assert found([base, near], "same-situation") == [("c", "situations")]


def test_an_emotion_served_by_too_few_cards_is_found() -> None:
    cards = whole_library()
    gone = next(card for card in cards if card.emotions == ("proud",))
    [finding] = lint([card for card in cards if card is not gone])
    assert (finding.card, finding.field, finding.rule) == ("", "emotions", "emotion-served")
    assert finding.why == "proud has 3 cards; 4 is the least"


def test_an_emotion_given_twice_counts_once() -> None:
    cards = [card for card in whole_library() if card.emotions != ("proud",)]
    cards += [make_card(f"p{n}", emotions=["proud"] * 2, situations=["a", "b", "c"]) for n in "12"]
    assert "proud has 2 cards" in [each.why for each in lint(cards)][-1]


def test_a_topic_without_a_card_is_found_and_spaces_count_as_hyphens() -> None:
    cards = [card for card in whole_library() if card.id != "t-grief-and-loss"]
    [finding] = lint(cards)
    assert (finding.field, finding.rule) == ("topics", "topic-served")
    assert finding.why == "no card is about grief-and-loss"
    assert lint([*cards, make_card("g", topics=["grief and loss"])]) == []


@pytest.mark.parametrize(
    ("source", "fine"),
    [
        ("Linehan (2015), DBT Skills Training Manual", True),
        ("NHS Every Mind Matters, sleep", True),
        ("#chatsafe guidelines", True),
        ("Common knowledge", False),
        ("Who said it, in 90 pages", False),
        ("Room 20155", False),
    ],
)
def test_a_source_has_a_year_or_a_known_guideline(source: str, fine: bool) -> None:
    assert found([make_card("one", source=source)], "source") == (
        [] if fine else [("one", "source")]
    )


@pytest.mark.parametrize("technique", ["exposure", "communication", "boundaries"])
def test_a_risky_technique_speaks_of_danger(technique: str) -> None:
    silent = make_card("one", technique=technique, when_not=["You are tired.", "It is late."])
    assert found([silent], "danger") == [("one", "when_not")]
    for line in ("You are afraid of them.", "The other person hits you.", "It is not safe."):
        spoken = make_card("one", technique=technique, when_not=["You are tired.", line])
        assert found([spoken], "danger") == []


def test_other_techniques_need_not_speak_of_danger() -> None:
    assert found([make_card("one", technique="breathing")], "danger") == []


SITUATIONS = """\
  - My heart is racing and I can't calm down
  - Everything feels unreal
  - I keep spiralling
"""
OWN = """\
  - The harbour pilots went on strike
  - Our orchard froze in May
  - Nobody fixes the tram to Lund
"""


def test_a_folder_is_read_beside_the_shipped_cards(tmp_path: Path) -> None:
    shipped = load_cards()[0].situations[0]
    write_card(tmp_path, "own", SITUATIONS, OWN)
    write_card(tmp_path, "repeats", SITUATIONS, f'  - "{shipped}"\n  - Zinc\n  - Ochre\n')
    write_card(tmp_path, "bad", "evidence: moderate", "evidence: none")
    findings = [
        (each.card, each.field, each.rule)
        for each in lint_folder(tmp_path)
        if each.card and each.rule != "grade"
    ]
    assert findings == [
        ("bad.md", "evidence", "invalid"),
        ("repeats", "title", "same-title"),
        ("repeats", "situations", "same-situation"),
    ]


def test_a_card_of_the_folder_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    shipped = load_cards()[0]
    text = (DEFAULT_FOLDER / f"{shipped.id}.md").read_text(encoding="utf-8")
    (tmp_path / f"{shipped.id}.md").write_text(text, encoding="utf-8")
    assert [each for each in lint_folder(tmp_path) if each.card] == []


def test_a_folder_that_is_none_is_a_finding(tmp_path: Path) -> None:
    first = lint_folder(tmp_path / "gone")[0]
    assert first == LintFinding("gone", "", "invalid", "is not a folder")


def test_a_finding_reads_as_one_line() -> None:
    assert str(LintFinding("one", "short", "grade", "too hard")) == "one, short: grade: too hard"
    assert str(LintFinding("", "topics", "gap", "none")) == "all cards, topics: gap: none"
