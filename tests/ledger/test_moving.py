"""Moving what a ledger has from one source's name to another: every charge and every counter, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.core.source_names import kind_of
from exporter.ledger.charges.store import Ledger
from exporter.ledger.first_reads import FirstReads
from exporter.ledger.moving import divide_source, held_partitions
from exporter.sources.spool import write_spool_csv
from tests.support.charge_rows import charge

ONE, OTHER = "11-11-11", "22-22-22"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put(ledger: Ledger, folder: Path, source: str, partition: str, *costs: tuple[str, str]) -> None:
    """Store a partition with charges of (account, dollars), each of another hour."""
    rows = [
        charge(
            usd,
            billing_account_id=account,
            charge_period_start=charge("1").charge_period_start + number * timedelta(hours=1),
        )
        for number, (account, usd) in enumerate(costs)
    ]
    ledger.put(source, partition, "cursor", write_spool_csv(folder / "spool.csv", rows), len(rows))


def counted(ledger: Ledger) -> dict[str, tuple[Decimal, Decimal]]:
    """Present and total billed dollars of all series, by source."""
    with ledger.reading() as connection:
        rows = connection.execute(
            "SELECT source, sum(billed_present_usd), sum(billed_usd_total) FROM series GROUP BY ALL"
        ).fetchall()
    return {source: (present, total) for source, present, total in rows}


def charged(ledger: Ledger) -> dict[str, Decimal]:
    """Dollars of the charges themselves, by the source of their partition."""
    with ledger.reading() as connection:
        rows = connection.execute(
            """SELECT partition.source, sum(billed_cost_usd) FROM charge
               JOIN partition USING (partition_id) JOIN series USING (series_id)
               WHERE partition.source = series.source GROUP BY ALL"""
        ).fetchall()
    return dict(rows)


def test_a_source_that_is_renamed_takes_everything_along(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "bigquery", "t/1", (ONE, "3"), (OTHER, "4"))
    put(ledger, tmp_path, "bigquery", "t/1", (ONE, "3"), (OTHER, "1"))

    divide_source(ledger, "bigquery", {"bigquery/a": ["t/1"]}, stays=False)

    assert held_partitions(ledger) == {"bigquery/a": ["t/1"]}
    assert counted(ledger) == {"bigquery/a": (Decimal(4), Decimal(7))}, "a counter never falls"
    assert FirstReads(ledger).whole() == {"bigquery/a"}


@pytest.mark.slow
@pytest.mark.parametrize("stays", [True, False])
def test_series_that_two_partitions_share_are_divided_and_their_sum_stays(
    ledger: Ledger, tmp_path: Path, *, stays: bool
) -> None:
    put(ledger, tmp_path, "bigquery", "all/1", (ONE, "3"), (OTHER, "4"))
    put(ledger, tmp_path, "bigquery", "one/1", (ONE, "10"))
    put(ledger, tmp_path, "bigquery/b", "other/1", (OTHER, "100"))
    takers = {"bigquery/b": ["all/1"]} if stays else {"bigquery/b": ["all/1"], "bigquery/c": ["one/1"]}

    divide_source(ledger, "bigquery", takers, stays=stays)

    rest = "bigquery" if stays else "bigquery/c"
    assert charged(ledger) == {"bigquery/b": Decimal(107), rest: Decimal(10)}
    assert counted(ledger) == {
        "bigquery/b": (Decimal(107), Decimal(107)),
        rest: (Decimal(10), Decimal(10)),
    }
    assert FirstReads(ledger).whole() == {"bigquery/b", rest}


@pytest.mark.slow
def test_counters_of_charges_that_retention_removed_go_along(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "bigquery", "one/1", (ONE, "10"))
    put(ledger, tmp_path, "bigquery", "other/1", (OTHER, "4"))
    ledger.forget_before(charge("1").charge_period_start + timedelta(hours=2))
    put(ledger, tmp_path, "bigquery/a", "one/2", *[(ONE, "0")] * 2, (ONE, "5"))

    divide_source(ledger, "bigquery", {"bigquery/a": ["one/1"], "bigquery/b": ["other/1"]}, stays=False)

    assert held_partitions(ledger).keys() == {"bigquery/a", "bigquery/b"}
    assert sum(total for _, total in counted(ledger).values()) == 19
    assert all(kind_of(source) == "bigquery" for source in counted(ledger))
    assert "bigquery" not in counted(ledger)


@pytest.mark.slow
def test_what_was_moved_and_is_read_again_counts_nothing_twice(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "bigquery", "one/1", (ONE, "10"))
    put(ledger, tmp_path, "bigquery", "other/1", (OTHER, "4"))
    divide_source(ledger, "bigquery", {"bigquery/b": ["other/1"]}, stays=True)

    put(ledger, tmp_path, "bigquery/b", "other/1", (OTHER, "4"))
    put(ledger, tmp_path, "bigquery", "one/1", (ONE, "12"))

    assert charged(ledger) == {"bigquery": Decimal(12), "bigquery/b": Decimal(4)}
    assert counted(ledger) == {
        "bigquery": (Decimal(12), Decimal(12)),
        "bigquery/b": (Decimal(4), Decimal(4)),
    }


@pytest.mark.slow
def test_a_first_read_that_was_interrupted_is_still_one_under_the_new_names(
    ledger: Ledger, tmp_path: Path
) -> None:
    FirstReads(ledger).begin("bigquery")
    put(ledger, tmp_path, "bigquery", "one/1", (ONE, "10"))
    put(ledger, tmp_path, "bigquery", "other/1", (OTHER, "4"))

    divide_source(ledger, "bigquery", {"bigquery/a": ["one/1"], "bigquery/b": ["other/1"]}, stays=False)

    assert FirstReads(ledger).whole() == set()
