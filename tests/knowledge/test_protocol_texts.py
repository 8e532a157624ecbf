"""The protocol's texts: safe and plain wording, enough of it, and strict loading."""

import re
from itertools import product
from pathlib import Path

import pytest

from knowledge.protocol_answers import ANY, load_protocol_answers
from knowledge.protocol_texts import (
    DEFAULT_PATH,
    PLAN_STEPS,
    WORDINGS,
    Audience,
    ProtocolTextError,
    ProtocolTexts,
    load_protocol_texts,
)
from knowledge.readability import PLAIN_GRADE, grade, sentences

TEXTS = load_protocol_texts()
FILLED = {
    "line_name": "Lifeline",
    "line_reach": "call or text us",
    # As where the country is known; whole replies are read with the longer phrase elsewhere.
    "emergency": "112",
    "site": "our site",
}

FORBIDDEN = [
    r"commit\w* suicide",
    r"(un)?successful|failed",
    r"everything (will|is going to)",
    r"(will|'ll|going to) be (ok|okay|fine|all right|alright)",
    r"gets? better",
    r"\bat least\b",
    r"don't worry|calm down|cheer up|get over|snap out",
    r"\bpromise|\bguarantee|\balways\b",
    r"you('re| are) not [^.]*, are you",
    r"aren't you|don't you\b(?! need)|isn't it|won't you",
    r"you (must|have to|should)\b",
    r"or else|unless you",
    r"selfish|coward|attention|crazy|sin\b",
    r"i (know|understand) (exactly )?how you feel",
    r"others? (have|had) it worse|could be worse",
    r"goodbye|bye\b|take care|good luck|farewell",
    r"i('m| am) (a|your) (therapist|doctor|counsell?or|human|person|friend)",
    r"diagnos|disorder|depress(ed|ion)|medication|\bdose",
    r"pills?\b|overdose|gun\b|knife|rope|bridge|poison|\bhang|\bjump|\bblade|\bcut\b|\bburn",
    r"i love|i care|i feel",
]


def test_each_text_is_plain_enough_for_grade_seven() -> None:
    grades = {text.id: grade(text.text.format_map(FILLED)) for text in TEXTS.texts}
    assert {name: found for name, found in grades.items() if found > PLAIN_GRADE} == {}


def test_no_text_has_forbidden_wording() -> None:
    for text, pattern in product(TEXTS.texts, FORBIDDEN):
        assert not re.search(pattern, text.text, re.IGNORECASE), (text.id, pattern)


def test_each_text_is_short_whole_and_sourced() -> None:
    for text in TEXTS.texts:
        said = text.text.format_map(FILLED)
        assert said[0].isupper(), text.id
        assert said[-1] in ".?", text.id
        assert "  " not in said, text.id
        assert len(said.split()) <= 35, text.id
        sources = r"WHO|988|#chatsafe|C-SSRS|disclosure|Stanley and Brown"
        assert all(re.search(sources, each) for each in text.serves), text.id


def test_no_two_texts_share_a_sentence() -> None:
    every = [one.lower() for text in TEXTS.texts for one in sentences(text.text)]
    assert sorted({one for one in every if every.count(one) > 1}) == []


def test_first_questions_are_asked_directly() -> None:
    def first(level: str, about: str = "any") -> str:
        found = TEXTS.wordings("ask", level, "self", place="site", about=about)  # type: ignore[arg-type]
        return found[0].text

    assert "thoughts of suicide?" in first("concern")
    assert "plan to take your own life" in first("high")
    assert "time in mind" in first("high")
    assert "close by?" in first("high")
    assert "ending your life" in first("high", "self_harm")
    assert "alone" in first("imminent")
    assert "safer" in first("imminent")


def test_only_questions_about_thoughts_use_the_words_that_a_denial_is_read_against() -> None:
    # A "no" to one of these is taken for "I have no such thoughts"; a "no" to "is someone with
    # you?" must not be.
    pattern = re.compile(
        r"\b(?:suicide|kill(?:ing)? yourself|end(?:ing)? your life|hurt(?:ing)? yourself)\b",
        re.IGNORECASE,
    )
    direct = {text.id: "?" in text.text for text in TEXTS.texts if pattern.search(text.text)}
    asked = {
        "ask-concern-1",
        "ask-self-harm-1",
        "unknown-any-2",
        "unknown-any-8",
        "check_back-self-1",
        "check_back-self-3",
        "check_back-self-5",
        "check_back-self-7",
    }
    # These quote the words for somebody else to say. They are safe since "ask_them" is planned
    # after the last question of a reply: tests of the escalation's stages read every path for it.
    quoted = {"ask_them-other-2", "ask_them-other-3"}
    assert direct == dict.fromkeys(asked, True) | dict.fromkeys(quoted, False)


def test_every_unknown_text_says_that_it_is_a_program_reading_english() -> None:
    for text in TEXTS.wordings("unknown", "unknown", "self", place="site"):
        assert "English" in text.text
        assert re.search(r"program|software|not a person", text.text)
        assert "?" in text.text


def test_humans_are_asked_for_with_can_and_will() -> None:
    for audience in ("self", "other"):
        found = TEXTS.wordings("human", "high", audience, place="line")
        assert len(found) >= WORDINGS
        assert "Can you and will you" in found[0].text
        assert any("doctor" in text.text for text in found)


def test_choose_takes_the_first_unsaid_and_then_the_one_said_longest_ago() -> None:
    found = TEXTS.wordings("stay", "high", "self", place="site")
    ids = [text.id for text in found]

    def chosen(*used: str) -> str:
        text = TEXTS.choose("stay", "high", "self", place="site", used=used)
        assert text is not None
        return text.id

    assert chosen() == ids[0]
    assert chosen(ids[0], "something-else") == ids[1]
    assert chosen(*ids) == ids[0]
    assert chosen(*ids[2:], ids[1], ids[0]) == ids[2]
    assert TEXTS.choose("means_safety", "concern", "self", place="site") is None


def test_self_harm_has_its_own_wording_only_where_it_needs_one() -> None:
    asked = TEXTS.wordings("ask", "high", "self", place="site", about="self_harm")
    assert {text.about for text in asked} == {"self_harm"}
    plain = TEXTS.wordings("ask", "high", "self", place="site")
    assert {text.about for text in plain} == {"any"}
    stay = TEXTS.wordings("stay", "high", "self", place="site", about="self_harm")
    assert stay == TEXTS.wordings("stay", "high", "self", place="site")


@pytest.mark.parametrize("audience", ["self", "other"])
def test_each_barrier_that_can_be_read_has_a_text_and_each_text_a_reading(
    audience: Audience,
) -> None:
    told = [
        text.kind for text in TEXTS.texts if text.part == "barrier" and text.audience == audience
    ]
    assert set(told) - {ANY} == set(load_protocol_answers().kinds(audience))
    for level in ("concern", "high", "imminent"):
        found = TEXTS.wordings("barrier", level, audience, place="site")
        assert [text.kind for text in found] == told


def test_the_safety_plan_has_its_seven_steps_in_order_with_three_wordings_each() -> None:
    assert PLAN_STEPS == (
        "warning_signs",
        "own_coping",
        "people_and_places",
        "people_to_ask",
        "professionals",
        "safe_surroundings",
        "reasons_to_live",
    )
    for level in ("concern", "high"):
        found = TEXTS.wordings("safety_plan", level, "self", place="site")
        kinds = [text.kind for text in found]
        assert list(dict.fromkeys(kinds)) == list(PLAN_STEPS)
        assert all(kinds.count(step) >= 3 for step in PLAN_STEPS)
    # Nobody makes a plan for hard hours in the middle of an emergency, or for somebody else.
    assert not TEXTS.wordings("safety_plan", "imminent", "self", place="site")
    assert not TEXTS.wordings("safety_plan", "high", "other", place="site")


def changed(folder: Path, right: str, wrong: str) -> Path:
    source = DEFAULT_PATH.read_text(encoding="utf-8")
    assert right in source
    path = folder / "texts.toml"
    path.write_text(source.replace(right, wrong, 1), encoding="utf-8")
    return path


FIRST = 'id = "opening-concern-1"'


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (FIRST, 'id = "ask-concern-x"', "ask-concern-x: .*id does not begin"),
        (FIRST, 'id = "opening-concern-2"', "listed twice: opening-concern-2"),
        (FIRST, "id = 7", r"number 1|7: id"),
        (FIRST, f'{FIRST}\nauthor = "me"', "opening-concern-1: author"),
        ('part = "opening"\n', "", "opening-concern-1: part"),
        ('part = "opening"', 'part = "greeting"', "opening-concern-1: part"),
        ('levels = ["concern"]', 'levels = ["none"]', "opening-concern-1: levels"),
        ('levels = ["concern"]', 'levels = "concern"', "opening-concern-1: levels"),
        ('levels = ["concern"]', "levels = []", "opening-concern-1: levels"),
        ('levels = ["concern"]', 'levels = ["high"]', "fewer than 4 wordings of opening"),
        ('audience = "self"', 'audience = "everyone"', "opening-concern-1: audience"),
        ("Thank you for telling me.", "Call 12345.", "opening-concern-1: .*number or a site"),
        ("Thank you for telling me.", "See example.org.", "opening-concern-1: .*number or a site"),
        ("Thank you for telling me.", "Hi {name}.", "opening-concern-1: .*other slots"),
        ("Thank you for telling me.", "Hi {name.", "opening-concern-1: .*broken slot"),
        ("Please call {emergency} now.", "Please call now.", "emergency-imminent-1: .*other slots"),
    ],
)
def test_a_wrong_text_is_named_by_id_and_field(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    with pytest.raises(ProtocolTextError, match=rf"texts\.toml: .*{told}"):
        load_protocol_texts(changed(tmp_path, right, wrong))


@pytest.mark.parametrize("content", ["", "[[text]", "text = 1", 'text = ["opening"]'])
def test_a_broken_file_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "texts.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ProtocolTextError, match="texts"):
        load_protocol_texts(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProtocolTextError):
        load_protocol_texts(tmp_path / "none.toml")


def test_texts_cannot_be_changed() -> None:
    assert isinstance(TEXTS, ProtocolTexts)
    with pytest.raises(ValueError, match="frozen"):
        TEXTS.texts[0].text = "Other words."
