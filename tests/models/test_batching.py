"""Combining: who computes, what a batch holds, and that nobody waits for ever or for another."""

import gc
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

import pytest

from models.batching import Combiner
from tests.models.crowd import PATIENCE, Crowd, Squares, start, until


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


def test_a_lone_caller_computes_at_once_in_its_own_thread() -> None:
    squares = Squares()
    combiner = Combiner(squares, limit=4)

    assert combiner([2, 3, 2]) == {2: 4, 3: 9}
    assert combiner([2]) == {2: 4}
    assert squares.passes == [[2, 3], [2]]
    assert set(squares.leaders) == {threading.get_ident()}


def test_no_keys_need_no_pass() -> None:
    squares = Squares()

    assert Combiner(squares, limit=4)([]) == {}
    assert squares.passes == []


def test_who_comes_during_a_pass_shares_the_next_one(crowd: Crowd) -> None:
    others = [crowd.ask(n, n + 100) for n in range(1, 9)]
    crowd.answer()

    assert crowd.first.result() == {0: 0}
    for n, other in enumerate(others, start=1):
        assert other.result() == {n: n * n, n + 100: (n + 100) ** 2}
    assert [len(keys) for keys in crowd.squares.passes] == [1, 16]


def test_a_leader_goes_once_it_has_its_own_values(crowd: Crowd) -> None:
    crowd.ask(1)
    crowd.answer()

    one, other = crowd.squares.leaders
    assert one != other


def test_a_key_is_computed_once_for_all_who_ask_at_the_same_time(crowd: Crowd) -> None:
    # 0 is in the pass under way, 1 is not.
    both, same, more = crowd.ask(0, 1), crowd.ask(0), crowd.ask(1)
    crowd.answer()

    assert both.result() == {0: 0, 1: 1}
    assert same.result() == {0: 0}
    assert more.result() == {1: 1}
    assert Counter(key for keys in crowd.squares.passes for key in keys) == {0: 1, 1: 1}


def test_a_batch_is_bounded_and_the_oldest_go_first() -> None:
    crowd = Crowd(limit=5)
    for n in range(1, 8):
        crowd.ask(n, -n)
    crowd.answer()

    assert crowd.squares.passes == [[0], [1, -1, 2, -2], [3, -3, 4, -4], [5, -5, 6, -6], [7, -7]]


def test_keys_have_a_weight_and_one_request_may_exceed_the_bound() -> None:
    crowd = Crowd(limit=10, weigh=lambda key: key)
    for keys in ([4], [6], [5], [11, 12], [1, 2], [7]):
        crowd.ask(*keys)
    crowd.answer()

    assert crowd.squares.passes == [[0], [4, 6], [5], [11, 12], [1, 2, 7]]


def test_an_exception_reaches_a_lone_caller_and_the_next_call_works() -> None:
    squares = Squares()
    squares.bad[3] = ValueError("three")
    combiner = Combiner(squares, limit=4)

    with pytest.raises(ValueError, match="three"):
        combiner([2, 3])
    assert combiner([2]) == {2: 4}
    assert squares.passes == [[2, 3], [2]]


def test_an_exception_is_gone_once_it_is_handled() -> None:
    class BadKeyError(Exception):
        pass

    kept: list[weakref.ref[Exception]] = []

    def fail(keys: list[int]) -> list[int]:
        error = BadKeyError()
        kept.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()  # A ring of references would keep it, and with it what a person wrote.
    try:
        with suppress(BadKeyError):
            Combiner(fail, limit=4)([3])
        assert [each() for each in kept] == [None]
    finally:
        gc.enable()


def test_a_bad_key_fails_only_those_who_asked_for_it(crowd: Crowd) -> None:
    crowd.squares.bad = {3: ValueError("three"), 5: MemoryError()}
    futures = {n: crowd.ask(n, 50) for n in range(1, 7)}
    also = crowd.ask(3)
    crowd.answer()

    assert crowd.first.result() == {0: 0}
    for n in (1, 2, 4, 6):
        assert futures[n].result() == {n: n * n, 50: 2500}
    assert isinstance(futures[3].exception(), ValueError)
    assert isinstance(also.exception(), ValueError)
    assert isinstance(futures[5].exception(), MemoryError)
    assert crowd.squares.passes[1] == [1, 50, 2, 3, 4, 5, 6]
    # Alone: what an earlier one has brought is not computed again.
    assert crowd.squares.passes[2:] == [[1, 50], [2], [3], [4], [5], [6], [3]]


def test_a_pass_that_fails_spares_who_came_while_it_ran(crowd: Crowd) -> None:
    crowd.squares.bad[0] = ValueError("once")
    later = crowd.ask(0, 1)
    crowd.squares.gate.set()
    until(crowd.first.done)

    assert isinstance(crowd.first.exception(), ValueError)
    assert isinstance(later.exception(PATIENCE), ValueError)
    assert crowd.squares.passes == [[0], [0, 1]]


def test_a_failed_batch_that_works_alone_fails_nobody() -> None:
    def small(keys: list[int]) -> list[int]:
        if len(keys) > 1:
            raise MemoryError
        return keys

    crowd = Crowd()
    crowd.combiner._compute = lambda keys: small(list(crowd.squares(keys)))
    others = [crowd.ask(n) for n in (2, 3)]
    crowd.answer()

    assert [other.result() for other in others] == [{2: 4}, {3: 9}]


def test_values_that_are_not_one_a_key_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        Combiner(lambda keys: keys[1:], limit=4)([1, 2])


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_leader_leaves_the_others_their_work(
    interruption: type[BaseException],
) -> None:
    crowd = Crowd()
    crowd.squares.bad[1] = interruption()
    interrupted = crowd.ask(1)
    others = [crowd.ask(n) for n in (2, 3)]
    compute = crowd.squares.__call__

    def once(keys: list[int]) -> Sequence[int]:
        try:
            return compute(keys)
        finally:
            if 1 in keys:
                crowd.squares.bad.clear()

    crowd.combiner._compute = once
    crowd.answer()

    # Whoever led the batch was interrupted; the rest have their values.
    raised = [each for each in (interrupted, *others) if each.exception() is not None]
    assert len(raised) == 1
    assert isinstance(raised[0].exception(), interruption)
    for n, each in enumerate((interrupted, *others), start=1):
        assert each in raised or each.result() == {n: n * n}
    assert crowd.combiner([4]) == {4: 16}


def test_an_interrupted_waiter_leaves_and_passes_its_turn_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd()
    plain = threading.Condition.wait
    again, interrupted = threading.Event(), threading.Event()

    def wait_once(condition: threading.Condition, timeout: float | None = None) -> bool:
        if condition is not oldest.turn:
            return plain(condition, timeout)
        again.set()
        plain(condition, timeout)
        # Woken as the one to lead next.
        interrupted.set()
        raise KeyboardInterrupt

    first = crowd.ask(1)
    oldest = list(crowd.combiner._waiting)[1]
    others = [crowd.ask(n) for n in (2, 3)]
    monkeypatch.setattr(threading.Condition, "wait", wait_once)
    # It waits in the method as it was, so it is woken once for nothing.
    with crowd.combiner._lock:
        oldest.turn.notify()
    assert again.wait(PATIENCE)
    crowd.answer()

    assert interrupted.is_set()
    assert isinstance(first.exception(), KeyboardInterrupt)
    assert [each.result() for each in others] == [{2: 4}, {3: 9}]
    assert crowd.combiner._waiting == {}


def test_no_wake_up_is_lost_in_a_crowd() -> None:
    squares = Squares()
    squares.bad = {13: ValueError("thirteen")}
    together = threading.Barrier(16)

    def compute(keys: list[int]) -> Sequence[int]:
        # Some passes let others come in the meantime, some are over before anybody can.
        if len(squares.passes) % 3:
            time.sleep(0.0002)
        return squares(keys)

    combiner = Combiner(compute, limit=6)

    def talk(seed: int) -> int:
        chance = random.Random(seed)
        together.wait(PATIENCE)
        for _ in range(125):
            keys = [chance.randrange(20) for _ in range(chance.randrange(1, 4))]
            try:
                assert combiner(keys) == {key: key * key for key in keys}
                assert 13 not in keys
            except ValueError:
                assert 13 in keys
            if chance.random() < 0.2:
                time.sleep(chance.random() / 2000)
        return 125

    begun = time.monotonic()
    asked = [start(talk, seed) for seed in range(16)]
    assert sum(each.result(PATIENCE) for each in asked) == 2000
    assert time.monotonic() - begun < 2
    assert combiner._waiting == {}
    assert len(squares.passes) < 2000
    assert max(map(len, squares.passes)) <= 6


def test_nobody_is_overtaken_by_those_who_come_later() -> None:
    crowd = Crowd(limit=2)
    for n in (1, 2, 3):
        crowd.ask(n)
    later = iter(range(4, 12))

    def compute(keys: list[int]) -> Sequence[int]:
        # Two more come during each pass, as many as it holds.
        for n in islice(later, 2):
            crowd.ask(n)
        return crowd.squares(keys)

    crowd.combiner._compute = compute
    crowd.answer()
    until(lambda: len(crowd.asked) == 12 and all(each.done() for each in crowd.asked))

    assert crowd.squares.passes == [[0], *([n, n + 1] for n in range(1, 11, 2)), [11]]
