"""The encoder under many threads: shared passes, their bound, and what waits for none."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import numpy as np
import pytest

from models.encoder import SentenceEncoder, Vector
from tests.fakes import DIMS, FakeEncoder, FakeSentenceModel, hashed_words


class HeldModel(FakeSentenceModel):
    """Holds each pass until `gate` is open, and cannot read a text with "broken" in it."""

    def __init__(self) -> None:
        super().__init__(DIMS, 66, None)
        self.batches: list[list[str]] = []
        self.begun, self.gate = threading.Event(), threading.Event()

    def encode(self, texts: list[str], **options: Any) -> Vector:
        self.batches.append(texts)
        self.begun.set()
        assert self.gate.wait(10)
        if any("broken" in text for text in texts):
            raise ValueError("broken")
        return super().encode(texts, **options)


@pytest.fixture
def held() -> Iterator[tuple[SentenceEncoder, HeldModel, Callable[..., Future[list[Vector]]]]]:
    """An encoder whose model is held in a first pass, and how to ask from another thread."""
    model = HeldModel()
    # Counting has a tokenizer of its own, a copy; no lock can be copied.
    model.tokenizer = partial(FakeSentenceModel.tokenizer, None)  # type: ignore[method-assign]
    encoder = SentenceEncoder(cast(Any, model), "held")
    with ThreadPoolExecutor(16) as threads:

        def ask(*texts: str) -> Future[list[Vector]]:
            waiting = len(encoder._together._waiting)
            future = threads.submit(encoder.encode, texts)
            end = time.monotonic() + 10
            while len(encoder._together._waiting) == waiting and time.monotonic() < end:
                time.sleep(0.001)
            return future

        ask("first")
        assert model.begun.wait(10)
        yield encoder, model, ask
        model.gate.set()


def test_small_calls_of_many_threads_share_a_pass(held: Any) -> None:
    _, model, ask = held
    asked = [(f"text {n}", "shared", "first") for n in range(9)]
    futures = [ask(*texts) for texts in asked]
    model.gate.set()

    for texts, future in zip(asked, futures, strict=True):
        for text, [row] in zip(texts, future.result(10), strict=True):
            assert np.allclose(row, hashed_words(text))
    assert model.batches == [["first"], ["text 0", "shared", *(f"text {n}" for n in range(1, 9))]]


def test_a_shared_pass_holds_no_more_windows_than_a_bound(held: Any) -> None:
    _, model, ask = held
    long = "elephants " * 380
    futures = [ask(f"{n} {long}") for n in range(2)] + [ask(f"text {n}") for n in range(3)]
    model.gate.set()

    shapes = [future.result(10)[0].shape for future in futures]
    assert shapes == [(11, DIMS)] * 2 + [(1, DIMS)] * 3
    assert [len(batch) for batch in model.batches] == [1, 11, 11 + 3]


def test_a_call_with_many_texts_has_a_pass_of_its_own(held: Any) -> None:
    encoder, model, ask = held
    small = ask("small")
    many = [f"text {n}" for n in range(65)]
    with ThreadPoolExecutor(1) as thread:
        large = thread.submit(encoder.encode, many)
        model.gate.set()
        assert len(large.result(10)) == 65

    assert len(small.result(10)) == 1
    assert sorted(model.batches, key=len) == [["first"], ["small"], many]


def test_a_text_that_cannot_be_read_fails_only_those_who_ask_for_it(held: Any) -> None:
    _, model, ask = held
    fine, failing, also = ask("fine", "both"), ask("broken", "both"), ask("other")
    model.gate.set()

    assert len(fine.result(10)) == 2
    assert len(also.result(10)) == 1
    assert isinstance(failing.exception(10), ValueError)


def test_counting_does_not_wait_for_a_pass(held: Any) -> None:
    encoder, model, _ = held

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(encoder.word_pieces, "I am low").result(10) == 3
        assert len(thread.submit(encoder.windows, "elephants " * 380).result(10)) == 11
    assert model.batches == [["first"]]


def test_threads_that_ask_for_the_same_texts_cost_one_pass_a_text() -> None:
    encoder = FakeEncoder()
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        order = random.Random(seed).sample(range(60), 60)
        start.wait(10)
        for number in order:
            encoder.encode([f"text {number}", "in every call"])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))

    assert len(encoder.passes) == 61
    assert set(encoder.passes.values()) == {1}
