"""A real Prometheus with a backfill: sums over any day, week and month of usage equal the ledger."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.cli.main import main
from exporter.core.charges import Charge
from tests.grafana.board_files import boards, panels
from tests.support.exposed import until
from tests.support.history_world import PACIFIC, billing_day, charges, keep
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed"),
]

FIRST, END = date(2025, 10, 20), date(2025, 12, 3)
"""With the end of daylight saving time on November 2nd."""

Ranges = list[tuple[date, date]]


@contextmanager
def storage(data: Path) -> Iterator[str]:
    """Run a Prometheus on a data directory, without scrapes; yields its address."""
    config = data.parent / "prometheus.yml"
    config.write_text("scrape_configs: []\n", encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}", "--log.level=warn"]
    command += ["--storage.tsdb.retention.time=50y", "--web.enable-admin-api"]
    command += [f"--web.listen-address={url.removeprefix('http://')}"]
    log = data.parent / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            until(lambda: is_ready(url), "Prometheus is ready")
            yield url
        finally:
            process.terminate()


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=60) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def ask(url: str, query: str, at: float) -> dict[str, float]:
    parameters = urllib.parse.urlencode({"query": query, "time": f"{at:.3f}"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=60) as response:
        result = json.load(response)["data"]["result"]
    return {series["metric"].get("charge_category", ""): float(series["value"][1]) for series in result}


def asked(
    url: str, provider: str, zone: tzinfo, ranges: Ranges, *, early: float = 0.0, open_left: bool = False
) -> list[float]:
    """Ask for each range at its end, or a bit early; `open_left` as Prometheus 3 understands a range."""
    found = []
    for first, end in ranges:
        begin, finish = (datetime.combine(day, time(), zone).timestamp() for day in (first, end))
        length = round((finish - begin) * 1000) - open_left
        query = f'sum(sum_over_time(spend_hourly_usd{{provider="{provider}"}}[{length}ms]))'
        found.append(ask(url, query, finish - early)[""])
    return found


def billed(rows: list[Charge], provider: str, ranges: Ranges) -> list[float]:
    by_day: dict[date, Decimal] = {}
    for row in rows:
        if row.provider == provider:
            by_day[billing_day(row)] = by_day.get(billing_day(row), Decimal(0)) + row.billed_cost_usd
    return [
        float(sum((usd for day, usd in by_day.items() if first <= day < end), Decimal(0)))
        for first, end in ranges
    ]


def every(days: int) -> Ranges:
    starts = range((END - FIRST).days - days + 1)
    return [(FIRST + timedelta(days=n), FIRST + timedelta(days=n + days)) for n in starts]


def backfill(config: Path, folder: Path, *more: str, first: date = FIRST, end: date = END) -> int:
    days = ["--from", first.isoformat(), "--to", end.isoformat(), "--retention", "50y"]
    out = ["--out", str(folder / "out")]
    return main(["backfill", "--config", str(config), *out, *days, *more])


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEND_TEST_KEY", "sk-test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "tsdb"
    folder.mkdir()
    return folder


def test_sums_over_days_weeks_and_months_equal_the_ledger(tmp_path: Path, data: Path) -> None:
    rows = list(charges(FIRST, END))
    assert backfill(keep(tmp_path, rows), tmp_path, "--create-blocks", str(data)) == 0
    ranges = [*every(1), *every(7), (date(2025, 11, 1), date(2025, 12, 1)), (FIRST, END)]
    with storage(data) as url:
        for early, open_left in ((0.0, False), (0.0, True), (0.001, False), (0.001, True)):
            for provider, zone in (("gcp", PACIFIC), ("openai", UTC)):
                found = asked(url, provider, zone, ranges, early=early, open_left=open_left)
                assert found == pytest.approx(billed(rows, provider, ranges), rel=1e-9)
        midnight = datetime.combine(END, time(), PACIFIC).timestamp()
        by_category = ask(
            url, 'sum by (charge_category) (sum_over_time(spend_hourly_usd{provider="gcp"}[1d]))', midnight
        )
        assert by_category["credit"] < 0 < by_category["usage"]


def grafana_bars(url: str, expr: str, zone: ZoneInfo, first: date, end: date) -> dict[date, float]:
    """Ask as Grafana does for a browser in that zone: day steps, aligned with its offset at the end.

    Returns the values by the local date in the middle of each bar, which is drawn from its time to the next.
    """
    finish = datetime.combine(end, time(), zone)
    offset = (finish.utcoffset() or timedelta()).total_seconds()
    edges = (datetime.combine(first, time(), zone).timestamp(), finish.timestamp() - 1)
    begin, until_ = (((edge + offset) // 86400) * 86400 - offset for edge in edges)
    asked_for = {"query": expr, "start": begin, "end": until_, "step": 86400}
    with urllib.request.urlopen(
        f"{url}/api/v1/query_range?{urllib.parse.urlencode(asked_for)}", timeout=60
    ) as response:
        result = json.load(response)["data"]["result"]
    bars: dict[date, float] = {}
    for series in result:
        for at, value in series["values"]:
            day = datetime.fromtimestamp(at + 43200, zone).date()
            bars[day] = bars.get(day, 0.0) + float(value)
    return bars


@pytest.mark.parametrize(
    ("first", "end"),
    [(FIRST, END), (date(2026, 2, 20), date(2026, 4, 5))],
    ids=["clocks set back", "clocks set forward"],
)
def test_the_bars_of_days_are_the_billing_days_for_browsers_in_three_zones(
    tmp_path: Path, data: Path, first: date, end: date
) -> None:
    rows = list(charges(first, end))
    config = keep(tmp_path, rows)
    assert backfill(config, tmp_path, "--create-blocks", str(data), first=first, end=end) == 0
    days = [(first + timedelta(days=n), first + timedelta(days=n + 1)) for n in range((end - first).days)]
    google = dict(zip([day for day, _ in days], billed(rows, "gcp", days), strict=True))
    others = dict(zip([day for day, _ in days], billed(rows, "openai", days), strict=True))
    drawn = {
        uid: [
            target["expr"]
            for panel in panels(boards()[uid])
            if panel["title"] == "Cost by day"
            for target in panel["targets"]
        ]
        for uid in ("spend-overview", "spend-gcp")
    }
    expected = {"spend-gcp": google, "spend-overview": {day: google[day] + others[day] for day in google}}
    with storage(data) as url:
        for uid, exprs in drawn.items():
            for zone in ("UTC", "Europe/Berlin", "America/Los_Angeles"):
                bars: dict[date, float] = {}
                for expr in exprs:
                    asked_for = re.sub(r"\$\w+", ".*", expr.replace("[$__range]", "[60d]"))
                    for day, usd in grafana_bars(url, asked_for, ZoneInfo(zone), first, end).items():
                        bars[day] = bars.get(day, 0.0) + usd
                assert bars == pytest.approx(expected[uid], rel=1e-9), (uid, zone)


def test_a_day_of_twenty_three_hours_is_exact_as_well(tmp_path: Path, data: Path) -> None:
    first, end = date(2026, 3, 6), date(2026, 3, 11)
    rows = list(charges(first, end))
    assert backfill(keep(tmp_path, rows), tmp_path, "--create-blocks", str(data), first=first, end=end) == 0
    days = [(date(2026, 3, day), date(2026, 3, day + 1)) for day in range(6, 11)]
    with storage(data) as url:
        found = asked(url, "gcp", PACIFIC, [*days, (first, end)])
    assert found == pytest.approx(billed(rows, "gcp", [*days, (first, end)]), rel=1e-9)


def test_an_hour_has_one_sample_and_a_range_of_an_hour_finds_it(tmp_path: Path, data: Path) -> None:
    rows = list(charges(FIRST, FIRST + timedelta(days=2)))
    assert backfill(keep(tmp_path, rows), tmp_path, "--create-blocks", str(data)) == 0
    hour = datetime.combine(FIRST, time(7), PACIFIC)
    with storage(data) as url:
        counted = ask(
            url,
            'count_over_time(spend_hourly_usd{charge_category="credit"}[1h])',
            (hour + timedelta(hours=1)).timestamp(),
        )
    assert counted == {"credit": 1.0}


def test_a_second_value_for_the_same_hours_is_refused_until_the_first_is_deleted(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = FIRST + timedelta(days=3)
    rows = list(charges(FIRST, days))
    config = keep(tmp_path, rows)
    assert backfill(config, tmp_path, "--create-blocks", str(data), end=days) == 0
    capsys.readouterr()
    restated = list(charges(FIRST, days, seed=2))
    (tmp_path / "spend.duckdb").unlink()
    keep(tmp_path, restated)
    blocks = ["--create-blocks", str(data)]
    with storage(data) as url:
        for _ in ("gcp", "openai"):
            assert backfill(config, tmp_path, *blocks, end=days) == 2
            told = capsys.readouterr().err
            for path in [word for word in told.split() if word.startswith("/api")]:
                with urllib.request.urlopen(urllib.request.Request(url + path, method="POST")) as done:
                    assert done.status == 204
        assert backfill(config, tmp_path, *blocks, end=days) == 0
    assert not list(data.glob(".spend-exporter-*"))
    with storage(data) as url:
        found = asked(url, "gcp", PACIFIC, [(FIRST, days)])
    assert found == pytest.approx(billed(restated, "gcp", [(FIRST, days)]), rel=1e-9)
