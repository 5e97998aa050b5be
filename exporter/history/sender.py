"""Sends hourly costs to a receiver of remote write as they are billed, in a thread of its own.

What is sent and what was acknowledged is in the ledger (see exporter/ledger/outbox.py), so that an outage, a
restart or a kill loses nothing, and sends nothing twice with another value.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from exporter.core.errors import SourceError
from exporter.history.delivery import BATCH_SAMPLES, Delivery
from exporter.history.remote_write import NotDelivered, Receiver
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import Window
from exporter.ledger.opening import LedgerError
from exporter.ledger.outbox import Outbox
from exporter.metrics.remote_write import SendingStatus

logger = logging.getLogger(__name__)

_DECIDED_AT_ONCE: Final = 20 * BATCH_SAMPLES
"""Values in the outbox, at most: during an outage the others stay what the ledger has for them."""

_FIRST_WAIT_SECONDS: Final = 5.0
_LONGEST_WAIT_SECONDS: Final = 300.0
_LOOK_FOR_REFUSED_SECONDS: Final = 600.0
"""Refused samples become due by the clock alone."""


class HistorySender:
    """Sends to one receiver. `status` may be read from any thread."""

    def __init__(
        self,
        ledger: Ledger,
        receiver: Receiver,
        sources: Sequence[str],
        *,
        since: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: random.Random | None = None,
        batch_samples: int = BATCH_SAMPLES,
    ) -> None:
        """`sources` are those whose charges count; hours are sent from `since` ago, as of the first start."""
        self._ledger = ledger
        self._receiver = receiver
        self._sources = list(sources)
        self._since = since
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 (jitter is no secret)
        self._batch_samples = batch_samples
        self._outbox: Outbox | None = None
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._told = ""
        self.status = SendingStatus()

    def wake(self) -> None:
        """Look for what is to be sent; every source has told what it has by now."""
        self._due.set()

    def stop(self) -> None:
        """End `run` after the request under way."""
        self._stopping.set()
        self._due.set()

    def run(self, changed: Callable[[], None]) -> None:
        """Send whenever woken, until `stop`; `changed` is called when there is news in the status."""
        self._due.wait()
        failures = 0
        while not self._stopping.is_set():
            self._due.clear()
            before = self.status
            asked = self.send()
            if replace(self.status, sent_through=before.sent_through) != before or not before.sent_through:
                changed()
            if asked is None:
                failures = 0
                self._due.wait(_LOOK_FOR_REFUSED_SECONDS if self.status.refused else None)
            else:
                longest = min(_FIRST_WAIT_SECONDS * 2 ** min(failures, 10), _LONGEST_WAIT_SECONDS)
                failures += 1
                self._stopping.wait(max(asked, longest * self._chance.uniform(0.5, 1.0)))

    def send(self) -> float | None:
        """Send all that is to be sent; return None, or after a failure how many seconds to wait at least."""
        started = self._clock()
        try:
            self._send(started)
        except (NotDelivered, SourceError, LedgerError) as error:
            if not isinstance(error, NotDelivered):
                self._count_failure(error.reason, 1)
            self._tell(f"{error}; it is tried again, and nothing is lost")
            return error.wait_seconds if isinstance(error, NotDelivered) else 0.0
        except Exception as error:
            logger.exception("hourly costs could not be sent; it is tried again")
            self._count_failure("unexpected", 1)
            self._told = str(error)
            return 0.0
        if self._told and not self.status.refused:
            logger.info("history.remote_write: all hourly costs are sent")
            self._told = ""
        return None

    def _send(self, started: datetime) -> None:
        outbox = self._opened(started)
        outbox.know_series()
        undecided = _undecided(outbox, started)
        waiting, refused = outbox.count_waiting()
        self.status = replace(self.status, pending=waiting + sum(undecided.values()), refused=refused)
        with self._receiver.session() as session:
            delivery = Delivery(
                outbox,
                self._receiver,
                session,
                self,
                stopping=self._stopping,
                clock=self._clock,
                chance=self._chance,
                batch_samples=self._batch_samples,
            )
            if waiting or refused:
                delivery.send_due()
                # Their hours may cost something else by now.
                undecided = _undecided(outbox, started)
            for window in undecided:
                while not self._stopping.is_set() and outbox.decide(window, started, _DECIDED_AT_ONCE):
                    delivery.send_due()
        outbox.forget_old()
        waiting, refused = outbox.count_waiting()
        self.status = replace(self.status, pending=waiting, refused=refused)
        if not waiting and not self._stopping.is_set():
            self.status = replace(self.status, sent_through=started)

    def acknowledged(self, count: int) -> None:
        """Note what the receiver has taken."""
        done = self.status.acknowledged + count
        self.status = replace(self.status, acknowledged=done, pending=max(0, self.status.pending - count))

    def refused(self, count: int, text: str) -> None:
        """Note what the receiver has refused."""
        self._count_failure("refused", count)
        self._tell(
            f"{text}. What is refused is tried again after 1, 4, 16 and 64 hours, then set aside until the "
            "next start; see spend_remote_write_refused_samples"
        )

    def failed(self, reason: str, text: str) -> None:
        """Note a failed request."""
        self._count_failure(reason, 1)
        self._tell(text)

    def _opened(self, now: datetime) -> Outbox:
        if self._outbox is None:
            # Who the receiver is: its address, and what tells its tenants apart.
            tenants = (f"{name.lower()}={value}" for name, value in sorted(self._receiver.headers.items()))
            name = " ".join((self._receiver.url, *tenants))
            self._outbox = Outbox(self._ledger, name, self._sources, now - self._since)
            logger.info(
                "history.remote_write: hours of usage from %s on are sent to %s",
                f"{self._outbox.sent_from:%Y-%m-%d %H:%M} UTC",
                self._receiver.url,
            )
        return self._outbox

    def _count_failure(self, reason: str, count: int) -> None:
        known = self.status.failures
        self.status = replace(self.status, failures={**known, reason: known.get(reason, 0) + count})

    def _tell(self, text: str) -> None:
        """Log a problem once, not each time it comes up."""
        if text != self._told:
            logger.warning("%s", text)
        self._told = text


def _undecided(outbox: Outbox, until: datetime) -> dict[Window, int]:
    """How many values are to be decided, by window; windows without any are left out."""
    counted = ((window, outbox.count_undecided(window)) for window in outbox.windows(until))
    return {window: count for window, count in counted if count}
