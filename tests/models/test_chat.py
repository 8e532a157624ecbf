"""`ChatModel.stream` over small models of LangChain: limits, failures and readers that leave."""

import gc
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.chat import ChatError, given_up
from tests.models.scripted import SECRET, ScriptedChat, chat_threads, scripted, stream, wait_for

ROOT = Path(__file__).parents[2]


def test_pieces_arrive_while_the_model_still_writes() -> None:
    go_on = threading.Event()

    def script() -> Iterator[str]:
        yield "one "
        assert go_on.wait(5)
        yield ""
        yield "two"

    model = scripted(script)
    pieces = stream(model)
    assert next(pieces) == "one "
    go_on.set()
    assert list(pieces) == ["two"]
    assert isinstance(model.model, ScriptedChat)
    assert model.model.calls == [{"max_tokens": 9, "temperature": 0.3}]


def test_a_failure_surfaces_at_once_and_without_its_text() -> None:
    def script() -> Iterator[str]:
        yield "one"
        raise KeyError(SECRET)

    pieces = stream(scripted(script), timeout=30)
    assert next(pieces) == "one"
    start = time.monotonic()
    with pytest.raises(ChatError, match="KeyError") as caught:
        next(pieces)
    assert time.monotonic() - start < 2
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("failure", [SystemExit(3), MemoryError(), StopIteration()])
def test_no_kind_of_failure_leaves_the_reader_waiting(failure: BaseException) -> None:
    def script() -> Iterator[str]:
        yield "one"
        raise failure

    with pytest.raises(ChatError, match=r"SystemExit|MemoryError|RuntimeError"):
        list(stream(scripted(script), timeout=30))


def test_an_engines_own_explanation_is_kept() -> None:
    def script() -> Iterator[str]:
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise ChatError("start the server") from None
        yield ""

    with pytest.raises(ChatError, match="start the server") as caught:
        list(stream(scripted(script)))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("texts", [[], [""], [" ", "\n"]])
def test_an_empty_answer_is_an_error(texts: list[str]) -> None:
    with pytest.raises(ChatError, match=r"empty answer|ValueError"):
        list(stream(scripted(lambda: iter(texts))))


def test_a_model_that_hangs_is_given_up() -> None:
    release = threading.Event()

    def script() -> Iterator[str]:
        yield "one"
        release.wait(20)
        yield "two"

    pieces = stream(scripted(script), timeout=0.3)
    assert next(pieces) == "one"
    start = time.monotonic()
    with pytest.raises(ChatError, match=r"longer than 0\.3 s"):
        next(pieces)
    assert time.monotonic() - start < 2
    release.set()
    assert wait_for(lambda: not chat_threads())


class Counter:
    def __init__(self) -> None:
        self.tokens = 0
        self.closed = False
        self.abandoned = False

    def endless(self) -> Iterator[str]:
        event = given_up()
        try:
            while True:
                self.tokens += 1
                yield "word "
                time.sleep(0.01)
        finally:
            self.closed, self.abandoned = True, event.is_set()


def test_the_limit_is_for_the_whole_answer() -> None:
    counter = Counter()
    with pytest.raises(ChatError, match="longer than"):
        list(stream(scripted(counter.endless), timeout=0.3))
    assert wait_for(lambda: counter.closed)


@pytest.mark.parametrize("how", ["close", "drop"])
def test_a_reader_that_leaves_stops_the_model(how: str) -> None:
    counter = Counter()
    pieces = stream(scripted(counter.endless), timeout=60)
    next(pieces)
    if how == "close":
        pieces.close()  # type: ignore[attr-defined]
    del pieces
    gc.collect()
    assert wait_for(lambda: counter.closed, 2)
    assert counter.abandoned
    assert wait_for(lambda: not chat_threads())


def test_a_reader_that_stops_reading_does_not_keep_the_model_busy() -> None:
    counter = Counter()
    pieces = stream(scripted(counter.endless), timeout=0.3)
    next(pieces)
    assert wait_for(lambda: counter.closed, 3)
    with pytest.raises(ChatError, match="longer than"):
        list(pieces)


def test_parallel_answers_do_not_mix() -> None:
    def answer(word: str) -> list[str]:
        def script() -> Iterator[str]:
            for _ in range(20):
                yield word
                time.sleep(0.001)

        return list(stream(scripted(script)))

    results: dict[str, list[str]] = {}
    threads = [threading.Thread(target=lambda w=w: results.update({w: answer(w)})) for w in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == {word: [word] * 20 for word in "abc"}


def test_a_busy_or_hanging_model_does_not_hold_the_interpreter() -> None:
    code = """
        import time
        from tests.models.scripted import scripted, stream

        def busy():
            while True:
                yield "one"
                time.sleep(0.01)

        def hanging():
            yield "one"
            time.sleep(60)

        answers = [stream(scripted(script), timeout=100) for script in (busy, hanging)]
        for pieces in answers:
            assert next(pieces) == "one"
    """
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        timeout=40,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - start < 30
