"""The demo world: one truth, reported late and in parts, and the same however it is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.google.catalogue import SERVICES
from exporter.simulator.google.company import ACCOUNTS
from exporter.simulator.google.rows import ExportRow
from exporter.simulator.google.world import World
from tests.support.world_truth import true_cost

pytestmark = pytest.mark.slow

SEED = 6
START = datetime(2026, 10, 27, 6, tzinfo=UTC)
"""Five days before a Pacific month ends and, a day later, a Pacific day of 25 hours."""
LAST_USE = datetime(2026, 11, 3, tzinfo=UTC)
ALL_ARRIVED = LAST_USE + timedelta(days=15)
HOUR = timedelta(hours=1)
PACIFIC = ZoneInfo("America/Los_Angeles")


@cache
def every_row() -> tuple[ExportRow, ...]:
    """All rows that will ever be exported for use before LAST_USE."""
    rows = World(SEED, START).rows_exported(START, ALL_ARRIVED)
    return tuple(row for row in rows if row["usage_start_time"] < LAST_USE)


def net(row: ExportRow) -> Decimal:
    credits = sum((Decimal(str(credit["amount"])) for credit in row["credits"]), Decimal(0))
    return Decimal(str(row["cost"])) + credits


def of_type(rows: Iterable[ExportRow], *types: str) -> list[ExportRow]:
    return [row for row in rows if row["adjustment_info"].get("type") in types]


@pytest.mark.slow
def test_all_rows_ever_exported_for_an_hour_sum_to_its_true_cost() -> None:
    reported: dict[tuple[datetime, str, str, str], Decimal] = defaultdict(Decimal)
    reported_usd: dict[tuple[datetime, str, str, str], Decimal] = defaultdict(Decimal)
    for row in every_row():
        key = (
            row["usage_start_time"],
            row["billing_account_id"],
            row["project"].get("id", ""),
            row["service"]["description"],
        )
        reported[key] += net(row)
        reported_usd[key] += net(row) / Decimal(row["currency_conversion_rate"])
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    true = {
        (epoch + cost.hour * HOUR, cost.billing_account_id, cost.project_id, cost.service_name): cost
        for cost in true_cost(World(SEED, START), START, LAST_USE)
    }
    assert {key: cost.cost for key, cost in true.items()} == reported
    for key, cost in true.items():
        assert float(reported_usd[key]) == pytest.approx(float(cost.cost_usd), rel=1e-9, abs=1e-12)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    begin=st.integers(0, 30 * 24 * 60),
    steps=st.lists(st.integers(0, 9 * 60), min_size=1, max_size=6),
)
def test_rows_do_not_depend_on_the_steps_in_which_they_are_read(
    seed: int, begin: int, steps: list[int]
) -> None:
    since = START + timedelta(minutes=begin)
    stepwise: list[ExportRow] = []
    world, now = World(seed, START), since
    for minutes in steps:
        stepwise.extend(world.rows_exported(now, now + timedelta(minutes=minutes)))
        now += timedelta(minutes=minutes)
    assert stepwise == list(World(seed, START).rows_exported(since, now))


@pytest.mark.slow
def test_the_past_is_the_same_when_it_is_read_after_the_future() -> None:
    world = World(3, START)
    later = list(world.rows_exported(START + timedelta(days=9), START + timedelta(days=10)))
    earlier = list(world.rows_exported(START, START + timedelta(days=1)))
    fresh = World(3, START)
    assert earlier == list(fresh.rows_exported(START, START + timedelta(days=1)))
    assert later == list(fresh.rows_exported(START + timedelta(days=9), START + timedelta(days=10)))


def test_another_seed_is_another_company() -> None:
    until = START + timedelta(hours=12)
    assert list(World(1, START).rows_exported(START, until)) != list(
        World(2, START).rows_exported(START, until)
    )


@pytest.mark.slow
def test_rows_come_in_the_order_of_their_export_and_after_their_use() -> None:
    times = [row["export_time"] for row in World(SEED, START).rows_exported(START, START + timedelta(days=3))]
    assert times == sorted(times)
    assert all(START <= time < START + timedelta(days=3) for time in times)
    assert all(row["export_time"] > row["usage_end_time"] for row in every_row())


@pytest.mark.slow
def test_nothing_is_used_before_the_world_begins() -> None:
    assert min(row["usage_start_time"] for row in every_row()) == START
    assert list(World(SEED, START).rows_exported(START - timedelta(days=9), START)) == []


@pytest.mark.slow
def test_each_service_is_late_in_its_own_way() -> None:
    lags: dict[str, list[float]] = defaultdict(list)
    for row in every_row():
        if row["cost_type"] == "regular" and not row["adjustment_info"]:
            lag = (row["export_time"] - row["usage_end_time"]) / HOUR
            lags[row["service"]["description"]].append(lag)
    for service in SERVICES.values():
        assert median(lags[service.name]) == pytest.approx(service.lag.median_hours, abs=3.0), service.name
    late = {name for name, hours in lags.items() if max(hours) > 24.0}
    assert {"Vertex AI", "Cloud Storage", "Claude Sonnet 4.5"} <= late
    assert max(max(hours) for hours in lags.values()) < 100.0


@pytest.mark.slow
def test_some_hours_arrive_in_parts_that_carry_the_same_price() -> None:
    parts: dict[tuple[object, ...], list[ExportRow]] = defaultdict(list)
    for row in every_row():
        if row["cost_type"] == "regular" and not row["adjustment_info"]:
            place = (
                row["project"]["id"],
                row["sku"]["id"],
                row["location"]["location"],
                str(row["resource"]),
            )
            parts[*place, str(row["labels"]), row["usage_start_time"]].append(row)
    split = [rows for rows in parts.values() if len(rows) > 1]
    assert 0.02 < len(split) / len(parts) < 0.2
    assert {len(rows) for rows in split} == {2, 3}
    for rows in split:
        assert len({row["export_time"] for row in rows}) == len(rows)
        assert len({row["price"]["effective_price"] for row in rows}) == 1


def test_a_restatement_takes_back_what_was_billed_days_later() -> None:
    corrected = of_type(every_row(), "USAGE_CORRECTION", "PRICE_CORRECTION")
    assert {row["adjustment_info"]["mode"] for row in corrected} == {
        "PARTIAL_CORRECTION",
        "COMPLETE_NEGATION",
        "COMPLETE_NEGATION_WITH_REMONETIZATION",
    }
    assert all(row["export_time"] - row["usage_end_time"] > timedelta(days=5) for row in corrected)
    assert any(net(row) > 0 for row in corrected)
    negations = [row for row in corrected if row["adjustment_info"]["mode"] == "COMPLETE_NEGATION"]
    assert negations
    for row in negations:
        assert row["cost"] < 0.0
        assert all(credit["amount"] >= 0.0 for credit in row["credits"])


def test_late_usage_lands_on_the_next_invoice_and_early_usage_never_does() -> None:
    october = [row for row in every_row() if row["usage_start_time"].astimezone(PACIFIC).month == 10]
    november = [row for row in every_row() if row["usage_start_time"].astimezone(PACIFIC).month == 11]
    assert {row["invoice"]["month"] for row in october} == {"202610", "202611"}
    assert {row["invoice"]["month"] for row in november} == {"202611"}
    closed = datetime(2026, 11, 1, tzinfo=PACIFIC).astimezone(UTC) + timedelta(hours=60)
    for row in october:
        if row["cost_type"] == "regular":
            assert (row["invoice"]["month"] == "202611") == (row["export_time"] >= closed)


def test_each_account_is_billed_in_its_currency_at_a_rate_that_changes_by_the_day() -> None:
    rates: dict[str, set[float]] = defaultdict(set)
    accounts: dict[str, set[str]] = defaultdict(set)
    for row in every_row():
        rates[row["currency"]].add(row["currency_conversion_rate"])
        accounts[row["currency"]].add(row["billing_account_id"])
    assert accounts == {account.currency: {account.id} for account in ACCOUNTS.values()}
    assert rates["USD"] == {1.0}
    days = {row["usage_start_time"].astimezone(PACIFIC).date() for row in every_row()}
    assert len(rates["EUR"]) == len(days)
    assert all(0.8 < rate < 0.92 for rate in rates["EUR"])


def test_credits_of_every_kind_are_negative_on_first_billed_rows_and_never_exceed_the_cost() -> None:
    first_billed = [row for row in every_row() if not row["adjustment_info"]]
    types = {credit["type"] for row in first_billed for credit in row["credits"]}
    assert types == {
        "COMMITTED_USAGE_DISCOUNT",
        "SUSTAINED_USAGE_DISCOUNT",
        "FEE_UTILIZATION_OFFSET",
        "FREE_TIER",
        "PROMOTION",
        "DISCOUNT",
    }
    for row in first_billed:
        assert all(credit["amount"] <= 0.0 for credit in row["credits"])
        assert not row["credits"] or net(row) >= Decimal("-0.000001")


def test_the_free_tier_is_granted_once_a_month_and_account() -> None:
    granted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in every_row():
        at = row["usage_start_time"].astimezone(PACIFIC)
        if row["sku"]["id"] == "4856-B847-F1EB" and at.month == 11 and not row["adjustment_info"]:
            for credit in row["credits"]:
                granted[row["billing_account_id"], credit["type"]] += Decimal(str(credit["amount"]))
    account = ACCOUNTS["main"].id
    assert set(granted) == {(account, "FREE_TIER")}
    assert float(granted[account, "FREE_TIER"]) == pytest.approx(-180_000 * 0.000024, rel=1e-4)


def test_a_month_ends_with_tax_and_rounding_that_belong_to_no_project() -> None:
    posted = [row for row in every_row() if row["cost_type"] in {"tax", "rounding_error"}]
    assert sorted((row["currency"], row["cost_type"]) for row in posted) == [
        ("EUR", "rounding_error"),
        ("EUR", "tax"),
        ("USD", "rounding_error"),
        ("USD", "tax"),
    ]
    for row in posted:
        assert "id" not in row["project"]
        assert row["usage_end_time"] == datetime(2026, 11, 1, tzinfo=PACIFIC)
        assert row["invoice"]["month"] == "202610"
        assert row["cost"] > 1.0 if row["cost_type"] == "tax" else abs(row["cost"]) <= 0.005


@pytest.mark.slow
def test_goodwill_is_an_adjustment_in_the_middle_of_the_month() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    rows = of_type(World(7, start).rows_exported(start, start + timedelta(days=22)), "SLA_VIOLATION")
    assert [(row["cost_type"], row["currency"]) for row in rows] == [("adjustment", "USD")]
    assert rows[0]["cost"] < 0.0


def daily_usd(world: World, day: datetime) -> float:
    return float(sum(cost.cost_usd for cost in true_cost(world, day, day + timedelta(days=1))))


def test_a_month_looks_like_a_companys() -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    world = World(7, start)
    days = [start + timedelta(days=number) for number in range(14)]
    totals = {day: daily_usd(world, day) for day in days}
    workdays = [total for day, total in totals.items() if day.weekday() in {1, 2, 3, 4}]
    weekends = [total for day, total in totals.items() if day.weekday() == 6]
    assert all(1000.0 < total < 3000.0 for total in totals.values())
    assert 0.5 < median(weekends) / median(workdays) < 0.85


def vertex_usd(world: World, hour: datetime) -> float:
    costs = true_cost(world, hour, hour + HOUR)
    return float(sum(cost.cost_usd for cost in costs if cost.service_name == "Vertex AI"))


def test_a_runaway_begins_so_long_before_now_and_ends_when_it_is_set_to() -> None:
    now = datetime(2026, 10, 20, 9, 30, tzinfo=UTC)
    wild = World.ending_at(now, incident_began=timedelta(hours=30), incident_lasts=timedelta(hours=72))
    calm = World.ending_at(now, incident_lasts=timedelta(0))
    began = datetime(2026, 10, 19, 3, tzinfo=UTC)
    assert vertex_usd(wild, began - HOUR) == vertex_usd(calm, began - HOUR)
    assert vertex_usd(wild, began) > 1.5 * vertex_usd(calm, began)
    assert vertex_usd(wild, began + 9 * HOUR) > vertex_usd(calm, began + 9 * HOUR) + 20.0
    assert vertex_usd(wild, began + 71 * HOUR) > vertex_usd(calm, began + 71 * HOUR) + 20.0
    assert vertex_usd(wild, began + 72 * HOUR) == vertex_usd(calm, began + 72 * HOUR)


def test_the_billed_part_of_the_runaway_is_in_the_export_at_now() -> None:
    now = datetime(2026, 10, 20, 9, 30, tzinfo=UTC)
    rows = World.ending_at(now).rows_exported(now - timedelta(hours=20), now)
    hourly: dict[datetime, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["service"]["description"] == "Vertex AI" and row["project"]["id"] == "northwind-assistant":
            hourly[row["usage_start_time"]] += net(row)
    assert max(hourly.values()) > 40


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 10, 20)
    with pytest.raises(TypeError):
        list(World(1, START).rows_exported(naive, naive + HOUR))
