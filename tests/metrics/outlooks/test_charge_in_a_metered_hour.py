"""One more charge in an hour of a metered SKU, of another kind than its usage, leaves its rate alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import exp
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.analysis.nowcast.track_record import TrackRecord
from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.metrics.outlooks.nowcast import cost_history, make_outlook
from exporter.metrics.outlooks.outlook import Outlook
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 6, 21, 3, tzinfo=UTC)
PRICE = 0.0002
"""Of a second."""

Row = Callable[[Charge, Decimal], list[Charge]]
"""From the row of an hour and what is charged once in it to the rows that the ledger has."""


def summed_with_the_hours_usage(hour: Charge, usd: Decimal) -> list[Charge]:
    whole = hour.billed_cost + usd
    return [changed(hour, whole)]


def summed_and_for_a_month(hour: Charge, usd: Decimal) -> list[Charge]:
    month = hour.charge_period_start + timedelta(days=30)
    return [changed(hour, hour.billed_cost + usd, charge_period_end=month)]


def without_usage(hour: Charge, usd: Decimal) -> list[Charge]:
    return [hour, changed(hour, usd, consumed_quantity=0.0, export_hour=hour.export_hour + HOUR)]


def in_another_unit(hour: Charge, usd: Decimal) -> list[Charge]:
    return [hour, changed(hour, usd, consumed_quantity=1.0, consumed_unit="month")]


def bought(hour: Charge, usd: Decimal) -> list[Charge]:
    return [hour, changed(hour, usd, charge_category="purchase", consumed_quantity=1.0, consumed_unit="")]


ROWS: list[Row] = [
    summed_with_the_hours_usage,
    summed_and_for_a_month,
    without_usage,
    in_another_unit,
    bought,
]


def changed(hour: Charge, usd: Decimal, **changes: object) -> Charge:
    fields = {name: getattr(hour, name) for name in hour.__slots__} | changes
    fields["exported_at"] = fields["export_hour"]
    del fields["billed_cost"], fields["billed_cost_usd"]
    return charge(usd, **fields)


def metered(chance: Random, days: int) -> list[Charge]:
    """Rows of three SKUs, each used for so many seconds an hour at one price."""
    rows = []
    for sku in ("a", "b", "c"):
        level, lag = chance.choice([300.0, 3_600.0]), chance.choice([2, 5, 9])
        for back in range(days * 24, 1, -1):
            start = NOW - back * HOUR
            seconds = round(level * (1.5 if 8 < start.hour < 20 else 1.0) * exp(chance.gauss(0.0, 0.2)), 3)
            usd = round(Decimal(seconds) * Decimal(PRICE), 6)
            rows.append(
                charge(
                    usd,
                    sku_id=sku,
                    sku=sku,
                    charge_period_start=start,
                    charge_period_end=start + HOUR,
                    export_hour=start + chance.randint(1, lag) * HOUR,
                    consumed_quantity=seconds,
                )
            )
    return [row for row in rows if row.export_hour < NOW]


def outlook(rows: list[Charge]) -> Outlook:
    ledger = Ledger(None)
    with TemporaryDirectory() as folder:
        put(ledger, Path(folder), "bill", *rows)
    with ledger.view(["files"]) as view:
        cells = cost_history(view, "gcp", NOW)
    ledger.close()
    as_of = int(NOW.timestamp()) // 3600
    return make_outlook(cells, "gcp", "America/Los_Angeles", as_of, live=None, record=TrackRecord())


def month_end(made: Outlook) -> float:
    assert made.month is not None
    return made.month.quantile_usd[0.5]


def burn_rate(made: Outlook) -> float:
    return sum(made.nowcast.burn_rate_usd_per_hour(NOW.timestamp() / 3600 + 0.5).values())


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    seed=st.integers(0, 10**6),
    days=st.integers(10, 60),
    back=st.integers(0, 239),
    times=st.floats(0.5, 100.0),
)
def test_it_raises_the_months_end_by_itself_and_the_burn_rate_not_at_all(
    row: Row, seed: int, days: int, back: int, times: float
) -> None:
    rows = metered(Random(seed), days)
    of_sku = [each for each in rows if each.sku_id == "a"]
    at = of_sku[max(len(of_sku) - 1 - back, 0)]
    usd = round(max(each.billed_cost for each in of_sku) * Decimal(times), 6)
    more = [each for each in row(at, usd) if each.export_hour < NOW]
    known = sum((each.billed_cost for each in more), -at.billed_cost)
    with_it = outlook([*(each for each in rows if each is not at), *more])
    without = outlook(rows)
    assert month_end(with_it) - month_end(without) == pytest.approx(float(known), rel=0.05)
    assert burn_rate(with_it) == pytest.approx(burn_rate(without), rel=1e-4)
