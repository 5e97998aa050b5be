"""The cost of usage hours in the ledger: exact, in order, and only of the given provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.ledger.charges.hourly import forgotten_before, hourly_costs, usage_bounds
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import HOUR, charge, put

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=2)

ROWS = st.lists(
    st.tuples(
        st.integers(0, 47),
        st.sampled_from(["shop-prod", "ml", ""]),
        st.sampled_from(["usage", "credit"]),
        st.decimals(-1000, 1000, places=9),
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_hours_sum_exactly_in_either_order(rows: list[tuple[int, str, str, Decimal]], tmp_path: Path) -> None:
    ledger = Ledger(None)
    expected: dict[tuple[tuple[str, ...], datetime], Decimal] = {}
    for number, (hours, project, category, usd) in enumerate(rows):
        hour = BEGIN + hours * HOUR
        each = charge(usd, charge_period_start=hour, project_id=project, charge_category=category)
        put(ledger, tmp_path, f"p{number}", each)
        key = (("gcp", project, "Compute Engine", category), hour)
        expected[key] = expected.get(key, Decimal(0)) + usd
    with ledger.view(["files"]) as view:
        by_time = list(hourly_costs(view, "gcp", BEGIN, END))
        by_series = list(hourly_costs(view, "gcp", BEGIN, END, order="series"))
    ledger.close()
    assert {(cost.labels, cost.hour): cost.usd for cost in by_time} == expected
    assert [cost.hour for cost in by_time] == sorted(cost.hour for cost in by_time)
    assert by_series == sorted(by_time, key=lambda cost: (cost.labels, cost.hour))


def test_the_range_the_provider_and_the_sources_limit_the_result(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(
        ledger,
        tmp_path,
        "a",
        charge("1", charge_period_start=BEGIN - HOUR),
        charge("2", charge_period_start=BEGIN),
        charge("4", charge_period_start=END - HOUR),
        charge("8", charge_period_start=END),
        charge("16", charge_period_start=BEGIN, provider="aws"),
    )
    put(ledger, tmp_path, "a", charge("32", charge_period_start=BEGIN), source="focus")
    with ledger.view(["files"]) as view:
        assert [cost.usd for cost in hourly_costs(view, "gcp", BEGIN, END)] == [2, 4]
        assert usage_bounds(view, "gcp") == (BEGIN - HOUR, END + HOUR)
        assert usage_bounds(view, "openai") is None
        assert forgotten_before(view) is None
    ledger.forget_before(BEGIN)
    with ledger.view(["files"]) as view:
        assert forgotten_before(view) == BEGIN
    ledger.close()


def test_a_sample_has_the_last_second_of_its_hour(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", charge("1", charge_period_start=BEGIN))
    with ledger.view(["files"]) as view:
        [cost] = hourly_costs(view, "gcp", BEGIN, END)
    ledger.close()
    assert datetime.fromtimestamp(cost.stamp_seconds, UTC) == datetime(2026, 11, 1, 0, 59, 59, tzinfo=UTC)
