"""`demo`: one company, continued where it was left, and nothing left behind."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from exporter.cli.main import main
from tests.support import places
from tests.support.exposed import ESTIMATION_SECONDS, POLL_SECONDS, Samples, until
from tests.support.running import Running, running

COUNTERS = (
    "spend_billed_usd_total",
    "spend_billed_credit_usd_total",
    "spend_restated_usd_total",
    "spend_cloud_run_requests_total",
    "spend_cloud_run_estimated_usd_total",
    "spend_llm_tokens_total",
    "spend_llm_estimated_usd_total",
)
SOURCES = 6
"""The bill, live usage, two LLM providers, the usage log, and recommendations."""


@pytest.mark.slow
def test_with_a_directory_the_same_company_and_its_counters_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("demo", "--listen", "127.0.0.1:0", "--directory", "company", "--seed", "7")
    with running(tmp_path, *options) as process:
        first = once_live_usage_is_counted(process)
        assert process.get("/readyz")[0] == 200
        five_questions(process, capsys)
        assert process.end(signal.SIGINT) == 0
    remembered = json.loads((tmp_path / "company" / "world.json").read_text())
    assert remembered["seed"] == 7
    assert {path.name for path in (tmp_path / "company").iterdir()} == {
        "export",
        "ledger.duckdb",
        "ledger.duckdb.counters",
        "llm",
        "world.json",
    }
    assert all(path.suffix == ".parquet" for path in (tmp_path / "company" / "export").iterdir())
    stopped = time.time()
    with running(tmp_path, *options[:-2]) as process:
        assert process.get("/readyz")[0] == 200
        continued = process.scrape()
        read = once_all_read(process, stopped)
        assert process.end(signal.SIGTERM) == 0
    again = json.loads((tmp_path / "company" / "world.json").read_text())
    assert first["spend_source_errors_total"] == read["spend_source_errors_total"] == {}
    assert again["began"] == remembered["began"]
    assert again["written_until"] > remembered["written_until"]
    assert len(first["spend_billed_usd_total"]) > 100
    assert len(first["spend_cloud_run_requests_total"]) > 10
    assert all(0 < usd < 0.1 for usd in read["spend_cloud_run_cost_per_request_usd"].values())
    for before, after in ((first, continued), (continued, read)):
        none_fell(before, after)
    # The same hours, written again by another process: only what was exported since has come on top.
    for name in (*COUNTERS[:2], "spend_cloud_run_estimated_usd_total"):
        assert sum(read[name].values()) < sum(first[name].values()) * 1.01


def five_questions(process: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Ask as docs/history.md does; only the address is another one."""
    page = (places.DOCS / "history.md").read_text().partition("## Five questions")[2].partition("\n## ")[0]
    commands = re.findall(r"^\|[^|]*\| `spend-exporter ([^`]*)`", page, re.MULTILINE)
    printed = []
    forecast = "spend_forecast_month_end_usd"
    until(lambda: process.values(forecast), "forecasts", ESTIMATION_SECONDS, POLL_SECONDS)
    for command in commands:
        assert main([*shlex.split(command), "--url", process.address()]) == 0, command
        printed.append(capsys.readouterr().out)
    dear, month, team, branch, orders = printed
    assert re.match(r"Usage from \S+ to before \S+: \$[\d,.]+", dear)
    assert dear.count("\n") > 5
    assert re.search(r"^Month .* expected \(", month, re.MULTILINE)
    assert re.search(r"^research +[1-9]", team, re.MULTILINE)
    assert re.search(r"^total +[1-9][\d,.]*$", branch, re.MULTILINE)
    days = re.findall(r"^(\S+) \w{3} +[\d,.]+ +([\d,]+) +0\.[01]\d+", orders, re.MULTILINE)
    assert len(days) == 29, orders
    assert all(int(number.replace(",", "")) > 4000 for _, number in days)


def once_live_usage_is_counted(process: Running) -> Samples:
    """Return what is exposed once every source has been read and the counters of live usage have begun.

    A counter that begins is zero for two minutes.
    """
    up, returned = "spend_source_up", "spend_monitoring_series_returned_total"

    def counted() -> bool:
        seen = process.scrape(up, returned)
        return len(seen[up]) == SOURCES and seen[returned].get((), 0.0) > 0

    until(counted, "a refresh of every source", seconds=900, pause_seconds=POLL_SECONDS)
    return process.scrape()


def once_all_read(process: Running, since: float) -> Samples:
    """Return what is exposed once every source has been read after a time, in seconds since the epoch."""
    read = "spend_source_last_success_timestamp_seconds"

    def all_read() -> bool:
        times = process.values(read)
        return len(times) == SOURCES and min(times.values()) > since

    until(all_read, "a refresh of every source", seconds=900, pause_seconds=POLL_SECONDS)
    return process.scrape()


def none_fell(before: Samples, after: Samples) -> None:
    for name in COUNTERS:
        for labels, value in before[name].items():
            assert after[name][labels] >= value, (name, labels)


@pytest.mark.slow
def test_it_ends_at_once_while_it_still_simulates_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    options = ("demo", "--listen", "127.0.0.1:0")
    with running(tmp_path, *options, env={"TMPDIR": str(temporary)}) as process:
        until(lambda: len(list(temporary.glob("*/export/*.parquet"))) >= 3, "some days of the export")
        assert process.end(signal.SIGINT) == 0
    assert "metrics  http" not in process.log(), "it went on to serve"
    assert "Traceback" not in process.log()
    assert list(temporary.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"stderr.log", "temporary"}
