"""A real Prometheus, as docker compose configures it, has the ledger's sums whatever happens on the way."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml

from tests.support.export_rows import Row, export_row, export_time, write_json_lines
from tests.support.exposed import DEADLINE_SECONDS, POLL_SECONDS, by, until
from tests.support.ports import free_port
from tests.support.running import Running, serving, write_config

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

ROOT = Path(__file__).parents[2]
COMPOSED = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]["command"]
STORAGE = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text())["storage"]
FLAGS = [flag for flag in COMPOSED if flag.startswith(("--web.enable", "--storage.tsdb.retention"))]

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
DAYS = 40
PACIFIC = ZoneInfo("America/Los_Angeles")
SERVICES = {"Cloud Run": "152E-C115-5142", "BigQuery": "24E6-581D-38E5", "": "0"}
LABELS = ("provider", "project_id", "service_name", "charge_category")


class Prometheus:
    """One that can be stopped, killed and started again over the same data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        # It scrapes itself: with a sample of now, hours of last month are out of order.
        own = self.url.removeprefix("http://")
        scraped = [{"job_name": "own", "scrape_interval": "1s", "static_configs": [{"targets": [own]}]}]
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": scraped, "storage": STORAGE}))

    def start(self) -> None:
        command = [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--log.level=warn",
            *FLAGS,
        ]
        with (self._folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: self.ask("up == 1"), "Prometheus to scrape itself")

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DEADLINE_SECONDS)
            self._process = None

    def ask(self, query: str, at: datetime | None = None) -> dict[tuple[str, ...], float]:
        """Values by the labels of spend_hourly_usd; nothing where it does not answer."""
        asked = {"query": query, **({"time": str(at.timestamp())} if at else {})}
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(address, timeout=60) as response:
                result = json.load(response)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            return {}
        return {
            tuple(series["metric"].get(name, "") for name in LABELS): float(series["value"][1])
            for series in result
        }


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    made = Prometheus(folder)
    try:
        made.start()
        yield made
    finally:
        made.end(signal.SIGKILL)


class Bill:
    """Export files, one for each day of usage, each hour of some projects and services with a credit."""

    def __init__(self, folder: Path, chance: random.Random, projects: int) -> None:
        self._folder = folder
        self._chance = chance
        self._projects = [f"project-{number}" for number in range(projects)]
        self._days: dict[int, list[Row]] = {}
        folder.mkdir()

    def write(self, days_ago: int) -> None:
        """Bill a day, or another amount for it than before: some hours more, some less, some not at all."""
        start = NOW - timedelta(days=days_ago)
        rows = []
        for hour in range(min(24, days_ago * 24)):
            used = start + timedelta(hours=hour)
            for project in self._projects:
                for service, service_id in SERVICES.items():
                    if self._chance.random() < 0.1:
                        continue
                    rows.append(self._row(used, project, service, service_id))
        part = self._folder / ".part"
        write_json_lines(part, rows)
        part.replace(self._folder / f"{days_ago}.jsonl")

    def _row(self, used: datetime, project: str, service: str, service_id: str) -> Row:
        credit = round(self._chance.uniform(0, 0.5), 6)
        return export_row(
            service={"id": service_id, "description": service},
            project={"id": project, "number": "1", "name": "", "labels": [], "ancestors": []},
            usage_start_time=export_time(used),
            usage_end_time=export_time(used + timedelta(hours=1)),
            export_time=export_time(min(used + timedelta(hours=6), NOW)),
            invoice={"month": f"{used:%Y%m}"},
            cost=round(self._chance.uniform(0, 100), 7),
            currency_conversion_rate=1.3,
            credits=[{"name": "Discount", "amount": -credit, "full_name": "", "id": "", "type": "DISCOUNT"}],
        )


def configured(folder: Path, export: Path, prometheus: Prometheus, **more: str) -> Path:
    receiver = {"url": f"{prometheus.url}/api/v1/write", "since_days": DAYS + 10, **more}
    history = {"remote_write": receiver}
    return write_config(folder, f"{export}/*.jsonl", interval_seconds=1, history=history)


def wait_until_sent(process: Running, what: str) -> None:
    """Wait until all that is in the files now has been read, and then sent."""
    began = datetime.now(UTC).timestamp()
    until(lambda: last_read(process) > began, f"{what} to be read", pause_seconds=POLL_SECONDS)
    read = last_read(process, with_duration=False)
    sent = "spend_remote_write_sent_through_timestamp_seconds"
    until(lambda: process.values(sent).get((), 0) > read, f"{what} to arrive", pause_seconds=POLL_SECONDS)


def last_read(process: Running, *, with_duration: bool = True) -> float:
    """When the last refresh that succeeded began, or ended."""
    success, duration = "spend_source_last_success_timestamp_seconds", "spend_source_refresh_duration_seconds"
    scraped = process.scrape(success, duration)
    files = (("source", "files"),)
    return scraped[success].get(files, 0.0) - with_duration * scraped[duration].get(files, 0.0)


def billed(ledger: Path) -> dict[tuple[tuple[str, ...], datetime], Decimal]:
    with duckdb.connect(str(ledger), read_only=True) as connection:
        rows = connection.execute(
            f"""SELECT {", ".join(LABELS)}, charge_period_start, sum(billed_cost_usd)
                FROM charge JOIN series USING (series_id) GROUP BY ALL"""
        ).fetchall()
    return {(tuple(labels), hour.replace(tzinfo=UTC)): usd for *labels, hour, usd in rows}


def spans() -> Iterator[tuple[datetime, datetime]]:
    """Every day, week and month of the bill, in the billing zone and in UTC."""
    for zone in (PACIFIC, UTC):
        midnight = NOW.astimezone(zone).replace(hour=0)
        for days_ago in range(DAYS + 1):
            # By the calendar: a day may have 23 or 25 hours.
            day = midnight - timedelta(days=days_ago)
            following = (day.astimezone(zone) + timedelta(days=1)).replace(hour=0)
            yield day, following
            if day.weekday() == 0:
                yield day, day + timedelta(days=7)
            if day.day == 1:
                yield day, (day + timedelta(days=31)).replace(day=1)


def assert_sums_are_those_of(ledger: Path, found: Prometheus) -> None:
    hours = billed(ledger)
    assert len(hours) > 1000
    compared = 0
    for start, end in spans():
        expected: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        for (labels, hour), usd in hours.items():
            if start <= hour < end:
                expected[labels] += usd
        seconds = int((end.astimezone(UTC) - start.astimezone(UTC)).total_seconds())
        told = found.ask(f"sum_over_time(spend_hourly_usd[{seconds}s])", end)
        gone = dict.fromkeys(told.keys() - expected.keys(), 0.0)
        wanted = {labels: float(usd) for labels, usd in expected.items()} | gone
        assert told == pytest.approx(wanted, rel=1e-12, abs=1e-9), (start, end)
        compared += bool(expected)
    assert compared >= 2 * (DAYS + 5)
    assert_days_are_those_of(hours, found)


def assert_days_are_those_of(
    hours: dict[tuple[tuple[str, ...], datetime], Decimal], found: Prometheus
) -> None:
    """Every billing day in the hours of a browser's day in three zones."""
    days: dict[date, dict[tuple[str, ...], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for (labels, hour), usd in hours.items():
        days[hour.astimezone(PACIFIC).date()][labels] += usd
    # Today is known from noon UTC of its date on.
    last = (datetime.now(UTC) - timedelta(hours=12)).date()
    due = [day for day in days if day <= last]
    assert len(due) > DAYS - 5
    for zone in (UTC, ZoneInfo("Europe/Berlin"), PACIFIC):
        for day in due:
            midnight = datetime.combine(day, time(), zone)
            told = found.ask("sum_over_time(spend_daily_usd[1d] offset -1d)", midnight)
            gone = dict.fromkeys(told.keys() - days[day].keys(), 0.0)
            wanted = {labels: float(usd) for labels, usd in days[day].items()} | gone
            assert told == pytest.approx(wanted, rel=1e-12, abs=1e-9), (zone, day)


def test_sums_hold_after_restatements_and_an_outage_of_the_receiver(tmp_path: Path) -> None:
    chance = random.Random(5)
    bill = Bill(tmp_path / "export", chance, projects=2)
    for day in range(2, DAYS):
        bill.write(day)
    with prometheus(tmp_path) as receiver:
        with serving(configured(tmp_path, tmp_path / "export", receiver)) as process:
            wait_until_sent(process, "the past")
            for day in chance.sample(range(2, DAYS), k=8):
                bill.write(day)
            wait_until_sent(process, "restatements")
            assert process.values("spend_remote_write_failures_total") == {}

            receiver.end()
            for day in (1, *chance.sample(range(2, DAYS), k=8)):
                bill.write(day)
            failures = "spend_remote_write_failures_total"
            until(
                lambda: ("unavailable",) in by(process.values(failures), "reason"),
                "a failure to be reported",
                pause_seconds=POLL_SECONDS,
            )
            bill.write(1)
            assert process.values("spend_remote_write_pending_samples")[()] > 0
            receiver.start()
            wait_until_sent(process, "what was billed during the outage")
            assert process.values("spend_remote_write_refused_samples")[()] == 0
            assert process.end() == 0
        assert_sums_are_those_of(tmp_path / "spend.duckdb", receiver)
        receiver.end(signal.SIGKILL)
        receiver.start()
        assert_sums_are_those_of(tmp_path / "spend.duckdb", receiver)


def test_sums_hold_when_the_exporter_is_killed_while_it_sends(tmp_path: Path) -> None:
    chance = random.Random(6)
    bill = Bill(tmp_path / "export", chance, projects=4)
    for day in range(2, DAYS):
        bill.write(day)
    series = len(SERVICES) * 4 * 2
    in_the_middle = kills = 0
    with prometheus(tmp_path) as receiver:
        config = configured(tmp_path, tmp_path / "export", receiver)
        taken = 0.0
        while kills < 4 or in_the_middle < 2:
            assert kills < 20, "hardly any kill was while it sent"
            kills += 1
            for day in chance.sample(range(2, DAYS), k=15):
                bill.write(day)
            kill_while_it_sends(config, receiver, taken, chance.randint(0, 1_000_000))
            taken = samples_of(receiver)
            in_the_middle += is_unfinished(tmp_path / "spend.duckdb")
        bill.write(1)
        with serving(config) as process:
            wait_until_sent(process, "the rest")
            assert process.end() == 0
        assert_sums_are_those_of(tmp_path / "spend.duckdb", receiver)
        assert len(receiver.ask("count_over_time(spend_hourly_usd[60d])")) == series


def kill_while_it_sends(config: Path, receiver: Prometheus, taken: float, spins: int) -> None:
    """Kill it a moment after the receiver has more samples than it had before."""
    with serving(config) as process:
        until(lambda: samples_of(receiver) > taken, "samples to arrive", pause_seconds=0.002)
        # As many turns as chance has it, no sleep.
        for _ in range(spins):
            pass
        process.process.kill()
        process.process.wait()


def samples_of(receiver: Prometheus) -> float:
    return sum(receiver.ask("sum(count_over_time(spend_hourly_usd[60d]))").values())


def is_unfinished(ledger: Path) -> bool:
    """Whether values were decided that are not acknowledged."""
    with duckdb.connect(str(ledger), read_only=True) as connection:
        return bool(connection.execute("SELECT count(*) > 0 FROM remote_outbox").fetchall()[0][0])
