"""The history: bounded, the person last, and a summary of what fell out."""

import time
from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from nodes.prompts.content_words import content_words
from nodes.prompts.history import History, bounded_history, summarize
from tests.fakes import FakeChat

count = FakeChat().count_tokens

LIFE = [
    "hi, can I ask you something?",
    "My husband left me in March and I am alone with two kids. It is so quiet.",
    "yes",
    "I don't know what to say.",
    "The landlord wants to raise the rent, and my boss cut my hours at the bakery.",
    "My sister in Leeds calls every evening, that helps.",
]


def history(*messages: AnyMessage, most: int = 100) -> History:
    return bounded_history(messages, count_tokens=count, most=most)


def texts(turns: list[BaseMessage]) -> list[tuple[str, str]]:
    return [(turn.type, str(turn.text)) for turn in turns]


def test_roles_alternate_and_other_roles_stay_out() -> None:
    found = history(
        HumanMessage("one"),
        HumanMessage("two"),
        SystemMessage("you are evil"),
        AIMessage("three"),
        ToolMessage("tool", tool_call_id="1"),
        AIMessage("four"),
        ChatMessage(content="stranger", role="stranger"),
        HumanMessage(" \u200b"),
        HumanMessage("five"),
        AIMessage("an answer after it"),
    )

    assert texts(found.turns) == [("human", "one\ntwo"), ("ai", "three\nfour"), ("human", "five")]
    assert found.left_out == ()


def test_an_answer_that_nobody_asked_for_does_not_begin_the_history() -> None:
    found = history(AIMessage("Hello, I'm a program."), HumanMessage("hi"))

    assert texts(found.turns) == [("human", "hi")]
    assert found.left_out == ()


def test_a_long_history_keeps_its_latest_turns_and_hands_over_the_others() -> None:
    messages: list[AnyMessage] = []
    for number in range(300):
        messages += [HumanMessage(f"message number {number}"), AIMessage(f"reply number {number}")]
    last = HumanMessage("and this is the last one")

    found = history(*messages, last, most=50)

    assert found.turns[-1].text == last.text
    assert found.turns[-2].text == "reply number 299"
    assert 40 < sum(count(turn.text) for turn in found.turns) <= 50
    kept = [turn.text for turn in found.turns if turn.type == "human"]
    assert [*found.left_out, *kept] == [m.text for m in [*messages, last] if m.type == "human"]


def test_a_huge_last_message_keeps_its_end_and_hands_over_its_beginning() -> None:
    asked = 0

    def counting(text: str) -> int:
        nonlocal asked
        asked += 1
        return count(text)

    text = "My brother is in hospital. " + "word " * 20_000 + "what I mean is this"
    found = bounded_history(
        [HumanMessage("before " * 60), AIMessage("and"), HumanMessage(text)],
        count_tokens=counting,
        most=64,
    )

    assert found.turns[-1].text.endswith("what I mean is this")
    assert 20 < count(found.turns[-1].text) <= 64
    assert asked < 50
    assert [turn.type for turn in found.turns] == ["human"]
    assert found.left_out[0].startswith("before")
    assert found.left_out[1] + str(found.turns[-1].text) == text
    assert summarize(found.left_out).startswith("My brother is in hospital.")


def test_nobody_wrote_anything() -> None:
    assert history(AIMessage("Hi.")) == history() == History([], ())


MESSAGES = st.lists(
    st.builds(
        lambda kind, text: kind(text),
        st.sampled_from([HumanMessage, AIMessage, SystemMessage]),
        st.text(max_size=300) | st.text("ab .<|>", min_size=200, max_size=2000),
    ),
    max_size=12,
)


@given(MESSAGES, st.integers(64, 300))
def test_any_history_is_bounded_alternates_and_ends_with_the_person(
    messages: list[AnyMessage], most: int
) -> None:
    found = bounded_history(messages, count_tokens=count, most=most)

    turns = found.turns
    assert sum(count(turn.text) for turn in turns) <= most
    assert all(one.type != other.type for one, other in pairwise(turns))
    assert {turn.type for turn in turns} <= {"human", "ai"}
    assert all(turn.text.strip() for turn in turns)
    assert not any("<|" in turn.text or "<<" in turn.text for turn in turns)
    if turns:
        assert turns[0].type == turns[-1].type == "human"
    wrote = any(isinstance(each, HumanMessage) and each.text.strip() for each in messages)
    assert wrote or not turns


def test_the_summary_holds_the_situation_and_what_came_later_in_their_words() -> None:
    assert summarize(LIFE) == (
        "My husband left me in March and I am alone with two kids. … "
        "The landlord wants to raise the rent, and my boss cut my hours at the bakery. … "
        "My sister in Leeds calls every evening, that helps."
    )


def test_the_summary_says_nothing_twice_and_leaves_small_talk_out() -> None:
    assert summarize([*LIFE[1:2]] * 9) == summarize(LIFE[1:2])
    assert summarize(["hi", "yes", "I don't know what to say.", ""]) == ""
    assert summarize([]) == ""


def test_the_first_statement_stays_however_much_comes_later() -> None:
    pairs = ["".join(pair) for pair in product("abcdefgh", repeat=2)]
    later = [f"Then {p}uncle sold {p}garden, {p}house and {p}horse." for p in pairs]

    summary = summarize(["My dog Bella died on Sunday.", *later])

    assert summary.startswith("My dog Bella died on Sunday. … ")
    assert 50 < len(summary.split()) <= 60


def test_a_statement_without_a_full_stop_is_cut_between_words() -> None:
    short = summarize([" ".join(f"w{number}x" for number in range(500))])
    long = summarize([" ".join(f"word{number}{'x' * 9}" for number in range(500))])

    assert short.split() == [f"w{number}x" for number in range(24)]
    assert long.split() == [f"word{number}{'x' * 9}" for number in range(10)]


def test_other_scripts_are_summarized_too() -> None:
    said = "मेरो जागिर गयो र परिवारलाई कसरी भनूँ थाहा छैन"

    assert summarize([said]) == said
    assert len(summarize(["我失去了工作" * 500, "家里没有人知道" * 500])) <= 480


@given(st.lists(st.text() | st.text("ab cd.\n?", max_size=2000), max_size=20))
def test_any_summary_is_bounded_and_made_of_what_was_written(written: list[str]) -> None:
    summary = summarize(written)

    assert len(summary.split()) <= 60
    assert len(summary) <= 480
    whole = " ".join(" ".join(text.split()) for text in written)
    assert all(part in whole for part in summary.split(" … ")) or "…" in whole


def test_a_long_thread_is_summarized_in_no_time() -> None:
    written = [" ".join(f"w{i}x{j}." for j in range(400)) for i in range(200)]

    start = time.perf_counter()
    summarize(written)

    assert time.perf_counter() - start < 5


def test_words_that_any_message_can_hold_carry_nothing() -> None:
    assert content_words("I don’t know, it's just that you can't!") == set()
    assert content_words("(My) job's lonelier; LONELY mum?") == {"job", "lonel", "mum"}
