"""Charges that move from one partition to another are there all the time, and are not counted again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.ledger.charges.store import ArrivedPartition, Ledger
from exporter.sources.spool import write_spool_csv
from tests.support.charge_rows import charge

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = "abcd"

_numbers = count()


@st.composite
def rows(draw: st.DrawFn) -> list[Charge]:
    """Different charges, of which some are corrections and credits."""
    return [
        charge(
            draw(st.decimals(0, 100, places=2)),
            sku_id=f"sku-{number}",
            charge_category=draw(st.sampled_from(("usage", "credit", "adjustment", "tax"))),
            charge_period_start=BEGIN + timedelta(hours=draw(st.integers(0, 200))),
            export_hour=BEGIN + timedelta(hours=draw(st.integers(200, 400))),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


def exchange(ledger: Ledger, folder: Path, files: dict[str, list[Charge]]) -> None:
    """Have the ledger hold these partitions and no others, in one step."""
    arrived = [
        ArrivedPartition(
            name, f"cursor of {name}", write_spool_csv(folder / f"{next(_numbers)}.csv", each), len(each)
        )
        for name, each in files.items()
    ]
    ledger.exchange("files", ledger.cursors("files").keys() - files.keys(), arrived)


def figures(ledger: Ledger) -> dict[str, Any]:
    with ledger.view(["files"]) as view:
        everything = {"all": (BEGIN - timedelta(days=900), BEGIN + timedelta(days=900))}
        return {
            "sums": sorted(view.window_sums("gcp", everything)),
            "counters": sorted(
                (each.labels, each.billed_usd, each.credit_usd) for each in view.series_totals()
            ),
            "restated": view.restated(),
            "invoices": view.invoice_costs(),
        }


def placed(charges: list[Charge], places: list[str]) -> dict[str, list[Charge]]:
    files: dict[str, list[Charge]] = {}
    for each, name in zip(charges, places, strict=True):
        files.setdefault(name, []).append(each)
    return files


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), charges=rows())
def test_renaming_splitting_and_merging_files_changes_no_figure(
    tmp_path: Path, data: st.DataObject, charges: list[Charge]
) -> None:
    places = st.lists(st.sampled_from(NAMES), min_size=len(charges), max_size=len(charges))
    ledger = Ledger(None)
    exchange(ledger, tmp_path, placed(charges, data.draw(places)))
    before = figures(ledger)

    after = placed(charges, data.draw(places))
    exchange(ledger, tmp_path, after)

    assert figures(ledger) == before
    assert before["sums"]
    assert ledger.cursors("files") == {name: f"cursor of {name}" for name in after}
    ledger.close()


def test_what_a_renamed_file_has_lost_is_restated_and_nothing_else(tmp_path: Path) -> None:
    ledger = Ledger(None)
    early, late = (
        charge("5", sku_id=sku, export_hour=BEGIN + timedelta(hours=hour))
        for sku, hour in (("A", 1), ("B", 2))
    )
    exchange(ledger, tmp_path, {"a": [early, late]})

    exchange(ledger, tmp_path, {"b": [late]})

    assert figures(ledger)["restated"] == [("gcp", "down", Decimal(5))]
    ledger.close()
