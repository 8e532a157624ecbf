"""Tells a system of the operator's about escalations over HTTP: at least once, and in order."""

import logging
import random
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import Final

import httpx
from filelock import FileLock, Timeout

from handover.event import EscalationEvent
from handover.outbox import Outbox
from handover.signature import secret_key, sign

logger = logging.getLogger(__name__)

_TEMPORARY: Final = frozenset({408, 425, 429})
"""Answers below 500 that a later attempt may well change."""


@dataclass
class _Wait:
    """How one event fared so far."""

    failures: int = 0
    due: float = 0.0
    warned: bool = False


class Webhook:
    """Posts each event, signed after the Standard Webhooks specification.

    An event is in an outbox on disk before `put` returns and leaves it only after a 2xx answer;
    until then it is sent again, for ever, with exponential back-off and full jitter (Brooker
    2015). A receiver may thus see one twice, with the same `webhook-id`. Events of a thread
    arrive in order; those without a thread wait for no other. Of several processes with one
    outbox the holder of the lock beside it sends, and the next takes over when it ends.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        outbox: Path | str,
        *,
        client: httpx.Client | None = None,
        timeout: float = 5.0,
        first_pause: float = 0.5,
        longest_pause: float = 60.0,
        poll: float = 1.0,
    ) -> None:
        """Open the outbox and go on with what waits in it.

        Args:
            url: where to post.
            secret: shared with the receiver; see `secret_key`.
            outbox: the file of events that wait.
            client: sends the requests; the caller closes it. Left out, one is made.
            timeout: how long the receiver may take to answer, in seconds.
            first_pause: the most to wait before the second attempt; it doubles each time.
            longest_pause: the most to wait before any attempt.
            poll: how often to look for the lock and for events of other processes.

        Raises:
            ValueError: the URL or the secret is none.
        """
        parsed = httpx.URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ValueError("the webhook's URL must start with http:// or https:// and a host")
        self._url, self._key = parsed, secret_key(secret)
        self._timeout, self._poll = timeout, poll
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._outbox = Outbox(outbox)
        self._lease = FileLock(f"{outbox}.lock", mode=0o600)
        self._client, self._owns_client = client or httpx.Client(), client is None
        self._waits: dict[int, _Wait] = {}
        self._down = False
        self._fault = ""
        self._deadline: float | None = None
        self._wake = Event()
        self._worker = Thread(target=self._work, name="escalation webhook", daemon=True)
        self._worker.start()

    def put(self, event: EscalationEvent) -> None:
        """Store the event; it is sent soon after."""
        # Events without a thread have nothing to keep their order with: each is a lane of its own.
        self._outbox.put(event.id, event.thread or event.id, event.model_dump_json())
        self._wake.set()

    def pending(self) -> int:
        """Return how many events wait."""
        return len(self._outbox)

    def close(self, timeout: float) -> None:
        """Send what is due, then stop; what is left, or put later, is sent at the next start."""
        self._deadline = time.monotonic() + timeout
        self._wake.set()
        self._worker.join(timeout)
        if self._worker.is_alive():
            logger.warning("webhook closed during a request; its event stays in the outbox")
        else:
            self._outbox.close()

    def _work(self) -> None:
        try:
            while True:
                try:
                    pause = self._deliver_due() if self._holds_lease() else self._poll
                    self._fault = ""
                except Exception as error:
                    # Wide on purpose: if this thread ended, nobody would hear of later events.
                    pause, before, self._fault = self._poll, self._fault, type(error).__name__
                    if self._fault != before:
                        logger.error("outbox of the webhook failed: %s", self._fault)
                if self._deadline is not None and (pause > 0 or self._late()):
                    return
                self._wake.wait(pause)
                self._wake.clear()
        finally:
            self._lease.release()
            self._outbox.close()
            if self._owns_client:
                self._client.close()

    def _holds_lease(self) -> bool:
        if not self._lease.is_locked:
            try:
                self._lease.acquire(blocking=False)
            except Timeout:
                return False
        return True

    def _late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _deliver_due(self) -> float:
        """Try every thread's oldest event that is due; return how long to wait then."""
        heads = self._outbox.heads()
        self._waits = {seq: self._waits[seq] for seq in heads if seq in self._waits}
        now = time.monotonic()
        due = [seq for seq in heads if seq not in self._waits or self._waits[seq].due <= now]
        for seq in due:
            if self._late():
                break
            self._attempt(seq)
        if due:
            return 0.0
        return min(self._poll, min((wait.due for wait in self._waits.values()), default=inf) - now)

    def _attempt(self, seq: int) -> None:
        found = self._outbox.get(seq)
        if found is None:
            return
        id, body = found
        try:
            status = self._send(id, body.encode())
            if 200 <= status < 300:
                self._outbox.remove(seq)
                if self._down:
                    logger.info("webhook answers again")
                    self._down = False
                return
            problem, permanent = f"status {status}", status < 500 and status not in _TEMPORARY
        except Exception as error:
            # Wide on purpose: whatever goes wrong with one event, it waits and the others go on.
            problem, permanent = type(error).__name__, False
        self._failed(seq, id, problem, permanent)

    def _send(self, id: str, body: bytes) -> int:
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, id, timestamp, body),
        }
        # No redirects: the body was signed for this receiver, and may hold a person's words.
        answer = self._client.post(
            self._url, content=body, headers=headers, timeout=self._timeout, follow_redirects=False
        )
        return answer.status_code

    def _failed(self, seq: int, id: str, problem: str, permanent: bool) -> None:
        wait = self._waits.setdefault(seq, _Wait())
        # The exponent is bounded because 2.0**1024 is an error, and some receivers stay away.
        ceiling = min(self._longest_pause, self._first_pause * 2.0 ** min(wait.failures, 60))
        wait.failures += 1
        wait.due = time.monotonic() + random.uniform(0, ceiling)
        if permanent:
            if not wait.warned:
                logger.warning("webhook refused event %s (%s); it is kept and retried", id, problem)
                wait.warned = True
        elif not self._down:
            logger.warning("webhook does not answer (%s); events wait in the outbox", problem)
            self._down = True
