"""`serve` as the process that it is: files that come and go, signals, failed starts, and no secret shown."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import bcrypt
import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from tests.support.export_rows import Row, export_row, export_time, write_csv, write_json_lines, write_parquet
from tests.support.exposed import DEADLINE_SECONDS, by, until
from tests.support.running import Running, serving, write_config

NOW = datetime.now(UTC)


def row(cost: float, **changes: object) -> Row:
    """A row of some days ago."""
    times = {
        "usage_start_time": export_time(NOW - timedelta(days=3)),
        "export_time": export_time(NOW - timedelta(days=2, hours=20)),
    }
    return export_row(cost=cost, **{**times, **changes})


def cost(process: Running) -> float | None:
    return by(process.values("spend_invoice_month_cost")).get(())


def counter(process: Running, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return by(process.values(name), *labels)


def last_success(process: Running) -> float:
    """When the files were last read without a failure, in seconds since 1970; 0 before the first time."""
    return by(process.values("spend_source_last_success_timestamp_seconds")).get((), 0.0)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


@pytest.fixture
def config(tmp_path: Path, export: Path) -> Path:
    return write_config(tmp_path, f"{export}/*")


def put_in_place(path: Path, part: Path) -> None:
    """As a careful writer does: whole or not at all."""
    part.replace(path)


@pytest.mark.slow
def test_files_that_appear_grow_are_replaced_and_vanish_are_picked_up(
    config: Path, export: Path, tmp_path: Path
) -> None:
    grown = write_json_lines(export / "a.jsonl", [row(1)])
    with serving(config) as process:
        until(lambda: cost(process) == 1, "the first file")
        write_csv(tmp_path / "b.csv", [row(10)]).replace(export / "b.csv")
        until(lambda: cost(process) == 11, "a file that appeared")
        with grown.open("a") as handle:
            handle.write(json.dumps(row(2)) + "\n")
        until(lambda: cost(process) == 13, "a file that grew")
        write_csv(tmp_path / "b.csv", [row(20), row(5)]).replace(export / "b.csv")
        until(lambda: cost(process) == 28, "a file that was replaced")
        write_parquet(tmp_path / "c.parquet", [row(100)]).replace(export / "c.parquet")
        until(lambda: cost(process) == 128, "another format")
        (export / "b.csv").unlink()
        until(lambda: cost(process) == 103, "a file that vanished")
        assert counter(process, "spend_billed_usd_total") == {(): 128.0}


@pytest.mark.slow
def test_a_file_that_is_renamed_or_moved_is_not_counted_twice(config: Path, export: Path) -> None:
    old = write_json_lines(export / "a.jsonl", [row(1)])
    write_json_lines(export / "b.jsonl", [row(2)])
    with serving(config) as process:
        until(lambda: cost(process) == 3, "both files")
        old.rename(export / "z.jsonl")
        until(lambda: "a.jsonl is gone" in process.log(), "the old name to go")
        gone = time.time()
        until(lambda: last_success(process) > gone, "a whole refresh after it")
        assert cost(process) == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0_and_nothing_left_behind(
    config: Path, export: Path, tmp_path: Path, number: signal.Signals
) -> None:
    write_json_lines(export / "a.jsonl", [row(1)])
    with serving(config) as process:
        until(lambda: cost(process) == 1, "figures")
        assert process.end(number) == 0
    assert "Traceback" not in process.log()
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.yml",
        "export",
        "spend.duckdb",
        "spend.duckdb.counters",
        "stderr.log",
    }
    ledger = Ledger(tmp_path / "spend.duckdb")
    assert ledger.cursors("files").keys() == {str(export / "a.jsonl")}
    ledger.close()


_STUCK = """
import sys, threading
import duckdb
from exporter.cli import main
from exporter.cli.commands import serve
from exporter.sources.base import Source

class Stuck(Source):
    name, provider, billing_timezone = "files", "gcp", "America/Los_Angeles"
    def refresh(self, context):
        print("stuck", file=sys.stderr, flush=True)
        duckdb.connect().execute("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b")
        yield
    def check(self, context):
        yield from ()

serve.STOP_SECONDS = 0.2
serve.configured_sources = lambda config, environment: [Stuck()]
sys.exit(main.main())
"""


@pytest.mark.slow
def test_a_refresh_that_does_not_end_in_time_is_aborted_without_a_crash(config: Path, tmp_path: Path) -> None:
    with serving(config, program=_STUCK) as process:
        until(lambda: "stuck" in process.log(), "the refresh that never ends")
        assert process.get("/healthz")[0] == 200
        assert process.end() == 0
    assert "a refresh is still running and is aborted" in process.log()
    assert "terminate called" not in process.log()
    # The ledger's own log stays where a thread still read it; the next start takes it up.
    assert {path.name for path in tmp_path.iterdir()} - {"spend.duckdb.wal"} == {
        "config.yml",
        "export",
        "spend.duckdb",
        "spend.duckdb.counters",
        "stderr.log",
    }


@pytest.mark.slow
def test_it_is_ready_once_data_was_read_and_alive_before(config: Path, export: Path) -> None:
    config.write_text(config.read_text().replace(str(export), str(export / "mounted")))
    with serving(config) as process:
        until(lambda: "no_files" in process.get("/metrics")[1], "the first failure")
        assert process.get("/healthz") == (200, "ok\n")
        assert process.values("spend_source_up") == {(("source", "files"),): 0.0}
        assert "gcp.billing_export.files" in process.get("/")[1]
        (export / "mounted").mkdir()
        write_json_lines(export / "mounted" / "a.jsonl", [row(1)])
        until(lambda: cost(process) == 1, "the files that are mounted late")
        assert process.get("/readyz") == (200, "ready\n")


@pytest.mark.slow
def test_a_bad_file_among_good_ones_is_named_and_counted_and_the_good_are_served(
    config: Path, export: Path
) -> None:
    # Of another SKU: the same one in two files may be the same money twice.
    other = {**row(50), "sku": {"id": "other", "description": "Other"}}
    write_parquet(export / "good.parquet", [row(1)])
    whole = write_parquet(export / "cut.parquet", [other])
    whole.write_bytes(whole.read_bytes()[:-100])
    lines = write_json_lines(export / "lines.jsonl", [row(2), row(float("nan")), row(1e300), row(4)])
    lines.write_text(lines.read_text() + "this is no JSON\n")
    with serving(config) as process:
        until(lambda: cost(process) == 7, "what is good")
        found = counter(process, "spend_source_errors_total", "reason")
        # Their first value is 0, so that `increase` counts what comes after it.
        assert found.keys() == {("unreadable_file",), ("bad_cost",), ("bad_json",)}
        assert process.values("spend_source_up") == {(("source", "files"),): 1.0}
        page = process.get("/")[1]
        for name in ("cut.parquet", "lines.jsonl row 2, 3", "lines.jsonl line 5"):
            assert name in process.log()
            assert name in page
        write_parquet(export / "whole.tmp", [other]).replace(whole)
        (export / "lines.jsonl").unlink()
        until(lambda: cost(process) == 51, "the file that was made whole")
        until(lambda: "What was set aside" not in process.get("/")[1], "a clean page")


@pytest.mark.slow
def test_a_restart_continues_every_counter_exactly(config: Path, export: Path) -> None:
    write_json_lines(
        export / "a.jsonl",
        [row(0.1, sku={"id": str(number)}, credits=[{"amount": -0.03}]) for number in range(30)],
    )
    names = ("spend_billed_usd_total", "spend_billed_credit_usd_total", "spend_restated_usd_total")
    with serving(config) as process:
        until(lambda: process.values("spend_source_up"), "the first refresh")
        before = {name: process.values(name) for name in names}
        assert process.end() == 0
    with serving(config) as process:
        assert process.get("/readyz")[0] == 200, "the ledger has figures from the start"
        assert {name: process.values(name) for name in names} == before
        until(lambda: process.values("spend_source_up"), "a refresh")
        assert {name: process.values(name) for name in names} == before
        assert counter(process, "spend_source_rows_total") == {(): 0.0}


def ended(config: Path, *options: str) -> tuple[int, str]:
    """Exit code and standard error of a serve that is to end by itself."""
    with serving(config, *options) as process:
        return process.process.wait(DEADLINE_SECONDS), process.log()


@pytest.mark.slow
def test_an_address_in_use_is_reported_with_exit_code_1(config: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, log = ended(config, "--listen", f"127.0.0.1:{port}")
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in log
    assert "Traceback" not in log
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_a_second_serve_on_the_same_ledger_is_reported_with_exit_code_1_and_harms_nothing(
    config: Path, export: Path
) -> None:
    write_json_lines(export / "a.jsonl", [row(1)])
    with serving(config) as first:
        until(lambda: cost(first) == 1, "figures")
        second = config.parent / "second"
        second.mkdir()
        (second / "config.yml").write_text(config.read_text())
        code, log = ended(second / "config.yml")
        assert code == 1
        assert (
            "is in use by another process: stop that one, or name another file under the key `ledger`" in log
        )
        assert f"process with id {first.process.pid}" in log
        assert "Traceback" not in log
        write_json_lines(export / "b.jsonl", [row(2)])
        until(lambda: cost(first) == 3, "the first to go on")


@pytest.mark.slow
def test_a_ledger_from_a_newer_version_is_reported_with_exit_code_1_and_left_alone(
    config: Path, tmp_path: Path
) -> None:
    Ledger(tmp_path / "spend.duckdb").close()
    with duckdb.connect(str(tmp_path / "spend.duckdb")) as connection:
        connection.execute("UPDATE setting SET value = '99' WHERE name = 'schema_version'")
    before = (tmp_path / "spend.duckdb").read_bytes()
    code, log = ended(config)
    assert code == 1
    assert "was written by a newer version (its schema is 99" in log
    assert "upgrade spend-exporter" in log
    assert "Traceback" not in log
    assert (tmp_path / "spend.duckdb").read_bytes() == before


slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "log"),
    [
        ({"web_config_file": "none.yml"}, ["none.yml", "No such file"]),
        pytest.param(
            {"web_config_file": "."}, ["web configuration", "Is a directory"], marks=pytest.mark.slow
        ),
        pytest.param(
            {"max_series": "few", "leger": "x"}, ["2 problems", "max_series", "leger"], marks=pytest.mark.slow
        ),
        slow({"listen": "everywhere"}, ["listen", "127.0.0.1:9877"]),
    ],
)
def test_a_wrong_configuration_is_reported_with_exit_code_2_and_nothing_is_started(
    tmp_path: Path, keys: dict[str, object], log: list[str]
) -> None:
    config = write_config(tmp_path, f"{tmp_path}/*.parquet", **keys)
    code, text = ended(config)
    assert code == 2
    assert all(each in text for each in log), text
    assert "Traceback" not in text
    assert {path.name for path in tmp_path.iterdir()} == {"config.yml", "stderr.log"}


@pytest.mark.slow
def test_no_secret_is_reported_anywhere(tmp_path: Path) -> None:
    secret = "kX7-this-is-the-secret-9Qz"
    key = {"type": "service_account", "private_key": secret, "client_email": "robot@example.com"}
    (tmp_path / "key.json").write_text(json.dumps(key))
    password_hash = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(json.dumps({"basic_auth_users": {"prometheus": password_hash}}))
    config = tmp_path / "config.yml"
    table = "project-1.billing.gcp_billing_export_v1_X"
    gcp = {
        "credentials_path": "key.json",
        "update_interval_minutes": 0.005,
        "billing_export": {"bigquery": {"table": table}},
    }
    config.write_text(
        json.dumps({"web_config_file": "web.yml", "ledger": str(tmp_path / "l.duckdb"), "gcp": gcp})
    )
    allowed = {"Authorization": "Basic cHJvbWV0aGV1czpvcGVuIHNlc2FtZQ=="}
    with serving(config, "--log-level", "debug") as process:
        assert process.get("/metrics")[0] == 401
        assert process.get("/metrics", {"Authorization": "Basic cHJvbWV0aGV1czp3cm9uZw=="})[0] == 401
        until(lambda: "bad_credentials" in process.get("/metrics", allowed)[1], "the refusal of the key")
        log = [process.get(path, allowed)[1] for path in ("/metrics", "/", "/readyz", "/healthz")]
        assert process.end() == 0
    log.append(process.log())
    assert "key.json" in log[1]
    assert "key.json" in log[-1]
    for text in log:
        assert secret not in text
        assert password_hash not in text
        assert "open sesame" not in text
        assert "cHJvbWV0aGV1czp" not in text


@pytest.mark.slow
def test_a_wrong_web_configuration_is_reported_without_its_secrets(tmp_path: Path) -> None:
    password_hash = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        json.dumps({"basic_auth_users": {"a": password_hash, "b": "in clear"}, "odd": password_hash})
    )
    code, log = ended(write_config(tmp_path, "x.csv", web_config_file="web.yml"))
    assert code == 2
    assert "basic_auth_users.b" in log
    assert password_hash not in log
    assert "in clear" not in log


def write_many(path: Path, rows: int, number: int) -> None:
    """A large export file, quickly: every row of a dollar, a credit of a quarter on each."""
    part = path.with_name(f".{path.name}.tmp")
    now = f"TIMESTAMPTZ '{NOW:%Y-%m-%d %H}:00+00'"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""COPY (SELECT 'account' AS billing_account_id,
              {{'id': 's' || i % 6, 'description': 'Service ' || i % 6}} AS service,
              {{'id': 'k' || i % 30, 'description': 'SKU ' || i % 30}} AS sku,
              {{'id': 'project-' || i % 2}} AS project,
              {now} - to_hours((100 + {number} + i % 48)::INT) AS usage_start_time,
              {now} - to_hours((90 + {number})::INT) AS export_time,
              1.0 AS cost, 'USD' AS currency, 1.0 AS currency_conversion_rate,
              [{{'name': 'c', 'amount': -0.25}}] AS credits,
              {{'month': '202611'}} AS invoice, 'regular' AS cost_type
            FROM range({rows}) AS t(i)) TO '{part}' (FORMAT parquet)"""
        )
    part.replace(path)


@pytest.mark.slow
def test_every_scrape_during_refreshes_of_a_large_export_is_whole_and_agrees_with_itself(
    tmp_path: Path, export: Path
) -> None:
    files, rows = 6, 50_000
    config = write_config(tmp_path, f"{export}/*.parquet", interval_seconds=0.05)
    write_many(export / "0.parquet", rows, 0)
    totals: list[float] = []
    with serving(config) as process:
        process.address()

        def look() -> float:
            status, text = process.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
            assert status == 200
            assert text.endswith("# EOF\n")
            found = process.scrape()
            [net] = by(found["spend_invoice_month_cost"]).values() or [0.0]
            windows = [by(found[f"spend_{name}_usd"]) for name in ("month_to_date", "last_month")]
            counted = by(found["spend_billed_usd_total"]).get((), 0.0)
            credit = by(found["spend_billed_credit_usd_total"]).get((), 0.0)
            assert sum(window.get((), 0.0) for window in windows) == pytest.approx(net, rel=1e-12)
            # Counters begin when all has been read once.
            if found["spend_source_up"]:
                assert counted - credit == pytest.approx(net, rel=1e-12)
                assert len(by(found["spend_billed_usd_total"], "sku_id")) == 30
            totals.append(net)
            return net

        for number in range(1, files):
            until(lambda number=number: look() >= rows * 0.75 * number, f"file {number}")  # type: ignore[misc]
            write_many(export / f"{number}.parquet", rows, number)
        until(lambda: look() == rows * 0.75 * files, "all files")
    assert totals == sorted(totals)
    assert set(totals) <= {rows * 0.75 * number for number in range(files + 1)}
    assert len(totals) > 3 * files, "too few scrapes to say anything"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="one process elsewhere")
def test_it_ends_with_exit_code_1_when_the_process_that_answers_scrapes_has_ended(tmp_path: Path) -> None:
    with serving(write_config(tmp_path, str(tmp_path / "*.parquet"))) as exporter:
        exporter.scrape()
        commands = {path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
        own = f"/proc/{exporter.process.pid}/task/{exporter.process.pid}/children"
        [front] = [
            child
            for child in Path(own).read_text(encoding="ascii").split()
            if b"exporter.web.front.process" in commands[Path(f"/proc/{child}/cmdline")]
        ]
        os.kill(int(front), signal.SIGKILL)
        assert exporter.process.wait(DEADLINE_SECONDS) == 1
        assert "the process that answers scrapes has ended" in exporter.log()
