"""What boards compute from the history of billing days, asked of a real Prometheus at chosen moments."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.grafana.asking import Prometheus, Series, Span, ask
from tests.grafana.board_files import boards, panels
from tests.integration.test_prometheus_history import storage

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed"),
]

OVERVIEW = boards()["spend-overview"]
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 3, 20, 20, tzinfo=UTC)
"""In the month after the shortest; clocks have been set forward in the United States, not in Europe."""
SETTLED = datetime(2026, 3, 19, 9, tzinfo=UTC)
LAST_FULL = date(2026, 3, 18)
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles")
SERVICES = {
    ("gcp", f"Service {number}"): (10.0 + number) * (1 if number % 2 else 40) for number in range(11)
} | {("openai", "OpenAI API"): 55.25}
NOWCAST_USD, FORECAST_USD, LIMIT_USD = 7777.0, {"0.1": 9000.0, "0.5": 9500.0, "0.9": 9900.0}, 9600.0

Label = tuple[str, str]


def cost(day: date, service: Label) -> float:
    """Of a service on a day: different on each day, and a credit now and then."""
    return SERVICES[service] * (1 + (day.toordinal() * 7919 % 101) / 100) - (3 if day.day == 5 else 0)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def total(first: date, last: date, service: Label | None = None) -> float:
    chosen = [service] if service else list(SERVICES)
    return sum(cost(day, each) for day in days(first, last) for each in chosen)


def history() -> Iterator[str]:
    for provider, service in SERVICES:
        for day in days(FIRST, NOW.date()):
            usd = cost(day, (provider, service))
            stamp = int(datetime.combine(day, time(12), UTC).timestamp())
            labels = f'provider="{provider}",project_id="p",service_name="{service}",charge_category="usage"'
            yield f"spend_daily_usd{{{labels}}} {usd} {stamp}\n"


def gauges() -> Iterator[tuple[str, str, float]]:
    yield "spend_exporter_build_info", 'version="1"', 1.0
    yield "spend_settled_through_timestamp_seconds", 'provider="gcp"', SETTLED.timestamp()
    labels = 'provider="gcp",service_name="Service 1",basis="billed"'
    yield "spend_nowcast_month_to_date_usd", labels, NOWCAST_USD
    yield "spend_budget_limit_usd", 'budget="all",period="month"', LIMIT_USD
    for quantile, usd in FORECAST_USD.items():
        yield "spend_forecast_month_end_usd", f'provider="gcp",quantile="{quantile}"', usd


def scraped() -> Iterator[str]:
    """The exporter is an hour old."""
    for name, labels, value in gauges():
        for second in range(int(NOW.timestamp()) - 3600, int(NOW.timestamp()) + 1, 60):
            yield f'{name}{{job="spend-exporter",{labels}}} {value} {second}\n'


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("history")
    (folder / "tsdb").mkdir()
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h"]
    for name, lines in (("days", history()), ("scraped", scraped())):
        (folder / name).write_text(f"{''.join(lines)}# EOF\n", encoding="utf-8")
        subprocess.run([*command, name, "tsdb"], cwd=folder, check=True, capture_output=True)
    with storage(folder / "tsdb") as url:
        yield Prometheus(url)


@dataclass(frozen=True)
class Range:
    """A choice of Grafana's time picker, in the zone of a browser."""

    first: date
    last: date
    """The days of its first and last moment."""
    zone: ZoneInfo
    at: datetime | None = None
    """Its last moment, if that is not the end of the last day."""

    def span(self) -> Span:
        """The range as it is asked for: days begin at local midnights, by the offset at the end."""
        end = self.at or datetime.combine(self.last + timedelta(days=1), time(), self.zone)
        start = datetime.combine(self.first, time(), self.zone)
        return Span(start.timestamp(), end.timestamp() - (0 if self.at else 0.001), 1000)


def last_30_days(zone: str) -> Range:
    here = NOW.astimezone(ZoneInfo(zone)).date()
    return Range(here - timedelta(days=30), here, ZoneInfo(zone), NOW)


def previous_month(zone: str) -> Range:
    return Range(date(2026, 2, 1), date(2026, 2, 28), ZoneInfo(zone))


def this_month(zone: str) -> Range:
    return Range(date(2026, 3, 1), date(2026, 3, 31), ZoneInfo(zone))


def panel(title: str) -> Mapping[str, Any]:
    [found] = [each for each in panels(OVERVIEW) if each["title"] == title]
    return found


def answers(prometheus: Prometheus, title: str, chosen: Range) -> list[Series]:
    values = {"job": ".*", "provider": ".*"}
    return ask(panel(title), values, prometheus, chosen.span(), chosen.zone)


def one(prometheus: Prometheus, title: str, chosen: Range) -> float:
    [series] = answers(prometheus, title, chosen)
    return series.points[-1][1]


def by_date(series: Series, zone: ZoneInfo) -> dict[date, float]:
    """The points of a graph by the local date at the middle of their day."""
    return {datetime.fromtimestamp(at + 43200, zone).date(): value for at, value in series.points}


@pytest.mark.parametrize("zone", ZONES)
def test_figures_of_now_are_the_exporters_and_those_of_a_past_month_are_the_bills(
    prometheus: Prometheus, zone: str
) -> None:
    assert one(prometheus, "Month, USD", last_30_days(zone)) == NOWCAST_USD
    assert one(prometheus, "Month end, USD", last_30_days(zone)) == FORECAST_USD["0.5"]
    # A range that ends with the month has what is billed, and the latest forecast.
    assert one(prometheus, "Month, USD", this_month(zone)) == pytest.approx(
        total(date(2026, 3, 1), NOW.date())
    )
    assert one(prometheus, "Month end, USD", this_month(zone)) == FORECAST_USD["0.5"]
    february = pytest.approx(total(date(2026, 2, 1), date(2026, 2, 28)))
    for title in ("Month, USD", "Month end, USD"):
        assert one(prometheus, title, previous_month(zone)) == february


@pytest.mark.parametrize("zone", ZONES)
def test_the_last_full_day_is_settled_and_its_change_is_against_a_week_before(
    prometheus: Prometheus, zone: str
) -> None:
    [now] = answers(prometheus, "Last day, USD", last_30_days(zone))
    week = days(LAST_FULL - timedelta(days=7), LAST_FULL)
    assert by_date(now, ZoneInfo(zone)) == pytest.approx({day: total(day, day) for day in week})
    [same] = answers(prometheus, "Last day, USD", this_month(zone))
    assert by_date(same, ZoneInfo(zone)) == by_date(now, ZoneInfo(zone))
    [then] = answers(prometheus, "Last day, USD", previous_month(zone))
    assert list(by_date(then, ZoneInfo(zone)))[-1] == date(2026, 2, 28)
    assert len(then.points) == 8


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("chosen", [last_30_days, this_month])
def test_the_month_grows_from_its_first_day_beside_the_same_days_of_the_month_before(
    prometheus: Prometheus, chosen: Any, zone: str
) -> None:
    drawn = {each.name: each for each in answers(prometheus, "Month and last month", chosen(zone))}
    here = ZoneInfo(zone)
    assert set(drawn) == {"This month", "Last month", "Limit", "High", "Low"}
    march = date(2026, 3, 1)
    grown = {day: total(march, day) for day in days(march, NOW.date())}
    assert by_date(drawn["This month"], here) == pytest.approx(grown)
    before = by_date(drawn["Last month"], here)
    february = {day: total(date(2026, 2, 1), date(2026, 2, day.day)) for day in before if day.day <= 28}
    assert {day: usd for day, usd in before.items() if day.day <= 28} == pytest.approx(february)
    assert {usd for day, usd in before.items() if day.day > 28} <= {before.get(date(2026, 3, 28))}
    assert min(before) == march
    edges = {"Limit": LIMIT_USD, "High": FORECAST_USD["0.9"], "Low": FORECAST_USD["0.1"]}
    for name, usd in edges.items():
        assert set(by_date(drawn[name], here).values()) == {usd}
        assert min(by_date(drawn[name], here)) == march


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("chosen", [last_30_days, previous_month])
def test_days_are_drawn_by_rank_over_the_whole_range_and_sum_to_the_bill(
    prometheus: Prometheus, chosen: Any, zone: str
) -> None:
    given = chosen(zone)
    drawn = answers(prometheus, "Cost by day", given)
    shown = days(given.first, min(given.last, NOW.date()))
    by_day: dict[date, float] = {}
    for series in drawn:
        for day, usd in by_date(series, given.zone).items():
            by_day[day] = by_day.get(day, 0.0) + usd
    assert by_day == pytest.approx({day: total(day, day) for day in shown})
    order = sorted(SERVICES, key=lambda each: -total(shown[0], shown[-1], each))
    assert [series.name for series in drawn] == [name for _, name in order[:8]] + ["All others"]
    assert [series.query for series in drawn] == list("ABCDEFGHI")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("chosen", [last_30_days, this_month])
def test_services_and_movers_compare_seven_full_days_with_the_seven_before(
    prometheus: Prometheus, chosen: Any, zone: str
) -> None:
    week = [LAST_FULL - timedelta(days=number) for number in (13, 7, 6, 0)]

    def this(each: Label) -> float:
        return total(week[2], week[3], each)

    def before(each: Label) -> float:
        return total(week[0], week[1], each)

    rows = answers(prometheus, "Services", chosen(zone))
    found = {
        (each.labels["provider"], each.labels["service_name"]): each.points[-1][1]
        for each in rows
        if each.query == "C"
    }
    assert found == pytest.approx({each: this(each) / before(each) - 1 for each in SERVICES})
    moved = {
        (each.labels["provider"], each.labels["service_name"]): each.points[-1][1]
        for each in answers(prometheus, "Movers, week on week", chosen(zone))
    }
    by_change = sorted((this(each) - before(each), each) for each in SERVICES)
    up = [(usd, each) for usd, each in by_change if usd > 0][-6:]
    down = [(usd, each) for usd, each in by_change if usd < 0][:6]
    assert up
    assert down
    assert moved == pytest.approx({each: usd for usd, each in up + down})


@pytest.mark.parametrize("zone", ZONES)
def test_the_services_of_a_past_month_have_its_bill_and_shares_of_all(
    prometheus: Prometheus, zone: str
) -> None:
    rows = answers(prometheus, "Services", previous_month(zone))
    month = {each.labels["service_name"]: each.points[-1][1] for each in rows if each.query == "A"}
    first, last = date(2026, 2, 1), date(2026, 2, 28)
    assert month == pytest.approx({each[1]: total(first, last, each) for each in SERVICES})
    shares = {each.labels["service_name"]: each.points[-1][1] for each in rows if each.query == "B"}
    assert shares == pytest.approx({name: usd / total(first, last) for name, usd in month.items()})
    courses = [each for each in rows if each.query == "D"]
    assert {len(each.points) for each in courses} == {28}
    # The table is merged by the labels that all its queries have.
    assert {frozenset(each.labels) for each in rows} == {frozenset({"provider", "service_name", "board"})}
    assert json.dumps(panel("Services")["transformations"][0]) == '{"id": "timeSeriesTable", "options": {}}'
