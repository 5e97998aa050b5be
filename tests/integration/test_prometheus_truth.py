"""A real Prometheus scrapes `serve` over export files: its sums equal an SQL sum over the same files."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from exporter.simulator.google.billing_export import Format, write_export
from exporter.simulator.google.world import World
from tests.integration.test_prometheus_scrapes import prometheus
from tests.support.exposed import POLL_SECONDS, until
from tests.support.running import serving, write_config

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

LABELS = {
    "service_name": "service.description",
    "sku_id": "sku.id",
    "project_id": "project.id",
    "billing_account_id": "billing_account_id",
}


def write_mixed(world: World, folder: Path, now: datetime) -> None:
    """A file for each day of the export, each in another format than the day before."""
    day = world.start
    formats: tuple[Format, ...] = ("parquet", "jsonl", "csv")
    number = 0
    while day < now:
        following = min(now, day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
        write_export(world, folder, following, formats[number % 3], since=day)
        day, number = following, number + 1


def truth(folder: Path, since: datetime) -> dict[str, dict[str, float]]:
    """Net dollars of usage from then on by each label, from the files, in no words that the product uses."""
    nested = ("service", "sku", "project", "credits")
    as_text = ", ".join(nested)
    as_json = ", ".join(f"to_json({column})::VARCHAR AS {column}" for column in nested)
    readers = {
        f"read_parquet('{folder}/*.parquet')": as_json,
        f"read_json('{folder}/*.jsonl', sample_size = -1)": as_json,
        f"read_csv('{folder}/*.csv', all_varchar = true)": as_text,
    }
    bill = " UNION ALL ".join(
        "SELECT billing_account_id, usage_start_time::TIMESTAMPTZ AS used, cost::DOUBLE AS cost, "
        f"currency_conversion_rate::DOUBLE AS rate, {columns} FROM {reader}"
        for reader, columns in readers.items()
    )
    credit = """coalesce(list_sum(list_transform(
        from_json(credits, '[{"amount": "DOUBLE"}]'), lambda each: each.amount)), 0)"""
    found = {}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE bill AS {bill}")
        for label, path in LABELS.items():
            column, _, field = path.partition(".")
            key = f"json_extract_string({column}, '$.{field}')" if field else column
            rows = connection.execute(
                f"SELECT coalesce({key}, ''), sum((cost + {credit}) / rate) FROM bill "
                f"WHERE used >= TIMESTAMPTZ '{since.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00' GROUP BY 1"
            ).fetchall()
            found[label] = dict(rows)
    return found


def ask(url: str, query: str, label: str = "") -> dict[str, float]:
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            result = json.load(response)["data"]["result"]
    except (urllib.error.URLError, ConnectionError):
        return {}
    return {series["metric"].get(label, ""): float(series["value"][1]) for series in result}


def test_promql_sums_equal_the_files_and_promtool_has_nothing_to_say(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    export = tmp_path / "export"
    export.mkdir()
    write_mixed(World.ending_at(now, seed=5, past=timedelta(days=6)), export, now)
    assert {path.suffix for path in export.iterdir()} == {".parquet", ".jsonl", ".csv"}
    month = now.astimezone(ZoneInfo("America/Los_Angeles")).replace(day=1, hour=0, minute=0, second=0)
    expected = {
        "spend_month_to_date_usd": truth(export, month),
        '{__name__=~"spend_(month_to_date|last_month)_usd"}': truth(export, now - timedelta(days=20)),
    }
    with serving(write_config(tmp_path, f"{export}/*", interval_seconds=60)) as process:
        until(
            lambda: process.values("spend_source_up"),
            "the first refresh",
            pause_seconds=POLL_SECONDS,
        )
        assert process.values("spend_source_errors_total") == {}
        target = process.address().removeprefix("http://")
        scrapes = (
            "  - job_name: spend\n    scrape_interval: 1s\n    scrape_timeout: 1s\n"
            f"    static_configs: [{{targets: ['{target}']}}]\n"
        )
        with prometheus(tmp_path, scrapes) as url:
            until(lambda: ask(url, "up == 1"), "a scrape")
            for metric, by_label in expected.items():
                for label, amounts in by_label.items():
                    found = ask(url, f"sum by ({label}) ({metric})", label)
                    assert found == pytest.approx(amounts, rel=1e-9, abs=1e-9), (metric, label)
                in_all = sum(by_label["sku_id"].values())
                assert ask(url, f"sum({metric}) or vector(0)") == {"": pytest.approx(in_all, rel=1e-9)}
            counted = ask(url, "sum(spend_billed_usd_total) - sum(spend_billed_credit_usd_total)")
            assert counted[""] > 0
        exposition = process.get("/metrics")[1]
    assert len(truth(export, now - timedelta(days=20))["sku_id"]) > 20
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
