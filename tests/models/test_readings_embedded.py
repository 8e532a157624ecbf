"""The shipped adapter and heads, on plain messages: not how good they are, but that they work.

`empathy evaluate` measures how good they are.
"""

from itertools import cycle, islice

import pytest

from evaluation.crisis_reading import metamorphic
from graph.resources import Perception, load_perception
from models.encoder import EMBEDDED_ID
from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS, UNSURE
from models.weight_files import WEIGHTS_DIR, check_sum
from nodes.crisis import CrisisReader
from nodes.emotion import read_emotion
from nodes.intent import predict_intent
from nodes.reading import TextReader
from tests.fakes import fake_settings

pytestmark = pytest.mark.embedded

DAYS = (
    "This morning I walked to the market and bought bread, apples and a bunch of mint.",
    "My neighbour was fixing his bike again, and we talked about the roads for a while.",
    "At work we moved the desks, so now I sit beside the window and see the whole street.",
    "Lunch was soup, which was fine, and then there was a long meeting about the printer.",
    "My sister sent a picture of her new kitchen, with yellow tiles and a very big oven.",
    "In the afternoon it rained, so the children played cards on the floor of the hall.",
    "I still have to write to the landlord about the lift, because the doors are too slow.",
    "We watched the second half of the match, and our team won with a goal at the end.",
    "For dinner I tried the recipe with lentils, and everybody took a second plate of it.",
    "Tomorrow I want to plant the tomatoes, if the shop has the right kind of soil by then.",
)


@pytest.fixture(scope="module")
def seen() -> Perception:
    return load_perception(fake_settings())


@pytest.fixture(scope="module")
def danger(seen: Perception) -> CrisisReader:
    assert seen.crisis_reader is not None, seen.problems
    return seen.crisis_reader


@pytest.fixture(scope="module")
def reader(seen: Perception) -> TextReader:
    assert seen.reader is not None, seen.problems
    return seen.reader


def test_everything_that_ships_loads(seen: Perception, reader: TextReader) -> None:
    assert seen.problems == ()
    digest = check_sum(WEIGHTS_DIR / "adapter.safetensors")
    assert reader.encoder.id == f"{EMBEDDED_ID}+{digest[:12]}"
    assert seen.encoder is not None and seen.encoder.id == EMBEDDED_ID
    heads = (seen.emotion_head, seen.intent_head, seen.reply_intent_head)
    assert [head.labels for head in heads if head] == [EMOTION_LABELS, INTENTS, INTENTS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My grandmother died last week and I can't stop crying.", {"sad", "devastated"}),
        ("Nobody has called me in weeks. I eat alone every day.", {"lonely", "sad"}),
        ("My boss lied about me in front of everyone. I could scream.", {"angry", "furious"}),
        ("My son won first prize at school and I told everybody!", {"proud"}),
        (
            "There is someone in the garden and I'm home alone. I'm shaking.",
            {"afraid", "terrified"},
        ),
        (
            "I have a job interview tomorrow and I can't sleep because of it.",
            {"anxious", "apprehensive"},
        ),
        ("I read my sister's diary and now I feel awful about it.", {"guilty", "ashamed"}),
        ("I slipped on stage and the whole school laughed.", {"embarrassed", "ashamed"}),
        ("My friend paid my rent when I had nothing. I can't thank her enough.", {"grateful"}),
        ("My best friend got the house I always wanted. It should be mine.", {"jealous"}),
        ("hey, how does this work?", {UNSURE}),
        ("ok one sec, brb", {UNSURE}),
    ],
)
def test_the_emotion_of_a_plain_message(
    seen: Perception, reader: TextReader, text: str, expected: set[str]
) -> None:
    assert seen.emotion_head is not None
    reading = read_emotion(reader, seen.emotion_head, (text,))

    assert reading["label"] in expected


def test_the_next_intent_depends_on_what_was_said_and_done(
    seen: Perception, reader: TextReader
) -> None:
    assert seen.intent_head is not None
    told = ("My dog died yesterday.", "She was fourteen.")

    first = predict_intent(reader, seen.intent_head, told[:1], [])
    later = predict_intent(reader, seen.intent_head, told, ["questioning"])

    assert set(first) == set(later) == set(INTENTS)
    assert next(iter(first)) in {"sympathizing", "consoling", "questioning"}
    assert later["questioning"] < first["questioning"]


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("My cat knocked over the plant again.", "none", "none"),
        ("This homework is killing me, I have three essays to write.", "none", "none"),
        ("I lost my job and I don't know how to tell my wife.", "none", "none"),
        ("I'm dying to see the new film on friday!", "none", "none"),
        ("I wish I could go to sleep and never wake up.", "concern", "high"),
        ("Everyone would be better off without me.", "concern", "high"),
        ("I keep thinking about killing myself.", "high", "imminent"),
        ("I cut myself again last night.", "high", "imminent"),
        ("I have the pills in my hand and I'm going to take them all now.", "imminent", "imminent"),
    ],
)
def test_the_danger_of_a_plain_message(
    danger: CrisisReader, text: str, least: str, most: str
) -> None:
    level = danger.read(text).level

    assert level in CRISIS_LEVELS
    assert CRISIS_LEVELS.index(least) <= CRISIS_LEVELS.index(level) <= CRISIS_LEVELS.index(most)


@pytest.fixture(scope="module")
def long_post() -> str:
    post = "\n".join(islice(cycle(DAYS), 130))
    assert len(post.split()) > 2000
    return post


def test_a_long_harmless_post_is_harmless(danger: CrisisReader, long_post: str) -> None:
    assert danger.read(long_post).level == "none"


@pytest.mark.parametrize(
    "line",
    [
        "I am going to kill myself.",
        "I want to end my life and I think about how to do it every night.",
    ],
)
def test_danger_in_the_last_line_of_a_long_post_is_found(
    danger: CrisisReader, long_post: str, line: str
) -> None:
    assert danger.read(f"{long_post}\n{line}").level in ("high", "imminent")


def test_the_head_alone_finds_it_too(danger: CrisisReader, long_post: str) -> None:
    line = "I want to end my life and I think about how to do it every night."

    vectors, terms = danger.texts.message(f"{long_post}\n{line}")

    assert len(vectors) > 5
    assert danger.head.ordinal(vectors, terms)[0] in ("high", "imminent")


def test_typing_style_keeps_the_level(danger: CrisisReader) -> None:
    kept = metamorphic(danger)["kept"]

    assert kept["of"] > 200
    assert kept["share"] >= 0.95
