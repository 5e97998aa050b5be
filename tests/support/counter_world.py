"""A company with weeks of history and one hour in which each counter grows: what happened is known exactly.

The sources are read in two parts, and read again when a test lets the hour happen.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from exporter.analysis.unit_cost.rate_book import RateCard
from exporter.core import llm_meters
from exporter.core.charges import Charge, UsagePoint
from exporter.core.meters import GIBIBYTE, RUN
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.metrics.figure_settings import FigureSettings
from exporter.metrics.remote_write import SendingStatus
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.refresher import Refresher
from exporter.sources.base import (
    Batch,
    BilledReads,
    Change,
    RefreshContext,
    Rejected,
    Unreadable,
    UsageAddition,
    UsageChange,
)
from exporter.sources.spool import write_spool_csv, write_usage_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge

HISTORY_HOURS = 24 * 21
GREW = 7.0
"""What each series of the history rises by in the hour."""
NEW = 5.0
"""What each series that turns up in the hour has by its end."""

COUNTED_BY_LEDGER = {
    "spend_billed_usd_total": GREW + NEW,
    # Credits, and a correction.
    "spend_billed_credit_usd_total": 2 * (GREW + NEW),
    "spend_restated_usd_total": GREW + NEW,
    "spend_cloud_run_requests_total": GREW + NEW,
    "spend_cloud_run_cpu_seconds_total": GREW + NEW,
    "spend_cloud_run_memory_gibibyte_seconds_total": GREW + NEW,
    "spend_cloud_run_billable_instance_seconds_total": GREW + NEW,
    "spend_cloud_run_egress_bytes_total": (GREW + NEW) * GIBIBYTE,
    "spend_cloud_run_cold_starts_total": GREW + NEW,
    # A dollar a request, a vCPU second, a GiB second and a GiB.
    "spend_cloud_run_estimated_usd_total": 4 * (GREW + NEW),
    "spend_llm_tokens_total": GREW + NEW,
    "spend_llm_requests_total": GREW + NEW,
    "spend_llm_estimated_usd_total": GREW + NEW,
    "spend_llm_unpriced_tokens_total": GREW + NEW,
    "spend_llm_unpriced_fees_total": GREW + NEW,
    "spend_llm_proxy_usd_total": GREW + NEW,
    "spend_llm_proxy_tokens_total": GREW + NEW,
    "spend_llm_proxy_requests_total": GREW + NEW,
}
"""What the hour adds to the counters that go on after a restart; all others count from its start."""

_NEVER = (sys.executable, "-c", "import signal; signal.pause()")
_RUN_METERS = (
    ("cloud_run_requests", "2xx", 1.0),
    ("cloud_run_cpu_seconds", "", 1.0),
    ("cloud_run_memory_byte_seconds", "", GIBIBYTE),
    ("cloud_run_billable_instance_seconds", "", 1.0),
    ("cloud_run_egress_bytes", "", GIBIBYTE),
    ("cloud_run_cold_starts", "", 1.0),
)
_MODEL_METERS = (
    (llm_meters.TOKENS, "input", 1.0),
    (llm_meters.REQUESTS, "", 1.0),
    (llm_meters.LIST_USD, "", 1.0),
    (llm_meters.UNPRICED_TOKENS, "", 1.0),
    ("llm_web_searches", "", 1.0),
)
_PROXY_METERS = (
    (llm_meters.PROXY_USD, "", 1.0),
    (llm_meters.PROXY_TOKENS, "input", 1.0),
    (llm_meters.PROXY_REQUESTS, "", 1.0),
)
_numbers = count()

Meters = Sequence[tuple[str, str, float]]


@dataclass(eq=False, kw_only=True)
class Read(TestedSource):
    """A source whose first read waits for the test in the middle, and that has more once the hour happens."""

    name: str = ""
    provider: str = ""
    half: Callable[[RefreshContext, int], Change | UsageChange]
    """One half of the history."""
    hour: Callable[[RefreshContext], Change | UsageChange]
    billing_timezone: str | None = None
    reads_live_usage: bool = False
    billed_reads: BilledReads | None = None
    finish: threading.Event = field(default_factory=threading.Event)
    happen: threading.Event = field(default_factory=threading.Event)
    steps: int = 0

    def refresh(self, context: RefreshContext) -> Iterator[Change | UsageChange]:
        if self.steps == 2:
            return
        if self.steps == 1:
            if self.happen.is_set():
                self.steps = 2
                yield from self._step(context, [self.hour(context)])
            return
        yield from self._step(context, [self.half(context, 0)])
        self.finish.wait(60)
        yield self.half(context, 1)
        self.steps = 1

    def _step(
        self, context: RefreshContext, changes: Sequence[Change | UsageChange]
    ) -> Iterator[Change | UsageChange]:
        tally = context.tally
        tally.requests, tally.billed_bytes, tally.series_returned = 3, 1000, 20
        yield from changes
        yield Unreadable("odd", Rejected("bad_row", 2, "line 1", "it is odd"))


def sending_nothing() -> HistorySender:
    """Remote write whose status a test sets."""
    silent = SimpleNamespace(
        status=SendingStatus(), wake=lambda: None, stop=lambda: None, run=lambda _changed: None
    )
    return cast("HistorySender", silent)


class CounterWorld:
    """Sources over one ledger file; `open` and `keep_reading` run the exporter over it."""

    def __init__(self, folder: Path, zero_for: timedelta) -> None:
        self._folder = folder
        self._zero_for = zero_for
        self._ledger: Ledger | None = None
        self._running: Refresher | None = None
        self.now = datetime.now(UTC)
        self.sending = sending_nothing()
        self.sources = (
            Read(
                name="bigquery",
                provider="gcp",
                half=lambda context, half: self._charges(context, f"half-{half}", self._old_charges(half)),
                hour=lambda context: self._charges(context, "hour", self._new_charges()),
                billing_timezone="America/Los_Angeles",
                billed_reads=BilledReads.BYTES,
            ),
            self._usage("cloud_monitoring", "gcp", _RUN_METERS, live=True, billed=BilledReads.SERIES),
            self._usage("usage_logs", "mistral_ai", _MODEL_METERS),
            self._usage("litellm", "", _PROXY_METERS),
        )

    @property
    def refresher(self) -> Refresher:
        assert self._running is not None
        return self._running

    def open(self) -> None:
        """Make the exporter: it serves, and has read nothing."""
        self._ledger = Ledger(self._folder / "spend.duckdb")
        self._running = Refresher(
            self.sources,
            self._ledger,
            self._folder,
            interval=timedelta(seconds=0.3),
            keep=timedelta(days=400),
            max_series=1000,
            settings=FigureSettings(rate_card=RateCard(1.0, 1.0, 1.0, 1.0)),
            history_sender=self.sending,
            estimator=Estimator(self._ledger, self.sources, self._folder, command=_NEVER),
            zero_for=self._zero_for,
            wait=lambda event, seconds: event.wait(min(seconds, 0.3)),
        )

    def keep_reading(self) -> None:
        """Read, over and over again."""
        self.refresher.start()

    def finish_first_reads(self) -> None:
        for source in self.sources:
            source.finish.set()

    def let_the_hour_happen(self) -> None:
        self.sending.status = SendingStatus(acknowledged=40, failures={"refused": 3})
        for source in self.sources:
            source.happen.set()

    def stop(self) -> None:
        self.finish_first_reads()
        if self._running is not None:
            assert self._running.stop(30)
        if self._ledger is not None:
            self._ledger.close()
        self._running = self._ledger = None

    def _usage(
        self,
        name: str,
        provider: str,
        meters: Meters,
        *,
        live: bool = False,
        billed: BilledReads | None = None,
    ) -> Read:
        provider_of_points = provider or "openai"
        return Read(
            name=name,
            provider=provider,
            half=lambda context, half: self._points(
                context, f"half/{half}", self._old_points(provider_of_points, meters, half)
            ),
            hour=lambda context: self._points(
                context, "hour/1", self._new_points(provider_of_points, meters)
            ),
            reads_live_usage=live,
            billed_reads=billed,
        )

    def _charges(self, context: RefreshContext, name: str, charges: list[Charge]) -> Batch:
        spool = write_spool_csv(context.spool / f"counted-{next(_numbers)}.csv", charges)
        return Batch(name, "done", spool, len(charges))

    def _points(self, context: RefreshContext, name: str, points: list[UsagePoint]) -> UsageAddition:
        spool = write_usage_csv(context.spool / f"counted-{next(_numbers)}.csv", points)
        return UsageAddition(name, "done", spool, len(points))

    def _old_charges(self, half: int) -> list[Charge]:
        hours = [self.now - age * HOUR for age in range(2 + half, HISTORY_HOURS, 2)]
        return [
            each
            for hour in hours
            for each in (
                self._charge("3", "usage", "a", hour),
                self._charge("-1", "credit", "a", hour),
                self._charge("-0.5", "adjustment", "a", hour),
            )
        ]

    def _new_charges(self) -> list[Charge]:
        now = datetime.now(UTC)
        return [
            self._charge(sign + str(usd), category, sku, now)
            for usd, sku in ((GREW, "a"), (NEW, "b"))
            for category, sign in (("usage", ""), ("credit", "-"), ("adjustment", "-"))
        ]

    def _charge(self, usd: str, category: str, sku: str, at: datetime) -> Charge:
        hour = at.replace(minute=0, second=0, microsecond=0)
        return charge(
            usd,
            charge_category=category,
            sku_id=sku,
            charge_period_start=hour - HOUR,
            export_hour=hour,
            exported_at=at,
        )

    def _old_points(self, provider: str, meters: Meters, half: int) -> list[UsagePoint]:
        hours = [self.now - age * HOUR for age in range(1 + half, HISTORY_HOURS, 2)]
        return [
            self._point(provider, "old", meter, dimension, hour, 10 * size)
            for hour in hours
            for meter, dimension, size in meters
        ]

    def _new_points(self, provider: str, meters: Meters) -> list[UsagePoint]:
        now = datetime.now(UTC)
        return [
            self._point(provider, name, meter, dimension, now, amount * size)
            for amount, name in ((GREW, "old"), (NEW, "new"))
            for meter, dimension, size in meters
        ]

    def _point(
        self, provider: str, name: str, meter: str, dimension: str, at: datetime, value: float
    ) -> UsagePoint:
        hour = at.replace(minute=0, second=0, microsecond=0)
        return UsagePoint(
            provider, "shop", "europe-west4", RUN, name, name, meter, dimension, hour, hour + HOUR, value, "1"
        )


@contextlib.contextmanager
def running_world(folder: Path, zero_for: timedelta) -> Iterator[CounterWorld]:
    world = CounterWorld(folder, zero_for)
    world.open()
    try:
        yield world
    finally:
        world.stop()
