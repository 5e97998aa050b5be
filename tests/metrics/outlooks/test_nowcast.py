"""What the nowcast says is kept hour by hour and graded by the bill, once that is final."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from exporter.analysis.bill.billing_calendar import hour_at
from exporter.analysis.nowcast.track_record import TrackRecord
from exporter.core.cost_cells import NANO
from exporter.core.errors import SourceError
from exporter.ledger.charges.store import Ledger
from exporter.ledger.past_estimates import PastEstimate, PastEstimates, estimates_since
from exporter.metrics.outlooks.nowcast import cost_history, grade, make_outlook
from exporter.metrics.outlooks.outlook import Outlook, outlook_families
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext
from exporter.sources.spool import write_spool_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR, charge, put
from tests.support.exposed import by, samples

pytestmark = pytest.mark.slow

PACIFIC = {"gcp": "America/Los_Angeles"}
BEGINS = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""Midnight in the billing zone; the clocks have gone back the day before."""
DAYS = 16
NOW = BEGINS + DAYS * 24 * HOUR
FINAL_DAYS = [date(2026, 11, 10), date(2026, 11, 11), date(2026, 11, 12)]
"""After the warm-up, and with a bill that is final at NOW."""
DAY_USD = 48


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put_bill(ledger: Ledger, folder: Path, until: datetime = NOW) -> None:
    """Two dollars an hour, each known three hours after its hour began."""
    hours = [BEGINS + at * HOUR for at in range(DAYS * 24)]
    charges = [
        charge("2", charge_period_start=hour, export_hour=hour + 3 * HOUR)
        for hour in hours
        if hour + 4 * HOUR <= until
    ]
    put(ledger, folder, "bill", *charges)


def said(day: date, hour: int, forecast_usd: float, nowcast_usd: float = 0.0) -> PastEstimate:
    at = BEGINS + (day - date(2026, 11, 2)) + hour * HOUR
    nano = (round(nowcast_usd * NANO), round(forecast_usd * NANO))
    return PastEstimate("gcp", at, day, *nano, with_live_usage=False)


def kept(ledger: Ledger) -> list[PastEstimate]:
    with ledger.view([]) as view:
        return estimates_since(view, "gcp", date(2026, 1, 1))


def graded(ledger: Ledger) -> dict[str, float]:
    """Signed error by hour of the billing zone's clock."""
    with ledger.view(["files"]) as view:
        signed, *_ = grade(view, None, NOW, PACIFIC)
    assert signed.family.name == "spend_nowcast_error_ratio"
    return {horizon: ratio for (_, horizon), ratio in signed.samples}


def test_what_was_said_is_graded_by_the_final_bill_and_the_replay_fills_the_other_hours(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path)
    replayed = graded(ledger)
    PastEstimates(ledger).keep([said(day, 20, 1.5 * DAY_USD) for day in FINAL_DAYS])
    found = graded(ledger)
    assert found["20:00"] == pytest.approx(0.5)
    assert abs(replayed["20:00"]) < 0.02
    assert len(found) == 24
    assert {key: value for key, value in found.items() if key != "20:00"} == {
        key: value for key, value in replayed.items() if key != "20:00"
    }


def test_the_plain_estimates_errors_of_the_same_days_stand_beside_ours(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path)
    PastEstimates(ledger).keep([said(day, 20, 1.5 * DAY_USD) for day in FINAL_DAYS])
    with ledger.view(["files"]) as view:
        found = {each.family.name: dict(each.samples) for each in grade(view, None, NOW, PACIFIC)}
    own, plain = found["spend_nowcast_error_ratio"], found["spend_nowcast_plain_error_ratio"]
    sizes = found["spend_nowcast_plain_absolute_error_ratio"]
    assert own.keys() == plain.keys() == sizes.keys()
    assert own["gcp", "20:00"] == pytest.approx(0.5)
    assert abs(plain["gcp", "20:00"]) < 0.2
    assert sizes["gcp", "20:00"] == pytest.approx(abs(plain["gcp", "20:00"]), rel=0.5)


def test_each_service_says_by_which_method_it_is_estimated(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    for plain, method in ((frozenset[str](), "model"), (frozenset({"Compute Engine"}), "plain")):
        with ledger.view(["files"]) as view:
            cells = cost_history(view, "gcp", NOW)
        as_of = int(NOW.timestamp()) // 3600
        made = make_outlook(cells, "gcp", PACIFIC["gcp"], as_of, live=None, record=TrackRecord(plain=plain))
        said = [labels for family, labels, _ in made.families(NOW) if family.name.endswith("_method_info")]
        assert said == [("gcp", "Compute Engine", method)]


def test_a_day_of_which_only_some_hours_were_kept_is_graded_by_both(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    replayed = graded(ledger)
    PastEstimates(ledger).keep([said(FINAL_DAYS[0], 20, 1.3 * DAY_USD)])
    found = graded(ledger)
    assert found["20:00"] == pytest.approx((0.3 + 2 * replayed["20:00"]) / 3)
    assert found["19:00"] == replayed["19:00"]


def test_a_day_whose_bill_is_not_final_is_not_graded(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    replayed = graded(ledger)
    not_final = FINAL_DAYS[-1] + timedelta(days=1)
    warm_up = FINAL_DAYS[0] - timedelta(days=1)
    PastEstimates(ledger).keep([said(day, 20, 9.0 * DAY_USD) for day in (not_final, warm_up)])
    assert graded(ledger) == replayed


@dataclass
class Bill(TestedSource):
    """A source that gives the bill as it stood at some moment, and then fails if it is asked to."""

    until: datetime = NOW
    fails: bool = False
    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"
    dearer_usd: int = 0

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        if self.fails:
            raise SourceError("quota", "wait")
        hours = [BEGINS + at * HOUR for at in range(DAYS * 24)]
        charges = [
            charge(str(2 + self.dearer_usd), charge_period_start=hour, export_hour=hour + 3 * HOUR)
            for hour in hours
            if hour + 4 * HOUR <= self.until
        ]
        spool = write_spool_csv(context.spool / "bill.csv", charges)
        yield Batch("bill", f"cursor of {self.dearer_usd}", spool, len(charges))


@dataclass
class Watch:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


def refresher(ledger: Ledger, folder: Path, bill: Bill, clock: Watch) -> Refresher:
    return Refresher(
        [bill],
        ledger,
        folder,
        interval=timedelta(minutes=15),
        keep=timedelta(days=400),
        max_series=1000,
        clock=clock,
    )


def test_what_the_first_snapshot_of_an_hour_says_is_kept_and_what_later_ones_say_is_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    at_eight = BEGINS + (10 * 24 + 20) * HOUR
    bill, clock = Bill(until=at_eight), Watch(at_eight + timedelta(minutes=1))
    exporter = refresher(ledger, tmp_path, bill, clock)
    shown = samples(exporter.refresh_all().exposition.text)
    (first,) = kept(ledger)
    assert (first.hour, first.day) == (at_eight, date(2026, 11, 12))
    assert first.nowcast_nano_usd == pytest.approx(40 * NANO, rel=0.02)
    forecast = by(shown["spend_forecast_day_usd"])[()]
    assert first.day_forecast_nano_usd == pytest.approx(forecast * NANO, rel=1e-9)
    assert not first.with_live_usage
    bill.dearer_usd = 5
    clock.now += timedelta(minutes=30)
    exporter.refresh_all()
    assert kept(ledger) == [first]
    clock.now += timedelta(minutes=30)
    exporter.refresh_all()
    again, second = kept(ledger)
    assert again == first
    assert second.hour == first.hour + HOUR
    assert second.nowcast_nano_usd > 2 * first.nowcast_nano_usd


@pytest.mark.parametrize("period", ["day", "month"])
def test_the_day_and_the_month_are_forecast_with_three_quantiles(
    ledger: Ledger, tmp_path: Path, period: str
) -> None:
    at_eight = BEGINS + (10 * 24 + 20) * HOUR
    exporter = refresher(ledger, tmp_path, Bill(until=at_eight), Watch(at_eight + timedelta(minutes=1)))
    shown = samples(exporter.refresh_all().exposition.text)
    quantiles = by(shown[f"spend_forecast_{period}_end_usd"], "provider", "quantile")
    assert list(quantiles) == [("gcp", "0.1"), ("gcp", "0.5"), ("gcp", "0.9")]
    low, middle, high = quantiles.values()
    assert low < middle < high
    if period == "day":
        assert middle == pytest.approx(by(shown["spend_forecast_day_usd"])[()], rel=1e-9)


def test_forecasts_wait_until_there_is_one_of_each_provider(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    with ledger.view(["files"]) as view:
        cells = cost_history(view, "gcp", NOW)
    whole = make_outlook(cells, "gcp", PACIFIC["gcp"], hour_at(NOW), live=None, record=TrackRecord())
    forecast = {"spend_forecast_month_end_usd", "spend_forecast_day_end_usd"}

    def shown(*outlooks: Outlook) -> set[str]:
        return {each.family.name for each in outlook_families(outlooks, NOW)}

    other = replace(whole, provider="openai")
    assert forecast <= shown(whole, other)
    unjudged = make_outlook(cells, "gcp", PACIFIC["gcp"], hour_at(NOW), live=None, record=None)
    assert shown(unjudged, other) == shown(whole, other) - forecast


@pytest.mark.slow
def test_a_restart_within_the_hour_changes_nothing_that_was_kept(tmp_path: Path) -> None:
    clock = Watch(BEGINS + (10 * 24 + 20) * HOUR)
    found = []
    for dearer in (0, 5):
        ledger = Ledger(tmp_path / "spend.duckdb")
        refresher(ledger, tmp_path, Bill(dearer_usd=dearer), clock).refresh_all()
        found.append(kept(ledger))
        ledger.close()
        clock.now += timedelta(minutes=20)
    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_figures_as_of_a_past_hour_are_not_kept(ledger: Ledger, tmp_path: Path) -> None:
    exporter = refresher(ledger, tmp_path, Bill(), Watch(NOW))
    exporter.refresh_all(as_of=NOW - 30 * HOUR)
    assert kept(ledger) == []


def test_nothing_is_kept_before_every_bill_has_been_read_once(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    bill = Bill(fails=True)
    exporter = refresher(ledger, tmp_path, bill, Watch(NOW))
    exporter.rebuild()
    assert exporter.snapshot.outlooks
    assert kept(ledger) == []
    exporter.refresh_all()
    assert len(kept(ledger)) == 1


def test_what_was_said_is_forgotten_with_the_charges_of_its_time(ledger: Ledger, tmp_path: Path) -> None:
    PastEstimates(ledger).keep([said(date(2025, 1, 1), 20, 1.0), said(date(2026, 11, 3), 20, 1.0)])
    refresher(ledger, tmp_path, Bill(), Watch(NOW)).refresh_all()
    assert [each.day for each in kept(ledger)] == [date(2026, 11, 3), date(2026, 11, 18)]
