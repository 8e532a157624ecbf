"""The explicit phrases: each entry by its own examples, and what must hold for any typing style."""

import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.crisis_phrases import DEFAULT_PATH, PhraseError, PhraseReading, load_phrases

PHRASES = load_phrases()
DATA: dict[str, Any] = tomllib.loads(DEFAULT_PATH.read_text(encoding="utf-8"))
RANK = {"none": 0, "concern": 1, "high": 2, "imminent": 3}
NOTHING = PhraseReading("none", ())
CHAT = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "training" / "data" / "crisis_chat.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
HITS = [hit for entry in DATA["phrase"] for hit in entry["hits"]]


def by_name(table: str, key: str = "id") -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", DATA[table], ids=lambda entry: entry[key])


@by_name("phrase")
def test_phrase_reads_its_hits_and_no_near_miss(entry: dict[str, Any]) -> None:
    for hit in entry["hits"]:
        reading = PHRASES.read(hit)
        assert entry["signal"] in reading.signals, hit
        assert RANK[reading.level] >= RANK[entry["level"]], hit
    for near_miss in entry["near_misses"]:
        assert PHRASES.read(near_miss) == NOTHING, near_miss


@by_name("phrase")
def test_phrase_is_needed_for_one_of_its_hits(entry: dict[str, Any]) -> None:
    kept = tuple(p for p in PHRASES.phrases if getattr(p.meaning, "id", "") != entry["id"])
    without = replace(PHRASES, phrases=kept)
    assert any(without.read(hit) != PHRASES.read(hit) for hit in entry["hits"])


@by_name("harmless")
def test_harmless_cancels_what_would_be_an_alarm_without_it(entry: dict[str, Any]) -> None:
    kept = tuple(pair for pair in PHRASES.harmless if pair[0].id != entry["id"])
    assert len(kept) == len(PHRASES.harmless) - 1
    for example in entry["examples"]:
        assert PHRASES.read(example) == NOTHING, example
        assert replace(PHRASES, harmless=kept).read(example) != NOTHING, example


@by_name("language", "name")
def test_other_languages(entry: dict[str, Any]) -> None:
    expected = PhraseReading("high", ("thoughts of suicide",))
    for phrase in entry["phrases"]:
        for text in (phrase, f"{phrase.upper()}!!!", f"😢 {phrase}…", f"hello, {phrase}."):
            assert PHRASES.read(text) == expected, text
    for near_miss in entry["near_misses"]:
        assert PHRASES.read(near_miss) == NOTHING, near_miss


HIDDEN = {
    "i want to kill myself": ("high", "thoughts of suicide"),
    "im going to kill myself tonight": ("imminent", "plan with time"),
    "I'm not suicidal but I wish I wouldn't wake up": ("concern", "wish to be dead"),
    "i'm not suicidal but i want to kill myself": ("high", "thoughts of suicide"),
    "I don't want to die. I want to kill myself": ("high", "thoughts of suicide"),
    "i dont want to die i want to kill myself": ("high", "thoughts of suicide"),
    "I don't want to be alive": ("concern", "wish to be dead"),
    "i don't want to live anymore": ("concern", "wish to be dead"),
    "i dont want to be here anymore": ("concern", "wish to be dead"),
    "why don't i just kill myself": ("high", "thoughts of suicide"),
    "give me one reason not to kill myself": ("high", "thoughts of suicide"),
    "i cant stop thinking about killing myself": ("high", "thoughts of suicide"),
    "i'd rather kill myself than go back to him": ("high", "thoughts of suicide"),
    "i never wanted to kill myself until now": ("high", "thoughts of suicide"),
    "i don't want to kill myself yet": ("high", "thoughts of suicide"),
    "im scared i will kill myself": ("high", "thoughts of suicide"),
    "my essay is on suicide, and i want to kill myself": ("high", "thoughts of suicide"),
    "in the film he dies and i want to kill myself": ("high", "thoughts of suicide"),
    "my dad killed himself when i was 5, i want to die": ("high", "wish to be dead"),
    "killing myself to get away from him": ("high", "thoughts of suicide"),
    "i cut myself with glass on purpose in the kitchen": ("high", "self-harm"),
    "my friend says she wants to kill herself": ("high", "someone else in danger"),
    "my son is cutting": ("high", "someone else in danger"),
    "my son failed the exam and he says he wants to die": ("high", "someone else in danger"),
    "she called the helpline, she wants to die": ("high", "someone else in danger"),
    "he will kill himself if i leave him": ("high", "someone else in danger"),
    "my friend has taken all her pills": ("imminent", "someone else in danger"),
    "she's going to kill herself right now": ("imminent", "someone else in danger"),
}


def test_danger_that_a_careless_exception_would_hide() -> None:
    for text, (level, signal) in HIDDEN.items():
        reading = PHRASES.read(text)
        assert (reading.level, signal in reading.signals) == (level, True), (text, reading)


HARMLESS = [
    "this homework is killing me",
    "dying of laughter",
    "old habits die hard",
    "i could kill for a coffee",
    "just killing time, dead tired",
    "in the film she kills herself",
    "I'm writing my essay on suicide prevention",
    "I volunteer on a crisis line",
    "my uncle died by suicide ten years ago",
    "I don't want to die",
    "I'm not suicidal",
    "I would never kill myself",
    "I used to be suicidal, I'm fine now",
    "kys they said to him",
    "",
    "   \n\t ",
    "💀💀💀",
]


def test_no_danger() -> None:
    assert [text for text in HARMLESS if PHRASES.read(text) != NOTHING] == []


STYLES: dict[str, Callable[[str], str]] = {
    "shouted": str.upper,
    "title": str.title,
    "exclaimed": lambda text: f"{text}!!!",
    "trailing off": lambda text: f"...{text}…",
    "curly": lambda text: text.replace("'", "\u2019"),
    "no apostrophe": lambda text: text.replace("'", ""),
    "emoji": lambda text: f"😭{text.replace(' ', '💔 ', 2)} 🥀",
    "spaces": lambda text: f"  {text.replace(' ', '   ')}\n\n",
    "hidden characters": lambda text: text.replace("l", "l\u200b").replace("i", "i\u00ad"),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in text),
    "accents": lambda text: text.replace("e", "é").replace("i", "ï"),
    "drawn out": lambda text: text.replace("die", "dieeee").replace("myself", "myselffff"),
    "digits": lambda text: text.replace("suicid", "su1c1d").replace("kill", "k1ll"),
    "two for l": lambda text: text.replace("kill", "ki11").replace("die", "d1e"),
    "stars": lambda text: text.replace("kill", "k*ll").replace("suicid", "su*cid"),
    "spaced out": lambda text: text.replace("kill", "k i l l").replace("die", "d.i.e"),
    "slang": lambda text: text.replace("want to", "wanna").replace("kill myself", "kms"),
    "typing error": lambda text: text.replace("myself", "myslef").replace("suicide", "suiside"),
}
BASES = [
    "i want to kill myself",
    "i want to die",
    "i'm thinking about suicide all the time",
    "i'm going to kill myself tonight",
    "i don't want to die",
    "i'm not suicidal",
    "i'd never kill myself",
    "my friend says she'll kill herself tonight",
]


@pytest.mark.parametrize("style", STYLES)
def test_typing_style_changes_nothing(style: str) -> None:
    styled = {base: PHRASES.read(STYLES[style](base)) for base in BASES}
    assert styled == {base: PHRASES.read(base) for base in BASES}


def test_styles_disguise_something() -> None:
    for name, style in STYLES.items():
        assert any(style(base) != base for base in BASES), name


PLAIN = {
    "kms": "kill myself",
    "Unalive": "unalive",
    "sewerslide": "suicide",
    "k i l l  m y s e l f": "kill myself",
    "i w a n t t o d i e": "i want to die",
    "ctb": "kill myself",
    "kys": "kill yourself",
    "idk i cant, im gonna go": "i do not know i cannot, i am going to go",
    "We\u2019re ill; we\u2019ll go": "we are ill. we will go",
    "soooo good!!! 411 1st 4am": "so good. 411 1st 4am",
    "f*** this s*** b*tch": "f this s b tch",
    "it is 3 a m": "it is 3 a m",
}


def test_normalise() -> None:
    assert {text: PHRASES.normalise(text) for text in PLAIN} == PLAIN


PIECES = st.lists(
    st.one_of(
        st.sampled_from([*DATA["normalise"]["words"], *DATA["normalise"]["vocabulary"]]),
        st.text("dieklms1l*!'#.,? \n@$-u\u0301💀", max_size=6),
    )
)


@settings(max_examples=60)
@given(st.one_of(st.text(), PIECES.map(" ".join), PIECES.map("".join)))
def test_reading_any_text_never_fails_and_plain_text_stays(text: str) -> None:
    plain = PHRASES.normalise(text)
    assert PHRASES.normalise(plain) == plain
    reading = PHRASES.read(text)
    assert reading == PHRASES.read(plain)
    assert (reading.level == "none") == (not reading.signals)
    assert not (PHRASES.denies(text) and reading.signals)


def test_danger_is_found_anywhere_in_a_long_post() -> None:
    calm = "\n".join(row["text"] for row in CHAT if row["level"] == "none")
    long, short = (calm[:size].rsplit("\n", 1)[0] for size in (20_000, 1_500))
    assert PHRASES.read(long) == NOTHING
    for number, hit in enumerate(HITS):
        # A long post takes long, and what stands before a hit is the same for all.
        post = long if number % 15 == 0 else short
        assert PHRASES.read(f"{post}\n{hit}") == PHRASES.read(hit), hit
    assert PHRASES.read(f"{HITS[0]}\n{long}") == PHRASES.read(HITS[0])


def test_the_quick_test_before_a_pattern_hides_nothing() -> None:
    always = tuple(phrase._replace(needs=[""]) for phrase in PHRASES.phrases)
    slow = replace(PHRASES, phrases=always)
    for text in [*HITS, *(row["text"] for row in CHAT)]:
        assert slow.read(text) == PHRASES.read(text), text


NASTY = [
    *("a ", "i ", "k*ll ", "d1e3 ", "aaaa ", "k i l l ", "!?.", "\n", "a.a,a ", "💀e\u0301"),
    *("i just really still ", "i do not want to kill myself ", "my friend said that he she "),
    *("in the film she wants to ", "i took all my my my ", "not thinking about ", "我想死你"),
]


def seconds(text: str) -> float:
    start = time.process_time()
    PHRASES.read(text)
    return time.process_time() - start


@pytest.mark.parametrize("unit", NASTY)
def test_reading_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    short, long = ((unit * size)[:size] for size in (8_000, 64_000))
    # Eight times the text: linear takes about 8 times as long, quadratic 64 times. Measured
    # again where other work on the machine got in the way.
    assert any(seconds(long) < 24 * max(seconds(short), 0.005) for _ in range(3))


def test_chat_examples_without_danger_give_no_alarm() -> None:
    calm = [row for row in CHAT if row["level"] == "none"]
    alarms = [row["text"] for row in calm if PHRASES.read(row["text"]) != NOTHING]
    assert len(calm) > 100
    assert len(alarms) <= len(calm) // 200, alarms


def test_denial() -> None:
    for hit in DATA["denial"]["hits"]:
        assert PHRASES.denies(hit), hit
    for near_miss in [*DATA["denial"]["near_misses"], "", "no " * 500, *HITS]:
        assert not PHRASES.denies(near_miss), near_miss
    wrong = [row for row in CHAT if row["level"] != "none" and PHRASES.denies(row["text"])]
    assert not wrong


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('level = "imminent"', 'level = "grave"', "level"),
        ('id = "negated"', 'id = "would-not"', "would-not"),
        ('"kms" = "kill myself"', '"kms" = "wanna die"', "kms"),
        ("%act_self%", "%nobody%", "nobody"),
        ("adv = [", "adv = ['(', ", "bad pattern"),
        ("adv = [", "adv = ['%adv%', ", "bad pattern"),
        ("[denial]", "[denial]\nextra = 1", "extra"),
        ("[denial]", "[denial", "crisis_phrases.toml"),
        ('"0" = "o"', '"00" = "o"', "digits"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "crisis_phrases.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PhraseError, match=said):
        load_phrases(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhraseError, match=r"none\.toml"):
        load_phrases(tmp_path / "none.toml")
