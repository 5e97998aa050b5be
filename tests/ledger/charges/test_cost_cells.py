"""What estimates are made from: nothing is lost where small lines are read as a group, and spans are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.core.cost_cells import NANO
from exporter.ledger.charges.cost_cells import cost_cells
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import HOUR, charge, put

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
START = datetime(2026, 11, 10, 8, tzinfo=UTC)


@pytest.mark.parametrize(("alone", "lines"), [(100, 12), (3, 4), (0, 4)])
def test_lines_beyond_the_largest_are_one_line_for_each_service(
    tmp_path: Path, alone: int, lines: int
) -> None:
    ledger = Ledger(None)
    rows = [
        charge(str(usd), sku_id=f"sku {n}", sku=f"sku {n}")
        for n, usd in enumerate((500, 300, 1, 1, 1, 1, 1, 1, 1, 1, 0.5))
    ]
    put(ledger, tmp_path, "a", *rows, charge("-5", sku_id="sku 0", sku="sku 0", charge_category="credit"))
    put(ledger, tmp_path, "b", charge("70", sku_id="fee", sku="fee"))
    with ledger.view(["files"]) as view:
        found = cost_cells(view, "gcp", SINCE, always_alone=alone)
    ledger.close()
    assert len(found.lines) == lines
    assert found.gross.sum() == round(878.5 * NANO)
    assert found.credit.sum() == -5 * NANO
    grouped = [line for line in found.lines if line.sku_id == ""]
    assert [line.service_name for line in grouped] == ["Compute Engine"] * (lines < 12)


def test_a_charge_has_the_hours_from_its_start_to_its_end(tmp_path: Path) -> None:
    ledger = Ledger(None)
    month = charge("100", sku_id="fee", charge_period_end=START + timedelta(days=30))
    hour = charge("1", charge_period_end=START + timedelta(minutes=30))
    put(ledger, tmp_path, "a", month, hour, charge("1", sku_id="unknown"))
    with ledger.view(["files"]) as view:
        found = cost_cells(view, "gcp", SINCE)
        as_of = cost_cells(
            type(view)(view.connection, view.sources, datetime(2026, 11, 10, 13, tzinfo=UTC)), "gcp", SINCE
        )
    ledger.close()
    spans = {found.lines[line].sku_id: int(span) for line, span in zip(found.line, found.span, strict=True)}
    assert sorted(spans.values()) == [1, 1, 720]
    assert spans["fee"] == 720
    assert len(as_of) == 0


def test_a_refund_and_a_months_fee_of_a_metered_sku_have_cells_of_their_own(tmp_path: Path) -> None:
    ledger = Ledger(None)
    month = charge("100", charge_period_end=START + timedelta(days=30))
    put(ledger, tmp_path, "a", charge("1"), charge("2"), charge("-50"), month)
    with ledger.view(["files"]) as view:
        found = cost_cells(view, "gcp", SINCE)
    ledger.close()
    assert len(found.lines) == 1
    cells = zip(found.gross.tolist(), found.span.tolist(), strict=True)
    assert sorted(cells) == [(-50 * NANO, 1), (3 * NANO, 1), (100 * NANO, 720)]


def test_what_a_metered_sku_costs_beside_its_usage_has_a_cell_of_its_own(tmp_path: Path) -> None:
    ledger = Ledger(None)
    hours = [
        charge("2", charge_period_start=START + at * HOUR, export_hour=START + 40 * HOUR) for at in range(20)
    ]
    with_fee = charge("7", charge_period_start=START + 20 * HOUR, export_hour=START + 40 * HOUR)
    half = charge("1", charge_period_start=START + 21 * HOUR, consumed_quantity=1800.0)
    put(ledger, tmp_path, "a", *hours, with_fee, half)
    with ledger.view(["files"]) as view:
        found = cost_cells(view, "gcp", SINCE)
    ledger.close()
    cells = zip(found.usage - found.first_hour, found.gross // NANO, found.apart, strict=True)
    assert [each for each in cells if each[0] >= 20] == [(21, 1, False), (20, 5, True), (20, 2, False)]
    assert found.gross.sum() == 48 * NANO


@pytest.mark.parametrize("prices", [(1.0, 2.0, 3.0), (0.0, 1.0, 5.0)])
def test_a_sku_whose_units_have_no_one_price_is_left_whole(tmp_path: Path, prices: tuple[float, ...]) -> None:
    ledger = Ledger(None)
    rows = [charge(str(prices[at % 3]), charge_period_start=START + at * HOUR) for at in range(48)]
    put(ledger, tmp_path, "a", *rows)
    with ledger.view(["files"]) as view:
        found = cost_cells(view, "gcp", SINCE)
    ledger.close()
    assert not found.apart.any()
