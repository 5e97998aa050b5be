"""Trees of objects as each provider lays out its export, on a real S3 server: each period counts once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.s3_proxy import S3Proxy
from tests.sources.usage_logs.log_world import call, text
from tests.support.bucket_world import S3World, emptied, s3_server
from tests.support.export_rows import export_row, write_json_lines
from tests.support.focus_rows import focus_row, write_focus_csv, write_focus_parquet

pytestmark = pytest.mark.integration

GOOGLE = "gcp: {{billing_export: {{files: [{}]}}}}"
GUID = "11111111-2222-3333-4444-55555555555"

Put = Callable[[str, bytes], None]
"""Writes an object of the bucket `bills`."""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[S3Proxy, Any]]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch.setenv) as found:
        yield found


@pytest.fixture
def world(server: tuple[S3Proxy, Any], tmp_path: Path) -> Iterator[S3World]:
    proxy, client = server
    proxy.calm()
    emptied(client)
    made = S3World(tmp_path / "world", proxy, client)
    yield made
    made.ledger.close()


def month(
    folder: Path, suffix: str, days: int, cost: str = "10", *, version: str = "1.0", of: int = 11
) -> bytes:
    """Return an export of the first days of a month, ten dollars a day or what is given."""
    rows = [
        focus_row(
            version,
            BilledCost=cost,
            BillingPeriodStart=f"2026-{of:02}-01T00:00:00Z",
            ChargePeriodStart=f"2026-{of:02}-{day:02}T00:00:00Z",
            ChargePeriodEnd=f"2026-{of:02}-{day:02}T23:59:59Z",
        )
        for day in range(1, days + 1)
    ]
    plain = write_focus_csv(folder / "rows.tmp", rows)
    if suffix == ".parquet":
        return write_focus_parquet(folder / "rows.parquet", plain, "DECIMAL(38,18)").read_bytes()
    return gzip.compress(plain.read_bytes()) if suffix == ".csv.gz" else plain.read_bytes()


def put_azures_run(put: Put, folder: Path, last: int, run: str) -> None:
    """Write what Azure writes on a day: the month to date, in a folder of its own, with a manifest."""
    name = f"exports/focus/20261101-20261130/{GUID}{run}"
    manifest = {
        "blobs": [{"blobName": f"{name}/part_0_0001.csv"}],
        "runInfo": {"submittedTime": f"2026-11-{last}T03:00:00Z"},
    }
    put(f"{name}/part_0_0001.csv", month(folder, ".csv", last))
    put(f"{name}/manifest.json", json.dumps(manifest).encode())


def put_googles_pieces(put: Put, folder: Path) -> list[Any]:
    """Write three pieces of three rows each; returns the rows as they were written."""
    written = []
    for number in range(3):
        rows = [
            export_row(cost=1.25 + number, usage_start_time=f"2026-11-0{number + 1} 2{hour}:00:00 UTC")
            for hour in range(3)
        ]
        piece = write_json_lines(folder / f"{number}.jsonl", rows).read_bytes()
        put(f"billing/2026-11/detailed-00000000000{number}.json", piece)
        written += map(json.loads, piece.splitlines())
    return written


def net_usd(rows: Sequence[Any]) -> Decimal:
    """Return the sum of a detailed export's rows, with credits."""
    return sum(
        (
            (Decimal(str(row["cost"])) + sum(Decimal(str(each["amount"])) for each in row["credits"]))
            / Decimal(str(row["currency_conversion_rate"]))
            for row in rows
        ),
        Decimal(0),
    )


@pytest.mark.parametrize(("version", "suffix"), [("1.0", ".csv.gz"), ("1.2", ".parquet")])
def test_aws_overwriting_an_export_replaces_the_month_and_no_other(
    world: S3World, tmp_path: Path, version: str, suffix: str
) -> None:
    kind = ".snappy.parquet" if suffix == ".parquet" else suffix
    october, november = (
        f"exports/focus/data/BILLING_PERIOD=2026-{of}/focus-00001{kind}" for of in ("10", "11")
    )
    world.put(october, month(tmp_path, suffix, 28, version=version, of=10))
    world.put(november, month(tmp_path, suffix, 20, version=version))
    world.put("exports/focus/metadata/BILLING_PERIOD=2026-11/focus-Manifest.json", b"{}")
    world.reads(f"s3://bills/exports/focus/data/**/*{suffix}")
    assert world.refresh() == 480
    world.put(november, month(tmp_path, suffix, 21, version=version))
    assert world.refresh() == 490
    assert world.partitions == [f"s3://bills/{november}"]


def test_aws_writing_each_run_anew_counts_the_newest_whole_run(world: S3World, tmp_path: Path) -> None:
    def run(name: str, days: Sequence[int], *, pieces: int = 2) -> None:
        folder = f"BILLING_PERIOD=2026-11/{name}"
        files = [f"s3://bills/exports/focus/data/{folder}/focus-0000{number}.csv.gz" for number in (1, 2)]
        manifest = json.dumps({"dataFiles": files}).encode()
        world.put(f"exports/focus/metadata/{folder}/focus-Manifest.json", manifest)
        for number in range(1, pieces + 1):
            rows = month(tmp_path, ".csv.gz", days[number - 1], str(number))
            world.put(f"exports/focus/data/{folder}/focus-0000{number}.csv.gz", rows)

    run(f"2026-11-20T01:00:00.000Z-{GUID}1", [10, 10])
    run(f"2026-11-21T01:00:00.000Z-{GUID}2", [11, 11])
    world.reads("s3://bills/exports/focus/data/**/*.csv.gz")
    assert world.refresh() == 33
    assert world.proxy.counts["get"] == 4  # Two manifests, two pieces: older runs are not even downloaded.

    run(f"2026-11-22T01:00:00.000Z-{GUID}3", [12, 12], pieces=1)
    assert world.refresh() == 33
    run(f"2026-11-22T01:00:00.000Z-{GUID}3", [12, 12])
    assert world.refresh() == 36
    assert (world.refresh(), world.seen, world.proxy.counts) == (Decimal(36), [], {"list": 2})


def test_azures_month_to_date_of_every_day_counts_once(world: S3World, tmp_path: Path) -> None:
    for last, run in ((20, "a"), (21, "b")):
        put_azures_run(world.put, tmp_path, last, run)
        world.reads("s3://bills/exports/focus/**/*.csv")
        assert world.refresh() == 10 * last
    assert world.refresh() == 210
    assert world.seen == []


def test_oracles_reports_each_count(world: S3World, tmp_path: Path) -> None:
    for day in (19, 20):
        for number in (1, 2):
            row = focus_row(BilledCost=str(day), ChargePeriodStart=f"2026-11-{day}T0{number}:00:00Z")
            rows = gzip.compress(write_focus_csv(tmp_path / "rows.csv", [row]).read_bytes())
            world.put(f"FOCUS Reports/2026/11/{day}/0001000000{number}-0000{number}.csv.gz", rows)
    world.reads("s3://bills/FOCUS Reports/**/*.csv.gz")
    assert world.refresh() == 78


def test_googles_detailed_export_in_pieces_sums_to_its_rows(world: S3World, tmp_path: Path) -> None:
    rows = put_googles_pieces(world.put, tmp_path)
    world.reads("s3://bills/billing/**/*.json", section=GOOGLE)
    assert len(rows) == 9
    assert world.refresh() == net_usd(rows)
    assert world.proxy.counts == {"list": 1, "get": 3, "head": 3}


def test_usage_logs_in_a_bucket_count_each_line_once(world: S3World, tmp_path: Path) -> None:
    world.put("llm/2026-11-28.jsonl", text(call(), call()))
    world.put("llm/2026-11-27.jsonl.gz", gzip.compress(text(call(model="gpt-4o"))))
    world.reads("s3://bills/llm/**/*.jsonl*", section="llm: {{usage_logs: [{}]}}")

    def lines() -> list[tuple[str, int]]:
        world.look_again()
        world.refresh()
        return sorted((change.partition.partition("#")[0], change.rows) for change in world.additions)

    assert lines() == [("s3://bills/llm/2026-11-27.jsonl.gz", 1), ("s3://bills/llm/2026-11-28.jsonl", 2)]
    assert (lines(), world.proxy.counts) == ([], {"list": 1})
    world.put("llm/2026-11-28.jsonl", text(call(), call(), call(model="o3")))
    assert lines() == [("s3://bills/llm/2026-11-28.jsonl", 1)]
    world.put("llm/copy.jsonl", text(call(), call(), call(model="o3")))
    assert lines() == []
