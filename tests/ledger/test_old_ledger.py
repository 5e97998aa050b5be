"""A ledger that an older version wrote, opened by this one: no figure changes, nothing counts twice.

`tests/data/ledgers/schema-5` has the ledger, the files that were read into it, and what that version's
`snapshot` printed. The second Google file restates two hours and was read on its own, after the first.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from exporter.cli.main import main
from exporter.ledger.schema import SCHEMA_VERSION, version_of
from tests.support import places
from tests.support.exposed import Samples, samples

OLD = places.DATA / "ledgers" / "schema-5"
AS_OF = "2026-11-06T14:00:00Z"
BILLED = (
    "spend_month_to_date_usd",
    "spend_yesterday_usd",
    "spend_billed_usd_total",
    "spend_billed_credit_usd_total",
    "spend_restated_usd_total",
    "spend_invoice_month_cost",
    "spend_label_month_to_date_usd",
    "spend_budget_billed_usd",
    "spend_billed_through_timestamp_seconds",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the old folder, whose files are as old as they were."""
    for path in OLD.iterdir():
        if path.suffix != ".gz":
            shutil.copy(path, tmp_path)
            hour, minute = (13, 30) if path.name == "gcp-2.jsonl" else (7, 30)
            at = datetime(2026, 11, 6, hour, minute, tzinfo=UTC).timestamp()
            os.utime(tmp_path / path.name, (at, at))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ledger.duckdb").write_bytes(gzip.decompress((OLD / "ledger.duckdb.gz").read_bytes()))
    return tmp_path


def billed(exposition: bytes) -> Samples:
    found = samples(exposition)
    return {name: found[name] for name in BILLED}


@pytest.mark.slow
def test_every_billed_figure_and_counter_is_what_the_old_version_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = billed((OLD / "snapshot.prom").read_bytes())
    assert {name for name, values in expected.items() if not values} == set()
    for _ in range(2):
        assert main(["snapshot", "--config", str(folder / "config.yml"), "--as-of", AS_OF]) == 0
        assert billed(capsys.readouterr().out.encode()) == expected
    with duckdb.connect(str(folder / "ledger.duckdb"), read_only=True) as connection:
        assert version_of(connection) == SCHEMA_VERSION


@pytest.mark.slow
def test_history_says_how_an_old_ledger_is_upgraded_and_then_shows_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["history", "--config", str(folder / "config.yml"), "--from", "2026-11-01"]
    arguments += ["--to", "2026-11-07", "--by", "month", "--format", "csv"]
    assert main(arguments) == 1
    assert "use --refresh once, which upgrades it" in capsys.readouterr().err
    assert main([*arguments, "--refresh"]) == 0
    shown = csv.DictReader(io.StringIO(capsys.readouterr().out))
    expected: dict[str, float] = defaultdict(float)
    for labels, usd in samples((OLD / "snapshot.prom").read_bytes())["spend_month_to_date_usd"].items():
        expected[dict(labels)["service_name"]] += usd
    assert len(expected) == 3
    assert {row["service"]: float(row["usd"]) for row in shown} == pytest.approx(expected)
