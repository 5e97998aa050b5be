"""Two days with a month's end in them, in some seconds: the whole program, by a clock that the test sets."""

from __future__ import annotations

import json
import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.cli.test_rollover import HOUR, Clock, dollar_an_hour, get, serving
from tests.fakes.remote_receiver import RemoteReceiver
from tests.prometheus.replay import alerts_over
from tests.support.exposed import ESTIMATION_SECONDS, POLL_SECONDS, Samples, by, samples, until
from tests.support.focus_rows import focus_row, write_focus_csv

BEGIN = datetime(2026, 10, 30, 18, tzinfo=UTC)
PACIFIC = ZoneInfo("America/Los_Angeles")
ZONES = {"gcp": PACIFIC, "aws": UTC}
USD_AN_HOUR = {"gcp": 1.0, "aws": 2.0}
FIRST_BILLED = datetime(2026, 10, 12, 7, tzinfo=UTC)
"""A Pacific midnight, from which on both have an even bill."""
LIMIT_USD = 20_000
"""Far above what is spent: nobody is to be told."""
MOMENTS = sorted(
    {
        *(BEGIN + hours * HOUR for hours in range(0, 64, 7)),
        # Around the ends of the month and of the day, in UTC and in Pacific time, whose clock is set back.
        *(
            midnight + timedelta(minutes=minutes)
            for midnight in (
                datetime(2026, 11, 1, 0, tzinfo=UTC),
                datetime(2026, 11, 1, 7, tzinfo=UTC),
                datetime(2026, 11, 2, 0, tzinfo=UTC),
                datetime(2026, 11, 2, 8, tzinfo=UTC),
            )
            for minutes in (-15, 0, 75)
        ),
    }
)


def write_bills(folder: Path, now: datetime) -> None:
    """Write each whole hour before now: of each provider a file for each of its months."""
    until_hour = now.replace(minute=0)
    ends = min(begins("gcp", "month", datetime(2026, 11, 2, tzinfo=UTC)), until_hour)
    dollar_an_hour(folder / "gcp-2026-10.jsonl", FIRST_BILLED, ends)
    if until_hour > ends:
        dollar_an_hour(folder / "gcp-2026-11.jsonl", ends, until_hour)
    hours = [FIRST_BILLED + number * HOUR for number in range((until_hour - FIRST_BILLED) // HOUR)]
    for month in {(hour.year, hour.month) for hour in hours}:
        first = datetime(*month, 1, tzinfo=UTC)
        rows = [
            focus_row(
                BilledCost="2",
                ChargePeriodStart=f"{hour:%Y-%m-%dT%H:00:00Z}",
                ChargePeriodEnd=f"{hour + HOUR:%Y-%m-%dT%H:00:00Z}",
                BillingPeriodStart=f"{first:%Y-%m-%dT00:00:00Z}",
                BillingPeriodEnd=f"{first + timedelta(days=32):%Y-%m-01T00:00:00Z}",
                x_ExportTime=f"{hour + HOUR:%Y-%m-%dT%H:00:00Z}",
            )
            for hour in hours
            if (hour.year, hour.month) == month
        ]
        made = write_focus_csv(folder / "aws.tmp", rows)
        made.replace(folder / f"aws-{month[0]}-{month[1]:02}.csv")


def config_of(folder: Path, receiver: str) -> Path:
    budgets = [
        {
            "name": f"{provider}-{period}",
            "period": period,
            "limit_usd": LIMIT_USD,
            "match": {"providers": [provider]},
        }
        for provider in ZONES
        for period in ("day", "month")
    ]
    minutes = 0.3 / 60
    path = folder / "config.yml"
    path.write_text(
        json.dumps(
            {
                "ledger": str(folder / "spend.duckdb"),
                "gcp": {"billing_export": {"files": ["gcp-*.jsonl"]}, "update_interval_minutes": minutes},
                "focus": {"files": ["aws-*.csv"], "update_interval_minutes": minutes},
                "budgets": budgets,
                "history": {"remote_write": {"url": receiver, "since_days": 19}},
            }
        )
    )
    return path


def begins(provider: str, period: str, now: datetime) -> datetime:
    """When the day or month of a provider's bill began."""
    local = now.astimezone(ZONES[provider]).replace(hour=0, minute=0)
    return (local if period == "day" else local.replace(day=1)).astimezone(UTC)


def usd(provider: str, since: datetime, now: datetime) -> float:
    """Dollars of the whole hours since then."""
    return USD_AN_HOUR[provider] * max(0, (now.replace(minute=0) - max(since, FIRST_BILLED)) // HOUR)


def expected(now: datetime) -> dict[str, float]:
    """What each provider's day, month and budgets have at that time, and when the budgets' periods began."""
    found = {}
    for provider in ZONES:
        for period, window in (("day", "today"), ("month", "month_to_date")):
            since = begins(provider, period, now)
            billed = usd(provider, since, now)
            if billed:
                found[f"{provider} {window}"] = billed
            found[f"{provider}-{period} used"] = billed
            found[f"{provider}-{period} since"] = since.timestamp()
    return found


def shown(found: Samples) -> dict[str, float]:
    values = {}
    for window in ("today", "month_to_date"):
        for (provider,), amount in by(found[f"spend_{window}_usd"], "provider").items():
            values[f"{provider} {window}"] = amount
    for name, figure in (("used", "billed_usd"), ("since", "period_start_timestamp_seconds")):
        for (budget,), amount in by(found[f"spend_budget_{figure}"], "budget").items():
            values[f"{budget} {name}"] = amount
    return values


def figures(found: Samples) -> set[str]:
    """Figures that could be computed."""
    return {dict(labels)["figure"] for labels, value in found["spend_figure_success"].items() if value == 1}


def has_done_all(found: Samples, now: datetime) -> bool:
    """Whether all sources were read and all was sent by the clock of now."""
    read = found["spend_source_last_success_timestamp_seconds"]
    times = {**read, **found["spend_remote_write_sent_through_timestamp_seconds"]}
    return len(times) == 3 and all(value >= now.timestamp() for value in times.values())


def counters_only_rise(scrapes: list[tuple[datetime, Samples]]) -> None:
    """Also no series of a counter goes away."""
    before: Samples = {}
    for moment, found in scrapes:
        for name, values in before.items():
            if name.endswith("_total"):
                for labels, value in values.items():
                    assert found[name].get(labels, -math.inf) >= value, (moment, name, labels)
        before = found


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed")
def test_the_days_and_the_month_end_where_each_provider_says_and_nobody_is_woken(tmp_path: Path) -> None:
    clock = Clock(MOMENTS[0])
    scrapes: list[tuple[datetime, Samples]] = []
    with RemoteReceiver() as receiver:
        write_bills(tmp_path, clock.now)
        with serving(config_of(tmp_path, receiver.url), clock) as address:
            # Grading past estimates is done once a day, and takes longest.
            until(
                lambda: "nowcast_grades" in figures(samples(get(f"{address}/metrics"))),
                "estimates that were graded",
                ESTIMATION_SECONDS,
                POLL_SECONDS,
            )
            for moment in MOMENTS:
                write_bills(tmp_path, moment)
                clock.now = moment
                latest: list[Samples] = []

                def as_expected(at: datetime = moment, latest: list[Samples] = latest) -> bool:
                    latest[:] = [samples(get(f"{address}/metrics"))]
                    return shown(latest[0]) == expected(at) and has_done_all(latest[0], at)

                until(as_expected, f"the figures of {moment}", pause_seconds=POLL_SECONDS)
                scrapes.append((moment, latest[0]))
            whole_days = [("gcp", "2026-10-31", 24.0), ("gcp", "2026-11-01", 25.0)]
            whole_days += [("aws", "2026-10-31", 48.0), ("aws", "2026-11-01", 48.0)]
            stamped = {
                (provider, datetime.fromisoformat(f"{day}T12:00Z").timestamp()): amount
                for provider, day, amount in whole_days
            }
            until(lambda: stamped.items() <= daily(receiver).items(), "the days, each at noon of its date")
    counters_only_rise(scrapes)
    assert alerts_over(scrapes, tmp_path) == set()


def daily(receiver: RemoteReceiver) -> dict[tuple[str, float], float]:
    """Dollars of spend_daily_usd by provider and noon of their day; corrections are minutes before it."""
    found: dict[tuple[str, float], float] = {}
    for (labels, milliseconds), value in list(receiver.stored.items()):
        named = dict(labels)
        if named["__name__"] == "spend_daily_usd":
            noon = math.ceil((milliseconds / 1000 - 43_200) / 86_400) * 86_400 + 43_200
            key = (named["provider"], float(noon))
            found[key] = found.get(key, 0.0) + value
    return found
