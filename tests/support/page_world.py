"""A bill and live figures for tests of the page, with names that try to break out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from exporter.metrics import families as metrics
from exporter.metrics.snapshot import Snapshot
from exporter.questions.asking import Questions
from exporter.sources.base import Rejected
from exporter.sources.status import SourceStatus
from tests.support.outlooks import DAY_BEGINS, daily_limit, outlook, steady
from tests.support.question_world import asked_ledger, many_charges
from tests.support.served import snapshot

EVIL: Final = "'\"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\x07\x1b[31m\u202e\ufffe"
NOW: Final = DAY_BEGINS + timedelta(hours=9, minutes=42)


@contextmanager
def evil_ledger(folder: Path) -> Iterator[Questions]:
    """Questions about five weeks of bill, whose names are hostile."""
    charges = many_charges(5, first=date(2026, 10, 14), days=33)
    evil = [
        replace(
            each,
            service_name=EVIL if each.service_name == "Cloud Run" else each.service_name,
            sku=f"{each.sku} {EVIL}",
            project_id=f"{each.project_id}{EVIL}",
        )
        for each in charges
    ]
    with asked_ledger(folder, evil) as questions:
        yield questions


def evil_snapshot(usd_per_hour: float = 4.0, *, minutes_later: int = 0) -> Snapshot:
    """A snapshot with something in each part of the page, and hostile names in all of them."""
    services = {EVIL: steady(usd_per_hour), "Compute Engine": steady(0.5)}
    of_today = outlook(services)
    source = SourceStatus(
        EVIL, False, DAY_BEGINS, f"no access {EVIL}", 12_345 + minutes_later, (Rejected(EVIL, 3, EVIL, EVIL),)
    )
    place = (EVIL, EVIL, EVIL)
    details = {
        metrics.SPEND_CLOUD_RUN_COST_PER_REQUEST_USD.name: {place: 0.0000123},
        metrics.SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST.name: {place: 0.25},
        metrics.SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD.name: {place: 0.00003},
        metrics.SPEND_CLOUD_RUN_COLD_START_RATIO.name: {place: 0.001},
        metrics.SPEND_RECOMMENDATION_SAVINGS.name: {("gcp", *place, "x"): 123.4},
        metrics.SPEND_RECOMMENDATION_INFO.name: {("gcp", *place, "x", f"stop {EVIL}"): 1.0},
        metrics.SPEND_ALERT_THRESHOLD.name: {("hourly_spike_usd",): 10.0, ("spike_score",): 3.0},
        metrics.SPEND_SPIKE_USD.name: {("gcp", EVIL, ""): 40.0, ("gcp", "quiet", ""): 5.0},
        metrics.SPEND_SPIKE_HOUR_USD.name: {("gcp", EVIL, ""): 55.0, ("gcp", "quiet", ""): 5.0},
        metrics.SPEND_SPIKE_SCORE.name: {("gcp", EVIL, ""): 9.0, ("gcp", "quiet", ""): 9.0},
    }
    totals = (
        ("Today, billed so far", Decimal(18)),
        ("Yesterday", Decimal("12434.56")),
        ("Month to date", Decimal("-3.5")),
        ("Last month", None),
    )
    return replace(
        snapshot(sources=(source,), totals=totals),
        built_at=DAY_BEGINS + timedelta(minutes=minutes_later),
        outlooks=(of_today,),
        budgets=(daily_limit("42", of_today),),
        details=details,
    )
