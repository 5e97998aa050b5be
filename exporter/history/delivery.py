"""One round of sending: passes values from the outbox to the receiver, and finds those that it refuses."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import requests

from exporter.core.backoff import Backoff
from exporter.history.remote_write import NotDelivered, Receiver, Refused, Sample
from exporter.ledger.outbox import Outbox, Queued
from exporter.metrics.daily_parts import FAMILIES
from exporter.metrics.families import Family

BATCH_SAMPLES: Final = 2000
"""Samples in one request; the same as Prometheus' own default."""

_CALL_SECONDS: Final = 30.0
"""A request is retried for this long; then the round ends, and the next round continues."""

_MOST_SPLITS: Final = 500
"""How often a round halves refused requests; requests refused after that are not split further."""


class Listener(Protocol):
    """Receives the progress of a round."""

    def acknowledged(self, count: int) -> None:
        """The receiver has taken this many more values."""

    def refused(self, count: int, text: str) -> None:
        """The receiver has refused this many values, for the reason in the text."""

    def failed(self, reason: str, text: str) -> None:
        """A request failed."""


class Delivery:
    """Sends what is due, in a round. Samples that are too old or too new for the receiver wait."""

    def __init__(
        self,
        outbox: Outbox,
        receiver: Receiver,
        session: requests.Session,
        listener: Listener,
        *,
        stopping: threading.Event,
        clock: Callable[[], datetime],
        chance: random.Random,
        batch_samples: int,
        job: str,
    ) -> None:
        """`job` is a label of every sample; none where it is empty."""
        self._outbox = outbox
        self._receiver = receiver
        self._session = session
        self._listener = listener
        self._stopping = stopping
        self._clock = clock
        self._chance = chance
        self._batch_samples = batch_samples
        self._job = job
        self._splits = 0
        self._too_old_ms = 0
        self._too_old_text = ""
        self._ahead_ms = 0
        self._ahead_text = ""

    def send_due(self) -> None:
        """Send all due values of the outbox. Raises NotDelivered, SourceError and LedgerError."""
        while not self._stopping.is_set():
            batch = self._outbox.due(self._clock(), self._batch_samples)
            if not batch:
                return
            self._deliver(batch)

    def _deliver(self, batch: Sequence[Queued]) -> None:
        rest = batch
        if self._too_old_ms and (too_old := [each for each in batch if each.stamp_ms <= self._too_old_ms]):
            self._refuse(too_old, self._too_old_text)
            rest = [each for each in batch if each.stamp_ms > self._too_old_ms]
        if self._ahead_ms and (ahead := [each for each in rest if each.stamp_ms >= self._ahead_ms]):
            self._refuse(ahead, self._ahead_text)
            rest = [each for each in rest if each.stamp_ms < self._ahead_ms]
        if not rest:
            return
        try:
            self._attempt(rest)
        except Refused as error:
            self._look_into(rest, error)
        else:
            self._outbox.acknowledge(rest)
            self._listener.acknowledged(len(rest))

    def _look_into(self, batch: Sequence[Queued], error: Refused) -> None:
        """Send a refused request in halves until the refused samples are alone.

        Where samples are too old, the newer half comes first; where they are ahead, the older one: so the
        first sample found is the bound for the others.
        """
        if len(batch) == 1 and error.too_old:
            self._too_old_ms, self._too_old_text = batch[0].stamp_ms, str(error)
        if len(batch) == 1 and error.ahead:
            self._ahead_ms, self._ahead_text = batch[0].stamp_ms, str(error)
        if len(batch) == 1 or self._splits >= _MOST_SPLITS:
            self._refuse(batch, str(error))
            return
        self._splits += 1
        ordered = sorted(batch, key=lambda each: each.stamp_ms)
        older, newer = ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]
        for half in (older, newer) if error.ahead else (newer, older):
            if self._stopping.is_set():
                return
            self._deliver(sorted(half, key=lambda each: (each.labels, each.stamp_ms)))

    def _refuse(self, batch: Sequence[Queued], text: str) -> None:
        self._outbox.refuse(batch, self._clock())
        self._listener.refused(len(batch), text)

    def _attempt(self, batch: Sequence[Queued]) -> None:
        family = FAMILIES[self._outbox.contents]
        labels = {
            values: _protocol_labels(family, values, self._job) for values in {each.labels for each in batch}
        }
        samples = [Sample(labels[each.labels], each.stamp_ms, float(each.usd)) for each in batch]
        backoff = Backoff(
            call_seconds=_CALL_SECONDS,
            sleep=self._sleep,
            jitter=self._chance.random,
            stopping=self._stopping.is_set,
        )
        backoff.call(
            lambda: self._write(samples),
            (NotDelivered,),
            lambda error: isinstance(error, NotDelivered) and error.transient,
            lambda error: error.wait_seconds if isinstance(error, NotDelivered) else 0.0,
        )

    def _write(self, samples: Sequence[Sample]) -> None:
        try:
            self._receiver.write(self._session, samples)
        except NotDelivered as error:
            self._listener.failed(error.reason, str(error))
            raise

    def _sleep(self, seconds: float) -> None:
        self._stopping.wait(seconds)


def _protocol_labels(family: Family, values: tuple[str, ...], job: str) -> tuple[tuple[str, str], ...]:
    """Name the labels, in the order that receivers require; an empty label equals none, and is left out."""
    named = [("job", job), *zip(family.labels, values, strict=True)]
    return tuple(sorted([("__name__", family.name), *(pair for pair in named if pair[1])]))
