"""Invoices are the sums of their charges, however old the usage, with or without a rate to dollars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import charge, put

MONTHS = ("202609", "202610", "202611", "202612")
FIRST = datetime(2026, 8, 1, tzinfo=UTC)

Sums = dict[tuple[str, str, str], Decimal]


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """A charge of any age on any invoice, of which some have no rate to dollars."""
    one = charge(
        draw(st.decimals(-100, 100, places=4)),
        charge_period_start=FIRST + timedelta(hours=draw(st.integers(0, 150 * 24))),
        export_hour=datetime(2026, 12, draw(st.integers(1, 20)), tzinfo=UTC),
        invoice_month=draw(st.sampled_from(MONTHS)),
        charge_category=draw(st.sampled_from(("usage", "tax", "adjustment"))),
        billing_currency=draw(st.sampled_from(("EUR", "USD"))),
    )
    return replace(one, billed_cost_usd=None) if draw(st.booleans()) else one


partitions = st.dictionaries(st.sampled_from("abc"), st.lists(charges(), max_size=6), min_size=1)
moments = st.integers(0, 150).map(lambda days: FIRST + timedelta(days=days))


def shown(ledger: Ledger, known: datetime | None = None) -> Sums:
    with ledger.view(["files"], known) as view:
        return {
            (each.invoice_month, each.currency, each.charge_category): each.cost
            for each in view.invoice_costs()
        }


def expected(rows: Sequence[Charge], kept_from: datetime | None, known: datetime | None = None) -> Sums:
    """Sums of the invoices that are later than the month in which usage began to be kept."""
    first = f"{kept_from:%Y%m}" if kept_from else ""
    sums: Sums = defaultdict(Decimal)
    for row in rows:
        if row.invoice_month > first and (known is None or row.export_hour < known):
            sums[row.invoice_month, row.billing_currency, row.charge_category] += row.billed_cost
    return dict(sums)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=partitions, after=partitions, first=moments, second=moments, gone=st.sampled_from(["", "a", "b"])
)
def test_an_invoice_is_the_sum_of_its_charges_whatever_was_forgotten_in_between(
    tmp_path: Path,
    before: dict[str, list[Charge]],
    after: dict[str, list[Charge]],
    first: datetime,
    second: datetime,
    gone: str,
) -> None:
    ledger = Ledger(None)
    for name, rows in before.items():
        put(ledger, tmp_path, name, *rows)
    ledger.forget_before(first)
    for name, rows in after.items():
        put(ledger, tmp_path, name, *rows)
    ledger.forget_before(second)
    if gone:
        ledger.retract("files", gone)

    left = {name: rows for name, rows in {**before, **after}.items() if name != gone}
    everything = [row for rows in left.values() for row in rows]
    known = datetime(2026, 12, 10, tzinfo=UTC)
    assert shown(ledger) == expected(everything, max(first, second))
    assert shown(ledger, known) == expected(everything, max(first, second), known)
    ledger.close()


def test_a_charge_without_dollars_makes_no_series_and_no_counter(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", charge(billed_cost_usd=None, billing_currency="EUR", charge_category="tax"))

    with ledger.view(["files"]) as view:
        assert view.series_totals() == []
        assert [(each.currency, each.cost) for each in view.invoice_costs()] == [("EUR", Decimal("1.25"))]
    ledger.close()


@pytest.mark.parametrize(("corrects", "restated"), [(None, 0.01), (True, 0.01), (False, 0)])
def test_an_adjustment_is_restated_unless_it_corrects_nothing(
    tmp_path: Path, corrects: bool | None, restated: float
) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", charge("0.01", charge_category="adjustment", corrects=corrects))

    for known in (None, datetime(2026, 11, 20, tzinfo=UTC)):
        with ledger.view(["files"], known) as view:
            assert sum(float(usd) for _, _, usd in view.restated()) == restated
    ledger.close()
