"""A source that hangs counts as failed once its refresh should have ended, and holds up no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.refresh.health import Health
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally
from exporter.sources.spool import write_spool_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge
from tests.support.exposed import by, samples, until

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)


@dataclass(eq=False)
class Hanging(TestedSource):
    """Waits for the test, deaf to every deadline, and then reads a dollar."""

    name: str = "openai"
    provider: str = "openai"
    billing_timezone: str = "UTC"
    go_on: threading.Event = field(default_factory=threading.Event)
    hangs: bool = True

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        if self.hangs:
            self.go_on.wait(60)
        spool = context.spool / f"{self.name}.csv"
        rows = [charge("1", provider=self.provider, charge_period_start=NOW - 9 * HOUR)]
        yield Batch("all", "cursor", write_spool_csv(spool, rows), 1)


def at_once_in_the_builder(event: threading.Event, seconds: float) -> bool:
    return event.wait(0.01 if threading.current_thread().name == "snapshot-builder" else seconds)


@pytest.mark.slow
def test_a_healthy_bill_is_counted_and_added_up_while_another_hangs_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = 0.0
    hanging, healthy = Hanging(), Hanging("files", "gcp", hangs=False)
    ledger = Ledger(None)
    refresher = Refresher(
        [hanging, healthy],
        ledger,
        tmp_path,
        interval=timedelta(minutes=15),
        refresh_seconds=900,
        keep=timedelta(days=400),
        max_series=1000,
        zero_for=timedelta(0),
        clock=lambda: NOW,
        monotonic=lambda: seconds,
        wait=at_once_in_the_builder,
    )

    def shown(name: str, label: str) -> dict[tuple[str, ...], float]:
        return by(samples(refresher.snapshot.text, name)[name], label)

    refresher.start()
    try:
        until(lambda: ("files",) in shown("spend_source_up", "source"), "the healthy source")
        assert shown("spend_source_up", "source") == {("files",): 1}
        assert not shown("spend_billed_usd_total", "provider")
        seconds = 901.0
        until(lambda: ("openai",) in shown("spend_source_up", "source"), "the verdict on the silent source")
        assert shown("spend_source_up", "source") == {("openai",): 0, ("files",): 1}
        assert shown("spend_source_read_whole", "source") == {("openai",): 0, ("files",): 1}
        until(lambda: shown("spend_billed_usd_total", "provider"), "the counter of the healthy one")
        assert set(shown("spend_billed_usd_total", "provider")) == {("gcp",)}
        assert dict(refresher.snapshot.totals)["Month to date"] == 1
        [status] = [each for each in refresher.snapshot.sources if each.name == "openai"]
        assert status.missing
        assert "timeouts.refresh_seconds" in status.last_error
        assert status.errors == {"timeout": 1}
        hanging.go_on.set()
        until(lambda: shown("spend_source_up", "source")[("openai",)] == 1, "the source that came after all")
        assert dict(refresher.snapshot.totals)["Month to date"] == 2
        assert by(samples(refresher.snapshot.text)["spend_source_errors_total"], "reason") == {
            ("timeout",): 1
        }
    finally:
        hanging.go_on.set()
        refresher.stop()
        ledger.close()
    assert caplog.text.count("has run for more than 900 s") == 1


def test_the_count_of_a_late_refresh_does_not_fall_when_it_ends() -> None:
    now = 0.0
    health = Health(
        Hanging(), lambda: NOW, interval=timedelta(minutes=15), refresh_seconds=10, monotonic=lambda: now
    )
    health.began()
    assert health.seconds_left == 10
    now = 9.0
    assert health.status.up is None
    now = 11.0
    assert health.status.errors == {"timeout": 1}
    health.ended(RefreshTally(), 11.0, None)
    assert (health.status.up, health.status.errors, health.late) == (True, {"timeout": 1}, False)
    health.began()
    now = 30.0
    health.ended(RefreshTally(), 19.0, ("timeout", "the refresh took too long"))
    assert (health.status.up, health.status.errors) == (False, {"timeout": 2})
