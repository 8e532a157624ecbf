import logging
import threading

import pytest

from handover.signature import secret_key, sign
from handover.webhook import Webhook
from tests.handover.receiver import KEY, SECRET, WORDS, Delivery, escalation, until

NOWHERE = "http://127.0.0.1:9/"


def test_the_signature_is_that_of_the_specification():
    # The example of the reference implementations.
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_may_be_plain_text():
    assert secret_key("plain text") == b"plain text"
    assert secret_key(SECRET) == KEY


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!"])
def test_a_secret_that_is_none_is_refused(secret, outbox):
    with pytest.raises(ValueError):
        Webhook(NOWHERE, secret, outbox)
    assert not outbox.exists()


@pytest.mark.parametrize("url", ["", "example.org/hook", "ftp://example.org", "http://"])
def test_a_url_that_is_none_is_refused(url, outbox):
    with pytest.raises(ValueError, match="http"):
        Webhook(url, SECRET, outbox)
    assert not outbox.exists()


def test_an_event_arrives_whole_and_leaves_the_outbox(receiver, open_webhook):
    webhook, event = open_webhook(receiver.url), escalation(text="नमस्ते\n")
    webhook.put(event)
    assert until(lambda: webhook.pending() == 0)
    (delivery,) = receiver.seen
    assert delivery.event == event
    assert delivery.id == event.id
    assert delivery.signed


def test_a_duplicate_has_the_same_id(receiver, open_webhook):
    answers = iter((None, 204))
    receiver.answer = lambda _: next(answers)
    webhook, event = open_webhook(receiver.url), escalation()
    webhook.put(event)
    assert until(lambda: webhook.pending() == 0)
    assert [delivery.id for delivery in receiver.accepted] == [event.id] * 2
    assert receiver.accepted[0].event == receiver.accepted[1].event


def test_an_event_put_twice_waits_once(receiver, open_webhook):
    receiver.stop()
    webhook, event = open_webhook(receiver.url), escalation()
    webhook.put(event)
    webhook.put(event)
    assert webhook.pending() == 1


def test_a_thread_waits_for_its_oldest_event_and_the_others_go_on(receiver, open_webhook):
    blocked = [True]
    receiver.answer = lambda delivery: 503 if blocked[0] and delivery.event.thread == "a" else 204
    webhook = open_webhook(receiver.url)
    for thread, turn in (("a", 1), ("a", 2), ("b", 1), ("b", 2), ("", 1), ("", 2)):
        webhook.put(escalation(thread, turn))
    assert until(lambda: webhook.pending() == 2)
    assert receiver.turns("b") == [1, 2]
    tried = {(delivery.event.thread, delivery.event.turn) for delivery in receiver.seen}
    assert ("a", 1) in tried
    assert ("a", 2) not in tried
    blocked[0] = False
    assert until(lambda: webhook.pending() == 0)
    assert receiver.turns("a") == [1, 2]


def test_events_without_a_thread_wait_for_no_other(receiver, open_webhook):
    stuck, free = escalation(""), escalation("")
    receiver.answer = lambda delivery: 500 if delivery.id == stuck.id else 204
    webhook = open_webhook(receiver.url)
    webhook.put(stuck)
    webhook.put(free)
    assert until(lambda: bool(receiver.accepted))
    assert receiver.accepted[0].id == free.id


@pytest.mark.parametrize("status", [410, 400, 307])
def test_a_permanent_answer_is_retried_and_logged_once(receiver, open_webhook, caplog, status):
    answers = iter((status, status, status, 204))
    receiver.answer = lambda _: next(answers)
    webhook, event = open_webhook(receiver.url), escalation(text=WORDS)
    webhook.put(event)
    assert until(lambda: webhook.pending() == 0)
    (record,) = [each for each in caplog.records if each.name == "handover.webhook"]
    assert record.levelno == logging.WARNING
    assert event.id in record.message
    assert str(status) in record.message
    assert "zanzibar" not in caplog.text
    assert {delivery.path for delivery in receiver.seen} == {"/hook"}, "a redirect was followed"


def test_an_outage_is_logged_once(receiver, open_webhook, caplog):
    receiver.stop()
    webhook = open_webhook(receiver.url)
    for turn in range(5):
        webhook.put(escalation(str(turn), text=WORDS))
    assert until(lambda: len(webhook._waits) == 5)
    assert all(wait.failures for wait in webhook._waits.values())
    receiver.start()
    assert until(lambda: webhook.pending() == 0)
    warnings = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.message for each in warnings] == [
        "webhook does not answer (ConnectError); events wait in the outbox"
    ]


def test_a_wrong_secret_does_not_pass_the_receivers_check(receiver, open_webhook):
    webhook = open_webhook(receiver.url, secret="another secret")
    webhook.put(escalation())
    assert until(lambda: len(receiver.seen) >= 2)
    assert not any(delivery.signed for delivery in receiver.seen)
    assert receiver.accepted == []
    assert webhook.pending() == 1


def test_a_receiver_that_hangs_costs_no_more_than_the_timeout(receiver, open_webhook):
    hung, release = [True], threading.Event()

    def hang_once(_: Delivery) -> int:
        if hung.pop() if hung else False:
            release.wait(5)
        return 204

    receiver.answer = hang_once
    webhook = open_webhook(receiver.url, timeout=0.05)
    webhook.put(escalation())
    assert until(lambda: any(wait.failures for wait in webhook._waits.values()), 2)
    release.set()
    assert until(lambda: webhook.pending() == 0)


def test_pauses_grow_to_their_bound_with_full_jitter(receiver, open_webhook, monkeypatch):
    bounds = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return 0.0

    monkeypatch.setattr("handover.webhook.random.uniform", uniform)
    receiver.answer = lambda _: 500 if len(receiver.seen) < 6 else 204
    webhook = open_webhook(receiver.url, first_pause=1.0, longest_pause=6.0)
    webhook.put(escalation())
    assert until(lambda: webhook.pending() == 0)
    assert bounds == [(0, 1), (0, 2), (0, 4), (0, 6), (0, 6)]


def test_the_oldest_event_goes_first(receiver, open_webhook):
    receiver.stop()
    webhook = open_webhook(receiver.url)
    events = [escalation(thread) for thread in "zmax"]
    for event in events:
        webhook.put(event)
    webhook.close(5)
    receiver.start()
    webhook = open_webhook(receiver.url)
    assert until(lambda: webhook.pending() == 0)
    assert [delivery.event for delivery in receiver.accepted] == events
