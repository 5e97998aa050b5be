"""A Google bill that somebody else's tool makes up: totals, services and invoices are those of its files."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.nise_env import write_google_bill
from tests.support.cases import shown
from tests.support.exposed import by

NOW = datetime(2026, 11, 8, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 10, 25), date(2026, 11, 5)
PACIFIC = ZoneInfo("America/Los_Angeles")

pytestmark = pytest.mark.integration


def rows_of(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows with flattened names, numbers exactly as they are written."""
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            if file.suffix == ".csv":
                for row in csv.DictReader(lines):
                    yield {**row, "credits": json.loads(row["credits"], parse_float=Decimal)}
                continue
            for line in lines:
                read = json.loads(line, parse_float=Decimal)
                yield read | {
                    f"{column}.{name}": value
                    for column in ("service", "invoice")
                    for name, value in read[column].items()
                }


def net_cost(row: dict[str, Any]) -> Decimal:
    credits = row["credits"] if isinstance(row["credits"], list) else [row["credits"]]
    return sum((Decimal(credit["amount"]) for credit in credits), Decimal(row["cost"]))


@pytest.mark.parametrize("json_lines", [False, True], ids=["csv with dotted columns", "json lines"])
def test_the_bill_of_koku_nise_sums_to_what_its_files_say(tmp_path: Path, json_lines: bool) -> None:
    folder = tmp_path / "bill"
    folder.mkdir()
    files = write_google_bill(folder, FIRST, LAST, json_lines=json_lines)
    (tmp_path / "config.yml").write_text("gcp:\n  billing_export: {files: ['bill/*']}\n")
    services: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    invoices: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    rows = 0
    for row in rows_of(files):
        started = datetime.fromisoformat(row["usage_start_time"]).replace(tzinfo=UTC).astimezone(PACIFIC)
        services[f"{started:%Y-%m}", row["service.description"]] += net_cost(row)
        invoices[(row["invoice.month"],)] += net_cost(row)
        rows += 1

    found = shown(tmp_path / "config.yml", NOW + timedelta(hours=1))

    for month, metric in (("2026-11", "spend_month_to_date_usd"), ("2026-10", "spend_last_month_usd")):
        expected = {(service,): float(usd) for (when, service), usd in services.items() if when == month}
        assert len(expected) > 3
        assert by(found[metric], "service_name") == pytest.approx(expected, rel=1e-12)
    of_invoices = by(found["spend_invoice_month_cost"], "invoice_month")
    assert of_invoices == pytest.approx({month: float(cost) for month, cost in invoices.items()}, rel=1e-12)
    assert len(of_invoices) == 2
    assert by(found["spend_source_rows_total"], "source") == {("files",): float(rows)}
    assert by(found.get("spend_source_errors_total", {})) == {}
