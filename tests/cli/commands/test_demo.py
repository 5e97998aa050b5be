"""`demo`: one company, continued where it was left, and nothing left behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.support.exposed import Samples, until
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


def test_with_a_directory_the_same_company_and_its_counters_go_on(tmp_path: Path) -> None:
    options = ("demo", "--listen", "127.0.0.1:0", "--directory", "company", "--seed", "7")
    with running(tmp_path, *options) as process:
        until(lambda: all_read(process), "the first refreshes", seconds=180)
        first = process.scrape()
        assert process.get("/readyz")[0] == 200
        assert process.end(signal.SIGINT, seconds=10) == 0
    remembered = json.loads((tmp_path / "company" / "world.json").read_text())
    assert remembered["seed"] == 7
    assert {path.name for path in (tmp_path / "company").iterdir()} == {
        "export",
        "ledger.duckdb",
        "llm",
        "world.json",
    }
    assert all(path.suffix == ".parquet" for path in (tmp_path / "company" / "export").iterdir())
    with running(tmp_path, *options[:-2]) as process:
        assert process.get("/readyz")[0] == 200
        continued = process.scrape()
        until(lambda: all_read(process), "a refresh of every source")
        read = process.scrape()
        assert process.end(signal.SIGTERM, seconds=10) == 0
    again = json.loads((tmp_path / "company" / "world.json").read_text())
    assert first["spend_source_errors_total"] == read["spend_source_errors_total"] == {}
    assert again["began"] == remembered["began"]
    assert again["written_until"] > remembered["written_until"]
    assert len(first["spend_billed_usd_total"]) > 100
    assert len(first["spend_cloud_run_requests_total"]) > 10
    assert all(0 < usd < 0.1 for usd in read["spend_cloud_run_cost_per_request_usd"].values())
    assert read["spend_monitoring_series_returned_total"][()] > 0
    for before, after in ((first, continued), (continued, read)):
        none_fell(before, after)
    # The same hours, written again by another process: only what was exported since has come on top.
    for name in (*COUNTERS[:2], "spend_cloud_run_estimated_usd_total"):
        assert sum(read[name].values()) < sum(first[name].values()) * 1.01


def all_read(process: Running) -> bool:
    """Whether every source has been read: counters begin then."""
    return len(process.scrape()["spend_source_up"]) == SOURCES


def none_fell(before: Samples, after: Samples) -> None:
    for name in COUNTERS:
        for labels, value in before[name].items():
            assert after[name][labels] >= value, (name, labels)


def test_it_ends_at_once_while_it_still_simulates_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    options = ("demo", "--listen", "127.0.0.1:0")
    with running(tmp_path, *options, env={"TMPDIR": str(temporary)}) as process:
        until(lambda: len(list(temporary.glob("*/export/*.parquet"))) >= 3, "some days of the export")
        assert process.end(signal.SIGINT, seconds=5) == 0
    assert "metrics  http" not in process.log(), "it went on to serve"
    assert "Traceback" not in process.log()
    assert list(temporary.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"stderr.log", "temporary"}
