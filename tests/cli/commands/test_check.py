"""`check`: what people and programs learn about a set-up, and that the check changes nothing."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.cli.commands.check_report import TextReport
from exporter.cli.main import main
from exporter.ledger.charges.store import Ledger
from exporter.ledger.schema import SCHEMA_VERSION
from exporter.sources.base import Finding
from tests.fakes.bigquery_export import DAILY_TABLE, FakeExport
from tests.fakes.bigquery_rest import ApiError, FakeBigQuery, Fault
from tests.support.charge_rows import charge, put
from tests.support.export_rows import SCHEMA, export_row, write_json_lines, write_parquet

TABLE = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
SECRET_TOKEN = "ya29.secret-token"

_HOLD = """
import sys
from pathlib import Path
from exporter.ledger.charges.store import Ledger
ledger = Ledger(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def config_file(folder: Path, **gcp: Any) -> Path:
    path = folder / "config.yml"
    gcp = gcp or {"billing_export": {"files": ["*.parquet", "*.jsonl"]}}
    path.write_text(json.dumps({"ledger": str(folder / "spend.duckdb"), "gcp": gcp}))
    return path


def with_keys(path: Path, **keys: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    return path


def run(config: Path, *options: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["check", "--config", str(config), *options])
    return code, out.getvalue(), err.getvalue()


def found(config: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Level and detail of each finding, by part and what it is about."""
    code, text, _ = run(config, "--format", "json")
    document = json.loads(text)
    findings: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in document["findings"]:
        findings.setdefault((one["part"], one["what"]), []).append((one["level"], one["detail"]))
    trouble = any(level == "trouble" for each in findings.values() for level, _ in each)
    assert document["trouble"] is trouble
    assert code == (1 if trouble else 0)
    return findings


def files_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_set_up_that_works_exits_0_and_is_left_exactly_as_it_was(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    config = config_file(tmp_path, billing_export={"files": ["*.parquet"]})
    before = files_in(tmp_path)

    code, text, errors = run(config)

    assert (code, errors) == (0, "")
    assert text.isascii()
    assert "\x1b" not in text
    assert "a.parquet: 1 row, usage from 2026-11-10 08:00" in text
    assert text.endswith("`spend-exporter serve` can start.\n")
    assert files_in(tmp_path) == before


@pytest.mark.slow
def test_trouble_exits_1_and_is_named_on_one_line_with_a_mark(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")

    code, text, _ = run(config_file(tmp_path))

    assert code == 1
    (line,) = [line for line in text.splitlines() if line.startswith("  TROUBLE")]
    assert "unreadable file" in line
    assert "cut.parquet" in line
    assert "1 TROUBLE" in text


def test_a_wrong_configuration_exits_2_and_nothing_is_looked_at(tmp_path: Path) -> None:
    config = config_file(tmp_path, billing_exprot={})

    code, text, errors = run(config)

    assert (code, text) == (2, "")
    assert "gcp.billing_exprot" in errors


def test_keys_without_effect_and_an_address_open_to_everybody_are_warnings(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    config = config_file(tmp_path, billing_export={"files": ["*.parquet"]}, cloud_run={"by_revision": False})

    findings = found(with_keys(config, listen="0.0.0.0:9877"))

    assert findings["configuration", "keys"][0][0] == "warning"
    assert "gcp.live_usage" in findings["configuration", "keys"][0][1]
    assert findings["configuration", "renamed"][0][0] == "warning"
    assert "gcp.cloud_run is now called gcp.live_usage" in findings["configuration", "renamed"][0][1]
    assert findings["configuration", "listen"][0][0] == "warning"


@pytest.mark.slow
def test_which_source_owns_which_money_is_reported(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    (tmp_path / "calls.jsonl").write_text("")
    config = with_keys(config_file(tmp_path), llm={"usage_logs": ["*.jsonl"]})

    findings = found(config)

    ((_, google),) = findings["ownership", "gcp"]
    ((_, others),) = findings["ownership", "other providers"]
    assert google.endswith("billed by files; usage_logs: attribution, never added")
    assert others.endswith("usage_logs is used instead, marked as estimated")


def test_a_broken_web_configuration_is_trouble_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    (tmp_path / "web.yml").write_text("basic_auth_users: {ada: hunter2}\n")

    findings = found(with_keys(config_file(tmp_path), web_config_file="web.yml"))

    ((level, detail),) = findings["configuration", "web configuration"]
    assert level == "trouble"
    assert "basic_auth_users.ada" in detail
    assert "hunter2" not in str(findings)
    assert ("source files", "newest file") in findings


@pytest.mark.slow
def test_the_ledger_is_reported_with_its_size_charges_and_times(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    ledger = Ledger(tmp_path / "spend.duckdb")
    put(ledger, tmp_path, "a.parquet", charge("1"), charge("2", sku_id="other"))
    ledger.forget_before(datetime(2020, 1, 1, tzinfo=UTC))
    ledger.close()
    before = files_in(tmp_path)

    config = config_file(tmp_path)
    ((level, detail),) = found(config)["ledger", "file"]

    assert level == "ok"
    assert f"schema {SCHEMA_VERSION}, 2 charges of usage since 20" in detail
    assert "charges of usage before 2020-01-01 have been deleted" in detail
    assert files_in(tmp_path) == {**before, str(config): files_in(tmp_path)[str(config)]}


@pytest.mark.slow
def test_a_ledger_that_a_running_exporter_holds_is_no_trouble(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    config = config_file(tmp_path)
    holding = [sys.executable, "-c", _HOLD, str(tmp_path / "spend.duckdb")]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        ((level, detail),) = found(config)["ledger", "file"]
        holder.communicate()

    assert level == "ok"
    assert "in use" in detail
    assert holder.returncode == 0


@pytest.mark.parametrize("content", ["not a database at all", None])
def test_a_ledger_that_cannot_be_used_or_made_is_trouble(tmp_path: Path, content: str | None) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    (tmp_path / "blocking").write_text(content or "")
    path = tmp_path / "blocking" if content else tmp_path / "blocking" / "spend.duckdb"

    ((level, detail),) = found(with_keys(config_file(tmp_path), ledger=str(path)))["ledger", "file"]

    assert level == "trouble"
    assert str(path) in detail
    assert "ledger" in detail


@pytest.mark.slow
def test_a_ledger_of_a_newer_version_is_trouble(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    Ledger(tmp_path / "spend.duckdb").close()
    with duckdb.connect(str(tmp_path / "spend.duckdb")) as connection:
        connection.execute("UPDATE setting SET value = '999' WHERE name = 'schema_version'")

    ((level, detail),) = found(config_file(tmp_path))["ledger", "file"]

    assert level == "trouble"
    assert "upgrade spend-exporter" in detail


@pytest.fixture
def server() -> Iterator[FakeBigQuery]:
    export = FakeExport()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days in range(40):
        export.add_day(today - timedelta(days=days))
    tables = {TABLE: {**DAILY_TABLE, "schema": {"fields": json.loads(SCHEMA.read_text())}}}
    with FakeBigQuery(export, tables=tables, token=SECRET_TOKEN) as running:
        yield running


@pytest.fixture
def config(server: FakeBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of a table in BigQuery, with a key file of its own."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "project_id": "robots",
        "private_key_id": "0123",
        "private_key": key.decode(),
        "client_email": "exporter@robots.iam.gserviceaccount.com",
        "token_uri": f"{server.address}/token",
    }
    (tmp_path / "key.json").write_text(json.dumps(content))
    return config_file(tmp_path, credentials_path="key.json", billing_export={"bigquery": {"table": TABLE}})


def test_a_table_in_bigquery_is_reported_with_who_asks_and_what_it_will_cost_and_nothing_is_run(
    server: FakeBigQuery, config: Path
) -> None:
    code, text, _ = run(config)

    assert code == 0, text
    for part in ("exporter@robots.iam.gserviceaccount.com", TABLE, "detailed export", "$", "$6.25 per TiB"):
        assert part in text
    assert server.queries() == []
    assert SECRET_TOKEN not in text
    assert "PRIVATE KEY" not in text


def test_a_missing_permission_in_bigquery_exits_1_and_names_the_roles(
    server: FakeBigQuery, config: Path
) -> None:
    denied = ApiError(403, "accessDenied", "Access Denied: Project robots: needs bigquery.jobs.create")
    server.faults = [Fault("POST", "/jobs", denied, times=100)]

    code, text, _ = run(config)

    assert code == 1
    (line,) = [line for line in text.splitlines() if "TROUBLE  " in line]
    assert "running queries" in line
    assert "roles/bigquery.jobUser on the project robots" in line


def terminal_output(columns: int, findings: list[Finding]) -> str:
    """What a terminal of that width gets."""
    ours, theirs = pty.openpty()
    end = "end of output"
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with os.fdopen(os.dup(theirs), "w", encoding="utf-8") as out:
            report = TextReport(out)
            report.begin("source somewhere")
            for finding in findings:
                report.add(finding)
            report.end()
            out.write(end)
        # A terminal hands on what it got so far, so one read may not be all.
        text = ""
        while not text.endswith(end):
            text += os.read(ours, 100_000).decode()
        return text.removesuffix(end).replace("\r\n", "\n")
    finally:
        os.close(ours)
        os.close(theirs)


LONG = Finding(True, "table", " ".join(["words"] * 60))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_long_texts_are_wrapped_to_its_width(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))

    text = terminal_output(columns, [LONG])

    body = text.partition("\n\n")[0]
    assert body.split().count("words") == 60
    assert all(len(line) <= columns for line in body.splitlines())
    assert "\x1b" not in text


def test_on_a_terminal_marks_are_coloured_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    trouble = Finding(False, "table", "gone")

    assert "\x1b[1;31mTROUBLE\x1b[0m" in terminal_output(80, [trouble])
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in terminal_output(80, [trouble])


def test_what_others_wrote_cannot_drive_the_terminal() -> None:
    out = io.StringIO()
    report = TextReport(out)
    report.begin("source files")
    report.add(Finding(False, "unreadable file", "/x/\x1b[2J\nok      all is well.csv: …"))

    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2
    assert "..." in out.getvalue()


def test_json_lines_without_credits_are_warned_about(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "a.jsonl", [export_row(credits=...)])

    findings = found(config_file(tmp_path))

    ((level, detail),) = findings["source files", "columns"]
    assert level == "warning"
    assert "credits" in detail
