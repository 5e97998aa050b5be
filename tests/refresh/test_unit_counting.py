"""Units are counted for every day that a server still knows, once, and again where the query has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.unit_counts import unit_counts
from exporter.refresh.unit_counting import UnitCounting
from exporter.simulator.json_server import serving_json
from exporter.simulator.orders import Orders
from exporter.simulator.prometheus_api import ORDERS_QUERY, PrometheusApi
from exporter.sources.prometheus_units import UnitCounts, UnitQuery

PACIFIC = ZoneInfo("America/Los_Angeles")
NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
BEGAN = datetime(2026, 10, 12, 3, tzinfo=UTC)
"""On 11 October, in the evening, in Pacific time; clocks change on 1 November."""
KEEP = timedelta(days=400)


@dataclass
class Asked:
    """The demo's Prometheus, and what it was asked."""

    api: PrometheusApi
    paths: list[str] = field(default_factory=list)
    broken: bool = False
    known_from: datetime | None = None
    """What is before was dropped."""
    content_type: str = PrometheusApi.content_type

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        self.paths.append(path.rpartition("/")[2])
        if self.broken and path.endswith("query_range"):
            return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "error", "errorType": "timeout"}
        query = {**query, "query": [ORDERS_QUERY]}
        status, body = self.api.answer(path, query)
        if self.known_from and path.endswith("query_range"):
            for series in body["data"]["result"]:
                least = self.known_from.timestamp()
                series["values"] = [value for value in series["values"] if value[0] >= least]
        return status, body


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "spend.duckdb")
    yield opened
    opened.close()


@contextmanager
def server() -> Iterator[tuple[Asked, str]]:
    asked = Asked(PrometheusApi(Orders(1, BEGAN)))
    with serving_json(asked) as address:
        yield asked, address


def counting(ledger: Ledger, address: str, promql: str = "orders", keep: timedelta = KEEP) -> UnitCounting:
    return UnitCounting(ledger, UnitCounts([UnitQuery("order", promql, address)], PACIFIC.key), keep)


def numbers(ledger: Ledger) -> dict[date, float]:
    with ledger.view([]) as view:
        return unit_counts(view, "order", date(2025, 1, 1), date(2027, 1, 1))


def expected(first: date, end: date) -> dict[date, float]:
    """The orders of 24 hours before each billing day's end, from the company itself."""
    orders, days = Orders(1, BEGAN), [first + timedelta(days=number) for number in range((end - first).days)]
    ends = {day: datetime.combine(day + timedelta(days=1), time(), PACIFIC) for day in days}
    return {day: float(orders.taken(at.astimezone(UTC), timedelta(days=1))) for day, at in ends.items()}


def test_every_whole_day_that_the_server_knows_is_kept(ledger: Ledger) -> None:
    with server() as (asked, address):
        found = counting(ledger, address).count(NOW)
    # The counter began in the evening of the 11th: a part of that day says nothing about its cost.
    assert numbers(ledger) == expected(date(2026, 10, 12), date(2026, 11, 10))
    assert found == {"order": numbers(ledger)[date(2026, 11, 9)]}
    # A month at a time, split where clocks change, until there is nothing.
    assert asked.paths.count("query_range") <= 4


@pytest.mark.slow
def test_days_are_asked_for_once_and_the_next_day_only_it(ledger: Ledger) -> None:
    with server() as (asked, address):
        units = counting(ledger, address, keep=timedelta(days=20))
        units.count(NOW)
        asked.paths.clear()
        units.count(NOW + timedelta(minutes=15))
        counting(ledger, address, keep=timedelta(days=20)).count(NOW + timedelta(minutes=30))
        assert asked.paths == ["query", "query"]
        units.count(NOW + timedelta(days=1))
    assert asked.paths == ["query"] * 3
    assert numbers(ledger) == expected(date(2026, 10, 21), date(2026, 11, 11))


@pytest.mark.slow
def test_a_day_missed_while_nothing_ran_is_asked_for_later(ledger: Ledger) -> None:
    with server() as (_, address):
        counting(ledger, address).count(NOW - timedelta(days=5))
        counting(ledger, address).count(NOW)
    assert numbers(ledger) == expected(date(2026, 10, 12), date(2026, 11, 10))


@pytest.mark.slow
def test_a_server_that_fails_is_asked_again(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    with server() as (asked, address):
        units = counting(ledger, address)
        asked.broken = True
        units.count(NOW)
        assert "unit_costs.order" in caplog.text
        assert numbers(ledger) == expected(date(2026, 11, 9), date(2026, 11, 10))
        asked.broken = False
        units.count(NOW)
    assert numbers(ledger) == expected(date(2026, 10, 12), date(2026, 11, 10))


@pytest.mark.slow
def test_with_another_query_days_are_counted_again_where_the_server_still_knows_them(ledger: Ledger) -> None:
    with server() as (asked, address):
        counting(ledger, address, "old").count(NOW)
        before = numbers(ledger)
        asked.api = PrometheusApi(Orders(2, BEGAN))
        asked.known_from = datetime(2026, 11, 5, tzinfo=UTC)
        counting(ledger, address, "new").count(NOW)
    after = numbers(ledger)
    assert after.keys() == before.keys()
    changed = {day for day in after if after[day] != before[day]}
    # Of the 4th it may have only a part.
    assert changed == {date(2026, 11, day) for day in range(5, 10)}
