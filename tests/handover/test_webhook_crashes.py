import random
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

from handover.outbox import Outbox
from tests.handover.receiver import WORDS, Delivery, escalation, until

ROOT = Path(__file__).parents[2]


def test_no_event_is_lost_or_out_of_order_while_the_receiver_dies(receiver, open_webhook):
    chance = random.Random(7)

    def unsteady(_: Delivery) -> int | None:
        # Stored and answered, stored but dead before the answer, or failed.
        return chance.choice((204, 204, 200, None, 503, 429))

    receiver.answer = unsteady
    webhook = open_webhook(receiver.url)
    turns = dict.fromkeys("abcdef", 0)
    sent = []
    for number in range(120):
        thread = chance.choice(list(turns))
        turns[thread] += 1
        sent.append(escalation(thread, turns[thread]))
        webhook.put(sent[-1])
        if number % 30 == 10:
            receiver.stop()
        elif number % 30 == 20:
            receiver.start()
    assert until(lambda: webhook.pending() == 0)
    assert {delivery.id for delivery in receiver.accepted} == {event.id for event in sent}
    for thread, last in turns.items():
        assert receiver.turns(thread) == list(range(1, last + 1))
    assert all(delivery.signed for delivery in receiver.seen)
    assert len(receiver.accepted) > len(sent), "no duplicate: the run had no fault worth the name"


def test_close_sends_what_is_due(receiver, open_webhook):
    webhook = open_webhook(receiver.url)
    for turn in range(1, 6):
        webhook.put(escalation(turn=turn))
    webhook.close(5)
    assert receiver.turns("t1") == [1, 2, 3, 4, 5]


def test_what_is_left_at_close_or_comes_later_is_sent_at_the_next_start(receiver, open_webhook):
    receiver.stop()
    webhook = open_webhook(receiver.url, first_pause=30.0, longest_pause=30.0)
    webhook.put(escalation(turn=1))
    webhook.close(5)
    assert not webhook._worker.is_alive()
    webhook.put(escalation(turn=2))
    assert webhook.pending() == 2
    receiver.start()
    webhook = open_webhook(receiver.url)
    assert until(lambda: webhook.pending() == 0)
    assert receiver.turns("t1") == [1, 2]


def test_one_of_two_sends_and_the_other_takes_over(receiver, open_webhook):
    first = open_webhook(receiver.url)
    first.put(escalation(turn=1))
    assert until(lambda: first.pending() == 0)
    second = open_webhook(receiver.url)
    for turn in range(2, 12):
        (first if turn % 2 else second).put(escalation(turn=turn))
    assert until(lambda: first.pending() == 0)
    assert [delivery.event.turn for delivery in receiver.seen] == list(range(1, 12))
    assert not second._lease.is_locked
    first.close(5)
    second.put(escalation(turn=12))
    assert until(lambda: second.pending() == 0)
    assert [delivery.event.turn for delivery in receiver.seen] == list(range(1, 13))


def test_a_killed_sender_loses_nothing(receiver, outbox, open_webhook):
    script = (
        "import sys, time; from handover.webhook import Webhook\n"
        "from tests.handover.receiver import SECRET, escalation\n"
        "hook = Webhook(sys.argv[1], SECRET, sys.argv[2], first_pause=60)\n"
        "for turn in range(1, 31): hook.put(escalation(turn=turn))\n"
        "sys.stdout.write('stored\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    # Some arrive, then the receiver fails and the rest waits in the outbox.
    receiver.answer = lambda delivery: 204 if delivery.event.turn <= 7 else 503
    command = [sys.executable, "-c", script, receiver.url, str(outbox)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as sender:
        try:
            assert sender.stdout.readline() == b"stored\n"
            assert until(lambda: len(receiver.seen) > 7)
            webhook = open_webhook(receiver.url)
            assert webhook.pending() == 23
            receiver.answer = lambda _: 204
        finally:
            sender.kill()
    assert until(lambda: webhook.pending() == 0)
    assert receiver.turns("t1") == list(range(1, 31))


def test_nobody_else_can_read_the_outbox(outbox, open_webhook):
    open_webhook("http://127.0.0.1:9/").put(escalation(text=WORDS))
    files = [file for file in outbox.parent.iterdir() if file.stat().st_size]
    assert outbox in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_what_was_written_does_not_outlive_its_delivery(receiver, outbox, open_webhook):
    webhook = open_webhook(receiver.url)
    receiver.answer = lambda _: 503
    webhook.put(escalation(text=WORDS))
    stored = b"".join(file.read_bytes() for file in outbox.parent.iterdir())
    assert b"zanzibar" in stored
    receiver.answer = lambda _: 204
    assert until(lambda: webhook.pending() == 0)

    def left() -> bool:
        return any(b"zanzibar" in file.read_bytes() for file in outbox.parent.iterdir())

    assert until(lambda: not left(), 2), "the log of the open outbox keeps it"
    webhook.close(5)
    assert not left()


def test_a_failing_outbox_does_not_end_the_worker(receiver, open_webhook, monkeypatch, caplog):
    webhook = open_webhook(receiver.url)
    heads, failures = Outbox.heads, [sqlite3.OperationalError(WORDS)] * 3

    def failing(self: Outbox) -> list[int]:
        if failures:
            raise failures.pop()
        return heads(self)

    monkeypatch.setattr(Outbox, "heads", failing)
    webhook.put(escalation())
    assert until(lambda: webhook.pending() == 0)
    assert caplog.text.count("OperationalError") == 1
    assert "zanzibar" not in caplog.text


def test_an_event_that_cannot_be_forgotten_is_not_sent_without_pause(
    receiver, open_webhook, monkeypatch
):
    remove, failures = Outbox.remove, [sqlite3.OperationalError()] * 2

    def failing(self: Outbox, seq: int) -> None:
        if failures:
            raise failures.pop()
        remove(self, seq)

    monkeypatch.setattr(Outbox, "remove", failing)
    webhook, event = open_webhook(receiver.url), escalation()
    webhook.put(event)
    assert until(lambda: webhook.pending() == 0)
    assert [delivery.id for delivery in receiver.accepted] == [event.id] * 3
