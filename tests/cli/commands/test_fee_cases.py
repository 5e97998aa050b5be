"""Fees and subscriptions in a forecast: what comes once a month is billed once, never extrapolated."""

from __future__ import annotations

import pytest

from exporter.cli.main import main
from tests.support.cases import copied_case
from tests.support.exposed import Samples, by, samples

pytestmark = pytest.mark.slow


def as_of(
    case: str, time: str, folder_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> Samples:
    config = copied_case(f"gcp/{case}", folder_factory.mktemp("case"))
    assert main(["snapshot", "--config", str(config), "--ledger", ":memory:", "--as-of", time]) == 0
    return samples(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("case", "time", "month_end"),
    [
        # Ten dollars a day of machines, and the fee.
        ("17-monthly-subscription", "2026-10-03T20:00:00Z", 3310),
        ("17a-first-monthly-fee", "2026-10-06T12:00:00Z", 410),
        ("19-month-end-support-and-tax", "2026-10-03T12:00:00Z", 310),
        ("29-fee-life", "2026-10-02T12:00:00Z", 410),
        ("29-fee-life", "2026-10-10T12:00:00Z", 410),
        ("29-fee-life", "2026-10-20T12:00:00Z", 410),
        ("32-minimal-8", "2026-10-02T20:00:00Z", 410),
    ],
)
def test_a_fee_counts_once_in_the_forecast_of_the_month(
    case: str,
    time: str,
    month_end: float,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = as_of(case, time, tmp_path_factory, capsys)
    forecast = by(found["spend_forecast_month_end_usd"], "quantile")
    assert forecast[("0.5",)] == pytest.approx(month_end, rel=0.01)


@pytest.mark.parametrize("case", ["32-minimal-1", "32-minimal-8"])
def test_of_a_fee_that_has_been_billed_nothing_more_is_to_come(
    case: str, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_of(case, "2026-10-02T20:00:00Z", tmp_path_factory, capsys)
    assert by(found["spend_month_to_date_usd"], "service_name")[("Vendor X",)] == 100
    nowcast = by(found.get("spend_nowcast_month_to_date_usd", {}), "service_name", "basis")
    assert nowcast.get(("Vendor X", "estimated"), 0.0) == 0
