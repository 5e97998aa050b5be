"""docs/cost.md shows what the functions give that `check` predicts with."""

from __future__ import annotations

from datetime import timedelta

from exporter.core.meters.cloud_run import CLOUD_RUN
from exporter.sources.google.bigquery.costs import (
    CURSOR_ROW_BYTES,
    READ_ROW_BYTES,
    ROW_BYTES,
    USD_PER_TEBIBYTE,
    bytes_of_table,
    month_bytes,
    on_demand_usd,
)
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.monitoring.costs import (
    FREE_SERIES_PER_MONTH,
    USD_PER_MILLION_SERIES,
    reading_usd_per_month,
    series_of_services,
    series_per_month,
)
from tests.support.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "cost.md"
GIGABYTE = 10**9
SIZES = {"1 GB": 1, "10 GB": 10, "100 GB": 100, "1 TB": 1_000, "10 TB": 10_000}
SERVICES = (1, 10, 100, 1_000, 10_000)
DAYS = 400
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)


def dollars(usd: float) -> str:
    return f"${usd:,.2f}"


def bigquery_rows() -> list[str]:
    source = BigQuerySource()
    recent = source.recent // timedelta(days=1)
    rows = []
    for name, gigabytes in SIZES.items():
        each = bytes_of_table(gigabytes * GIGABYTE, days=DAYS, recent_days=recent)
        fill = gigabytes * GIGABYTE // ROW_BYTES * READ_ROW_BYTES
        cells = [name, f"{each.ask / 2**20:,.0f}", f"{each.read / 2**20:,.0f}", dollars(on_demand_usd(fill))]
        for interval in (QUARTER, HOUR):
            least, most = month_bytes(each, interval, source.full_check_every)
            cells.append(f"{dollars(on_demand_usd(least))} to {dollars(on_demand_usd(most))}")
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def monitoring_rows() -> list[str]:
    rows = []
    for services in SERVICES:
        cells = [f"{services:,}"]
        for interval in (timedelta(minutes=2), timedelta(minutes=10)):
            series = series_per_month(series_of_services(services, CLOUD_RUN), interval)
            cells += [f"{series / 1e6:,.1f}", dollars(reading_usd_per_month(series))]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def test_the_tables_show_what_check_would_predict() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rows in (bigquery_rows(), monitoring_rows()):
        assert "|\n" + "\n".join(rows) + "\n\n" in page, "write:\n" + "\n".join(rows)


def test_the_formulas_have_the_numbers_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for text in (
        f"lookback_days x {CURSOR_ROW_BYTES} ",
        f"newest partition x {READ_ROW_BYTES} ",
        f"bytes / 2^40 x {USD_PER_TEBIBYTE}",
        f"{ROW_BYTES:,} bytes a",
        f"keeps {DAYS} days",
        f"all {len(CLOUD_RUN)} meters",
        f"(series - {FREE_SERIES_PER_MONTH:,}) / 1,000,000 x {USD_PER_MILLION_SERIES:.2f}",
    ):
        assert text in page, text


def test_ten_times_the_table_costs_at_most_ten_times_as_much() -> None:
    small, large = (
        month_bytes(bytes_of_table(size, days=DAYS, recent_days=10), QUARTER, timedelta(days=1))
        for size in (10**12, 10**13)
    )
    assert [9 < ten / one <= 10.01 for one, ten in zip(small, large, strict=True)] == [True, True]


def test_a_small_table_costs_the_least_that_each_query_is_billed_for() -> None:
    each = bytes_of_table(1, days=DAYS, recent_days=10)
    least, most = month_bytes(each, QUARTER, timedelta(days=1))
    assert least == (2880 + 30) * 10 * 2**20
    assert most == least + 2880 * 10 * 2**20
