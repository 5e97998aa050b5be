"""The reasons of alerts: only of what passes the thresholds, as `explain` says them, one short line each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.config.model import parse
from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.metrics import families as metrics
from exporter.metrics.unusual_cost import (
    LONGEST_EXPLANATION,
    MOST_EXPLAINED,
    Rise,
    explanation_family,
    shortened,
)
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext
from exporter.sources.spool import write_spool_csv
from exporter.wiring.dimensions import configured_reasons
from exporter.wiring.sources import figure_settings
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge
from tests.support.config_documents import FROM_FILES
from tests.support.exposed import by, samples

BEGINS = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""Midnight in the billing zone."""
DAYS = 18
NOW = BEGINS + timedelta(days=DAYS, hours=14, minutes=20)
LAST_DAY = BEGINS + timedelta(days=DAYS - 1)
CONFIG = parse(json.dumps({"gcp": FROM_FILES["gcp"]}), Path("/etc"))


@dataclass
class Bill(TestedSource):
    rows: list[Charge] = field(default_factory=list)
    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        spool = write_spool_csv(context.spool / "bill.csv", self.rows)
        yield Batch("bill", "cursor", spool, len(self.rows))


def hours(until: datetime = NOW) -> Iterator[datetime]:
    hour = BEGINS
    while hour + 4 * HOUR <= until:
        yield hour
        hour += HOUR


def use(hour: datetime, times: float = 1.0, **changes: str) -> Charge:
    """Two dollars an hour, known three hours after it began."""
    return charge(
        f"{2 * times:g}",
        charge_period_start=hour,
        export_hour=hour + 3 * HOUR,
        consumed_quantity=100 * times,
        **changes,
    )


@contextmanager
def explained(folder: Path, rows: Iterable[Charge]) -> Iterator[dict[tuple[str, str], str]]:
    """Yield the explanation by service and by what it is about."""
    bill = Bill(list(rows))
    ledger = Ledger(None)
    refresher = Refresher(
        [bill],
        ledger,
        folder,
        interval=HOUR,
        keep=timedelta(days=400),
        max_series=100,
        settings=figure_settings(CONFIG),
        explain=configured_reasons(CONFIG, [bill]),
        clock=lambda: NOW,
    )
    refresher.refresh_all()
    shown = by(
        samples(refresher.snapshot.text)[metrics.SPEND_UNUSUAL_COST_INFO.name],
        *("service_name", "about", "explanation"),
    )
    ledger.close()
    yield {(service, about): text for service, about, text in shown}


@pytest.mark.slow
def test_a_day_that_jumped_has_the_sentence_of_explain_and_quiet_services_have_none(tmp_path: Path) -> None:
    rows = [
        *(use(hour, 3 if LAST_DAY <= hour < LAST_DAY + 24 * HOUR else 1) for hour in hours()),
        *(use(hour, service_name="BigQuery", service_id="B") for hour in hours()),
    ]
    with explained(tmp_path, rows) as found:
        assert found == {
            ("Compute Engine", "settled_day"): (
                "Compute Engine +$96: 3.0 times the N2 Core in shop-prod, price unchanged"
            )
        }


@pytest.mark.slow
def test_an_hour_with_a_spike_is_compared_with_the_same_hour_a_week_before(tmp_path: Path) -> None:
    *_, last = hours()
    rows = [use(hour, 11 if hour == last else 1) for hour in hours()]
    with explained(tmp_path, rows) as found:
        assert found == {
            ("Compute Engine", "spike_hour"): (
                "Compute Engine +$20: 11.0 times the N2 Core in shop-prod, price unchanged"
            )
        }


@pytest.mark.slow
def test_nothing_is_new_to_a_bill_that_begins_within_the_week(tmp_path: Path) -> None:
    *_, last = hours()
    rows = [use(hour, 11 if hour == last else 1) for hour in hours() if hour > last - timedelta(days=6)]
    with explained(tmp_path, rows) as found:
        assert found == {}


@pytest.mark.slow
def test_a_service_of_too_many_skus_has_no_reason_and_costs_no_other_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("exporter.questions.choosing.MOST_GROUPS", 1)
    caplog.set_level("INFO")
    rows = [
        use(hour, 3 if LAST_DAY <= hour < LAST_DAY + 24 * HOUR else 1, sku_id=sku, sku=sku)
        for hour in hours()
        for sku in ("A", "B")
    ]
    with explained(tmp_path, rows) as found:
        assert found == {}
    assert "no reason is looked for why Compute Engine rose" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_only_the_largest_rises_are_explained(tmp_path: Path) -> None:
    window = BEGINS, BEGINS + HOUR
    rises = [
        Rise("gcp", f"service {number}", "settled_day", float(number), window, window) for number in range(50)
    ]
    ledger = Ledger(None)
    with ledger.view(["files"]) as view:
        family = explanation_family(view, rises, lambda _view, asked, _now: dict.fromkeys(asked, "why"), NOW)
    ledger.close()
    assert [labels[1] for labels, _ in family.samples] == [
        f"service {number}" for number in range(49, 49 - MOST_EXPLAINED, -1)
    ]


def test_an_explanation_is_one_printable_line_of_bounded_length() -> None:
    assert shortened('a\nb\t"c"\x1b[31m {{ d }}') == 'a b "c" [31m {{ d }}'
    long = shortened("x" * 1000)
    assert (len(long), long[-1]) == (LONGEST_EXPLANATION, "…")
