"""Sends hourly and daily costs to a remote-write receiver as they are billed, in its own thread.

The ledger has what is to be sent and what was acknowledged (see exporter/ledger/outbox.py), so that an
outage, a restart or a kill loses nothing, and sends nothing twice with another value.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import requests

from exporter.core.errors import SourceError
from exporter.core.printable import host_of
from exporter.history.comparison import Difference, differences, prepare_resending, usd_off
from exporter.history.delivery import BATCH_SAMPLES, Delivery
from exporter.history.remote_write import NotDelivered, Receiver
from exporter.history.store import Store
from exporter.ledger.charges.daily_parts import Division
from exporter.ledger.charges.store import Ledger
from exporter.ledger.charges.windows import Window
from exporter.ledger.opening import LedgerError
from exporter.ledger.outbox import Outbox
from exporter.ledger.outbox_period import DAY
from exporter.metrics.remote_write import SendingStatus

logger = logging.getLogger(__name__)

_DECIDED_AT_ONCE: Final = 20 * BATCH_SAMPLES
"""Most values in the outbox: during an outage all others are left in the charges of the ledger."""

_COMPARE_EVERY: Final = timedelta(days=1)
_COMPARE_AGAIN: Final = timedelta(hours=1)
"""After the store could not be queried."""

_FIRST_WAIT_SECONDS: Final = 5.0
_LONGEST_WAIT_SECONDS: Final = 300.0
_LOOK_FOR_REFUSED_SECONDS: Final = 600.0
"""How often to look for refused samples that have become due again."""


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
        store: Store | None = None,
        zones: Mapping[str, str] | None = None,
        divisions: Sequence[Division] = (),
        job: str = "",
        chance: random.Random | None = None,
        batch_samples: int = BATCH_SAMPLES,
    ) -> None:
        """`sources` are those whose charges are sent; the first start sends hours from `since` ago on.

        With `zones`, the billing zones by provider, billing days are sent as well, and their parts by each of
        the `divisions`. `job` is a label of every sample.
        """
        self._ledger = ledger
        self._receiver = receiver
        self._sources = list(sources)
        self._since = since
        self._clock = clock
        self._store = store
        self._zones = zones
        self._divisions = divisions
        self._job = job
        self._compare_at = datetime.min.replace(tzinfo=UTC)
        self._chance = chance or random.Random()  # noqa: S311 (jitter is no secret)
        self._batch_samples = batch_samples
        self._outboxes: Sequence[Outbox] = ()
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._reported: set[str] = set()
        self.status = SendingStatus()

    def wake(self) -> None:
        """Look for values to send; by now every source has been read."""
        self._due.set()

    def stop(self) -> None:
        """End `run` after the current request."""
        self._stopping.set()
        self._due.set()

    def run(self, changed: Callable[[], None]) -> None:
        """Send whenever woken, until `stop`; `changed` is called when the status has changed."""
        self._due.wait()
        failures = 0
        while not self._stopping.is_set():
            self._due.clear()
            before = self.status
            wait_seconds = self.send()
            if replace(self.status, sent_through=before.sent_through) != before or not before.sent_through:
                changed()
            if wait_seconds is None:
                failures = 0
                self._due.wait(_LOOK_FOR_REFUSED_SECONDS if self.status.refused else None)
            else:
                longest = min(_FIRST_WAIT_SECONDS * 2 ** min(failures, 10), _LONGEST_WAIT_SECONDS)
                failures += 1
                self._stopping.wait(max(wait_seconds, longest * self._chance.uniform(0.5, 1.0)))

    def send(self) -> float | None:
        """Send everything that is due; return None, or after a failure the least seconds to wait."""
        started = self._clock()
        try:
            self._send(started)
        except (NotDelivered, SourceError, LedgerError) as error:
            if not isinstance(error, NotDelivered):
                self._count_failure(error.reason, 1)
            self._tell(f"{error}; this is retried, and nothing is lost")
            return error.wait_seconds if isinstance(error, NotDelivered) else 0.0
        except Exception as error:
            logger.exception("hourly costs could not be sent; this is retried")
            self._count_failure("unexpected", 1)
            self._reported.add(str(error))
            return 0.0
        if self._reported and not self.status.refused:
            logger.info("history.remote_write: all hourly costs are sent")
            self._reported.clear()
        return None

    def _send(self, started: datetime) -> None:
        outboxes = self._opened(started)
        # First: by now every store can return what was sent in an earlier round.
        self._compare_daily(outboxes, started)
        for outbox in outboxes:
            outbox.know_series(started)
        undecided = [_undecided(outbox, started) for outbox in outboxes]
        waiting, refused = _waiting(outboxes)
        new = sum(sum(counts.values()) for counts in undecided)
        self.status = replace(self.status, pending=waiting + new, refused=refused)
        with self._receiver.session() as session:
            for outbox, windows in zip(outboxes, undecided, strict=True):
                self._send_one(outbox, windows, session, started)
        waiting, refused = _waiting(outboxes)
        self.status = replace(self.status, pending=waiting, refused=refused)
        if not waiting and not self._stopping.is_set():
            self.status = replace(self.status, sent_through=started)

    def _send_one(
        self, outbox: Outbox, undecided: Iterable[Window], session: requests.Session, started: datetime
    ) -> None:
        delivery = Delivery(
            outbox,
            self._receiver,
            session,
            self,
            stopping=self._stopping,
            clock=self._clock,
            chance=self._chance,
            batch_samples=self._batch_samples,
            job=self._job,
        )
        if any(outbox.count_waiting()):
            delivery.send_due()
            # The cost of their hours may have changed by now.
            undecided = _undecided(outbox, started)
        for window in undecided:
            while not self._stopping.is_set() and outbox.decide(window, started, _DECIDED_AT_ONCE):
                delivery.send_due()
        outbox.forget_old()

    def compare(self) -> list[Difference]:
        """Return what the store has otherwise than it acknowledged.

        Raises NotDelivered, SourceError, LedgerError.
        """
        now = self._clock()
        return self._differences(self._opened(now), self._known_store(), now) or []

    def resend_since(self, since: datetime) -> tuple[int, float]:
        """Let what the store lacks since then be sent in the next round.

        Returns how many hours and days that is, and how many dollars.

        Raises NotDelivered, SourceError, LedgerError.
        """
        now = self._clock()
        store = self._known_store()
        found = [prepare_resending(outbox, store, since, now) for outbox in self._opened(now)]
        return sum(count for count, _ in found), max(usd for _, usd in found)

    def _known_store(self) -> Store:
        if self._store is None:
            raise NotDelivered(
                "configuration",
                "history.remote_write.query_url is not set: set it to the address of the store's query API, "
                "such as http://prometheus.internal:9090",
            )
        return self._store

    @staticmethod
    def _differences(outboxes: Sequence[Outbox], store: Store, now: datetime) -> list[Difference] | None:
        found = [each for outbox in outboxes if (each := differences(outbox, store, now)) is not None]
        return [each for differing in found for each in differing] if found else None

    def _compare_daily(self, outboxes: Sequence[Outbox], now: datetime) -> None:
        if self._store is None or now < self._compare_at:
            return
        try:
            found = self._differences(outboxes, self._store, now)
        except (NotDelivered, SourceError) as error:
            self._compare_at = now + _COMPARE_AGAIN
            self._count_failure(error.reason, 1)
            self._tell(str(error))
            return
        if found is None:
            return
        self._compare_at = now + _COMPARE_EVERY
        usd = usd_off(found)
        self.status = replace(self.status, difference_usd=usd, compared_at=now)
        if found:
            since = min(each.day for each in found)
            self._tell(
                f"history.remote_write: the store is ${usd:,.2f} off what it acknowledged, since "
                f"{since:%Y-%m-%d}: it has lost samples, or has others of the same series. Stop the "
                "exporter, and let `spend-exporter backfill --resend-since` send what is missing"
            )

    def acknowledged(self, count: int) -> None:
        """Count values that the receiver has taken."""
        done = self.status.acknowledged + count
        self.status = replace(self.status, acknowledged=done, pending=max(0, self.status.pending - count))

    def refused(self, count: int, text: str) -> None:
        """Count values that the receiver has refused."""
        self._count_failure("refused", count)
        self._tell(
            f"{text}. Refused samples are retried after 1, 4, 16 and 64 hours, then set aside until the "
            "next start; see spend_remote_write_refused_samples"
        )

    def failed(self, reason: str, text: str) -> None:
        """Count a failed request. It is retried; if that does not help, `send` says so."""
        self._count_failure(reason, 1)
        logger.debug("%s", text)

    def _opened(self, now: datetime) -> Sequence[Outbox]:
        if not self._outboxes:
            # The identity of the receiver: its address, the headers that name its tenant, the job.
            parts = [f"{name.lower()}={value}" for name, value in sorted(self._receiver.headers.items())]
            parts += [f"job={self._job}"] if self._job else []
            name = " ".join((self._receiver.url, *parts))
            hours = Outbox(self._ledger, name, self._sources, now - self._since)
            self._outboxes = (hours, *self._outboxes_of_days(name, now))
            logger.info(
                "history.remote_write: sending the usage hours from %s on to %s",
                f"{hours.sent_from:%Y-%m-%d %H:%M} UTC",
                host_of(self._receiver.url),
            )
        return self._outboxes

    def _outboxes_of_days(self, name: str, now: datetime) -> Iterator[Outbox]:
        if self._zones is None:
            return
        make = partial(
            Outbox,
            self._ledger,
            sources=self._sources,
            since=now - self._since,
            period=DAY,
            zones=self._zones,
        )
        yield make(f"{name} (days)")
        for each in self._divisions:
            # Days that a new rule divides otherwise are sent again only as far back as a receiver takes them.
            yield make(f"{name} (days by {each.name})", division=each, compared=self._since)

    def _count_failure(self, reason: str, count: int) -> None:
        known = self.status.failures
        self.status = replace(self.status, failures={**known, reason: known.get(reason, 0) + count})

    def _tell(self, text: str) -> None:
        """Log a problem once until all is sent again, not each time it occurs."""
        if text not in self._reported:
            logger.warning("%s", text)
        self._reported.add(text)


def _undecided(outbox: Outbox, until: datetime) -> dict[Window, int]:
    """How many values are not in the outbox yet, by window; windows without any are left out."""
    counted = ((window, outbox.count_undecided(window)) for window in outbox.windows(until))
    return {window: count for window, count in counted if count}


def _waiting(outboxes: Sequence[Outbox]) -> tuple[int, int]:
    """How many decided values are still to be sent, and how many were refused."""
    counts = [outbox.count_waiting() for outbox in outboxes]
    return sum(waiting for waiting, _ in counts), sum(refused for _, refused in counts)
