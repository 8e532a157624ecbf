"""What is trained on: the views of a dialogue, soft targets, typing mistakes, and epochs."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.labels import CRISIS_LEVELS, EMOTION_LABELS, INTENTS, UNSURE
from training.data import Dialogue
from training.examples import (
    Example,
    TrainingSet,
    conversation_examples,
    danger_examples,
    forum_posts,
    mistype,
    other_examples,
    reply_examples,
    soft_level,
)

TALK = Dialogue(
    "lonely",
    "Nobody Called On My Birthday",
    (
        ("speaker", "Nobody called.", "lonely"),
        ("listener", "Oh no.", "sympathizing"),
        ("speaker", "Not even my BROTHER.", "sad"),
        ("listener", "Were you close?", "questioning"),
        ("speaker", "We used to be.", "nostalgic"),
    ),
)
SHORT = Dialogue("proud", "I ran ten miles", (("speaker", "I did it!", "proud"),))


def views(talk: Dialogue, seed: int = 0) -> list[Example]:
    return list(conversation_examples([talk], str.lower, np.random.default_rng(seed)))


# --- The views of a dialogue --------------------------------------------------------------------


def test_a_dialogue_gives_its_situation_and_a_part_from_its_first_message_on() -> None:
    situation, part = views(TALK)

    assert situation.text == "nobody called on my birthday"
    assert (situation.intent, situation.turns, situation.earlier) == (-1, 1, ())
    assert part.text.startswith("nobody called.")
    for each in (situation, part):
        assert EMOTION_LABELS[each.emotion] == "lonely"
        assert each.crisis == soft_level("none")
        assert each.reply_intent == -1


def test_the_part_is_the_first_message_the_whole_or_anything_between() -> None:
    texts = Counter(views(TALK, seed)[1].text for seed in range(1000))

    first = "nobody called."
    part = f"{first} [SEP] not even my brother."
    whole = f"{part} [SEP] we used to be."
    assert set(texts) == {first, part, whole}
    # Four in ten, three in ten, and an even draw of all three for the rest.
    assert 450 < texts[first] < 550
    assert 350 < texts[whole] < 450


def test_the_intent_of_a_part_is_what_the_listener_did_next() -> None:
    follows = {1: "sympathizing", 2: "questioning", 3: ""}
    before = {1: (), 2: ("sympathizing",), 3: ("sympathizing", "questioning")}

    for seed in range(30):
        _, part = views(TALK, seed)
        label = follows[part.turns]
        assert part.intent == (INTENTS.index(label) if label else -1)
        assert part.earlier in ((), before[part.turns])


def test_a_quarter_of_the_conversations_come_without_earlier_intents() -> None:
    longer = [part for seed in range(600) if (part := views(TALK, seed)[1]).turns > 1]

    assert 0.18 < np.mean([part.earlier == () for part in longer]) < 0.32


def test_a_dialogue_of_one_message_is_its_own_whole() -> None:
    situation, part = views(SHORT)

    assert (situation.text, part.text) == ("i ran ten miles", "i did it!")
    assert part.intent == -1


def test_everyday_talk_weighs_little_beside_what_is_close_to_danger() -> None:
    everyday = {each.crisis_weight for each in views(TALK)}

    assert len(everyday) == 1
    assert 0 < everyday.pop() < 0.2
    assert {each.crisis_weight for each in danger_examples(str.lower)} == {1.0}


# --- Soft targets -------------------------------------------------------------------------------


@pytest.mark.parametrize("level", CRISIS_LEVELS)
def test_a_soft_level_sums_to_one_peaks_at_the_level_and_falls_off_with_distance(
    level: str,
) -> None:
    targets = soft_level(level)

    place = CRISIS_LEVELS.index(level)
    assert sum(targets) == pytest.approx(1)
    assert targets[place] == max(targets) > 0.8
    distance = [abs(other - place) for other in range(len(targets))]
    by_distance = [targets[i] for i in np.argsort(distance, kind="stable")]
    assert by_distance == sorted(by_distance, reverse=True)
    assert all(each > 0 for each in targets)


def test_our_examples_keep_their_level_and_are_normalised() -> None:
    found = danger_examples(str.upper)

    assert {int(np.argmax(each.crisis)) for each in found} == set(range(len(CRISIS_LEVELS)))
    assert all(each.text == each.text.upper() and each.emotion == -1 for each in found)


# --- The other sets -----------------------------------------------------------------------------


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    talk = {
        "emotion": TALK.emotion,
        "situation": TALK.situation,
        "turns": [{"role": r, "text": t, "label": label} for r, t, label in TALK.turns],
    }
    silent = {"emotion": "sad", "situation": "Hm", "turns": []}
    write(tmp_path / "empathetic_dialogues" / "train.jsonl.gz", talk, silent)
    write(
        tmp_path / "empathetic_intents" / "train.jsonl.gz",
        {"text": "Why?", "label": "questioning"},
        {"text": "I lost my keys.", "label": "annoyed"},
    )
    write(
        tmp_path / "crisis" / "sdcnl_train.jsonl.gz",
        {"text": "One Post", "suicide": 1},
        {"text": "Another Post", "suicide": 0},
    )
    write(
        tmp_path / "counsel_chat" / "questions.jsonl.gz",
        {"title": "Sleep", "text": "I wake at four.", "topic": "sleep"},
        {"title": "Grief", "text": "My father died in May.", "topic": "grief"},
        {"title": "Help", "text": "I feel SUICIDAL.", "topic": "depression"},
    )
    return tmp_path


def test_replies_carry_what_they_do_and_nothing_else(folder: Path) -> None:
    [reply] = reply_examples(folder, "train", str.lower)

    assert reply == Example("why?", reply_intent=INTENTS.index("questioning"))


def test_forum_posts_have_soft_targets_that_sum_to_one(folder: Path) -> None:
    watch, depression = forum_posts(folder, str.lower)

    assert (watch.text, depression.text) == ("one post", "another post")
    assert sum(watch.crisis) == pytest.approx(1)
    assert sum(depression.crisis) == pytest.approx(1)
    assert sum(watch.crisis[2:]) > 0.5 > sum(depression.crisis[2:])
    assert 0 < watch.crisis_weight == depression.crisis_weight < 1
    assert max(watch.crisis) < 0.8


def test_counselling_questions_with_words_of_danger_are_left_out(folder: Path) -> None:
    found = {each.text: each for each in other_examples(folder, str.lower)}

    assert found["sleep i wake at four."].crisis == soft_level("none")
    assert not any("suicidal" in text for text in found)


def test_text_without_emotion_is_unsure_and_harmless(folder: Path) -> None:
    unsure = EMOTION_LABELS.index(UNSURE)
    found = [each for each in other_examples(folder, str.lower) if each.emotion == unsure]

    assert len(found) > 100
    assert {each.crisis for each in found} == {soft_level("none")}


# --- Epochs -------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_epoch_and_another_seed_another(folder: Path) -> None:
    examples = TrainingSet.read(folder, str.lower)

    first = examples.epoch(np.random.default_rng([7, 0]))

    assert first == examples.epoch(np.random.default_rng([7, 0]))
    other = examples.epoch(np.random.default_rng([7, 1]))
    assert first != other
    # Resuming counts batches, so every epoch is as long as the first.
    assert len(first) == len(other)


def test_an_epoch_shows_everything_and_our_own_examples_twice(folder: Path) -> None:
    examples = TrainingSet.read(folder, str.lower)

    epoch = examples.epoch(np.random.default_rng(0))

    assert [talk.situation for talk in examples.talks] == [TALK.situation]
    assert len(epoch) == 2 + len(examples.others) + 2 + 2 * len(examples.danger)
    shown = {*examples.danger, *examples.others, *examples.posts}
    assert not Counter(shown) - Counter(epoch)
    twice = sum(each.crisis_weight == 1.0 and each.emotion == -1 for each in epoch)
    assert twice == 2 * len(examples.danger)
    first = [each.text for each in epoch[: len(examples.danger)]]
    assert first != [each.text for each in examples.danger]


def test_refining_leaves_the_long_posts_out_and_shows_our_own_examples_more_often(
    folder: Path,
) -> None:
    examples = TrainingSet.read(folder, str.lower)

    refining = examples.epoch(np.random.default_rng(0), refining=True)

    assert len(examples.posts) == 2
    assert not set(examples.posts) & set(refining)
    assert len(refining) == 2 + len(examples.others) + 3 * len(examples.danger)
    assert not Counter({*examples.danger, *examples.others}) - Counter(refining)


# --- Typing mistakes ----------------------------------------------------------------------------


@given(st.text("abcdefg. ,'", max_size=200), st.integers(0, 2**32 - 1))
def test_mistyping_keeps_the_count_of_words_and_is_seeded(text: str, seed: int) -> None:
    slipped = mistype(text, np.random.default_rng(seed))

    assert slipped == mistype(text, np.random.default_rng(seed))
    assert len(slipped.split(" ")) == len(text.split(" "))
    for before, after in zip(text.split(" "), slipped.split(" "), strict=True):
        assert abs(len(before) - len(after)) <= 1
        # Nothing is invented: letters are lost, doubled or swapped.
        assert set(after) <= set(before)
        if len(before) <= 3 or not before.isalpha():
            assert after == before


def test_about_one_word_of_eight_slips() -> None:
    text = " ".join(["sometimes"] * 4000)

    slipped = mistype(text, np.random.default_rng(3)).split(" ")

    assert 400 < sum(word != "sometimes" for word in slipped) < 600
    assert {len(word) for word in slipped} == {8, 9, 10}
