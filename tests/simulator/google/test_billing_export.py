"""The world's billing export as files: Google's columns and types, the same rows in every format."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.simulator.google.billing_export import Format, write_export
from exporter.simulator.google.export_schema import EXPORT_COLUMNS
from exporter.simulator.google.rows import ExportRow
from exporter.simulator.google.world import World
from tests.support import places

pytestmark = pytest.mark.slow

SCHEMA = places.DATA / "gcp_billing_export_resource_v1.schema.json"
START = datetime(2026, 10, 1, tzinfo=UTC)
UNTIL = datetime(2026, 10, 2, 9, 20, tzinfo=UTC)
FORMATS: tuple[Format, ...] = ("parquet", "jsonl", "csv")

DUCKDB_TYPES = {
    "STRING": "VARCHAR",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "NUMERIC": "DECIMAL(38,9)",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
}


def google_type(field: dict[str, Any]) -> str:
    """A field of a BigQuery schema as a DuckDB type."""
    if field["type"] == "RECORD":
        inner = ", ".join(f'"{part["name"]}" {google_type(part)}' for part in field["fields"])
        base = f"STRUCT({inner})"
    else:
        base = DUCKDB_TYPES[field["type"]]
    return f"{base}[]" if field["mode"] == "REPEATED" else base


def described(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}


def net_micros_by_day(folder: Path, format: Format) -> dict[str, int]:
    """Net cost in micro-units by file, read without the product and summed exactly."""
    totals: dict[str, int] = {}
    for path in sorted(folder.glob(f"*.{format}")):
        if format == "csv":
            with path.open(newline="", encoding="utf-8") as handle:
                rows = [{**row, "credits": json.loads(row["credits"])} for row in csv.DictReader(handle)]
        elif format == "jsonl":
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        else:
            found = duckdb.sql(f"SELECT cost, credits FROM read_parquet('{path}')").fetchall()
            rows = [{"cost": cost, "credits": credits} for cost, credits in found]
        amounts = [(float(row["cost"]), *(credit["amount"] for credit in row["credits"])) for row in rows]
        totals[path.stem] = sum(round(amount * 1_000_000) for row in amounts for amount in row)
    return totals


def true_micros_by_day(rows: list[ExportRow]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in rows:
        name = f"billing_export_{row['export_time']:%Y-%m-%d}"
        amounts = (row["cost"], *(credit["amount"] for credit in row["credits"]))
        totals[name] = totals.get(name, 0) + sum(round(amount * 1_000_000) for amount in amounts)
    return totals


def test_parquet_has_exactly_the_columns_and_types_of_googles_schema(tmp_path: Path) -> None:
    write_export(World(1, START), tmp_path, UNTIL)
    fields = json.loads(SCHEMA.read_text(encoding="utf-8"))
    with duckdb.connect() as connection:
        columns = ", ".join(f'"{field["name"]}" {google_type(field)}' for field in fields)
        connection.execute(f"CREATE TABLE google ({columns})")
        connection.execute(f"CREATE VIEW ours AS FROM read_parquet('{tmp_path}/*.parquet')")
        assert described(connection, "ours") == described(connection, "google")


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_every_row_and_every_cent(tmp_path: Path, format: Format) -> None:
    paths = write_export(World(1, START), tmp_path, UNTIL, format)
    rows = list(World(1, START).rows_exported(START, UNTIL))
    assert [path.name for path in paths] == [f"billing_export_2026-10-0{day}.{format}" for day in (1, 2)]
    assert net_micros_by_day(tmp_path, format) == true_micros_by_day(rows)


def test_parquet_keeps_nested_values_exact_decimals_and_utc_times(tmp_path: Path) -> None:
    write_export(World(1, START), tmp_path, UNTIL)
    (expected,) = [
        row
        for row in World(1, START).rows_exported(START, UNTIL)
        if row["resource"].get("name") == "orders-db"
        and row["sku"]["description"].endswith("vCPU in Americas")
        and row["usage_start_time"] == START
    ]
    found = duckdb.sql(
        "SELECT epoch_us(usage_start_time), epoch_us(export_time), project.ancestors[3].resource_name,"
        " price.effective_price, price.list_price, labels, cost, consumption_model.description,"
        " usage.amount, subscription.instance_id"
        f" FROM read_parquet('{tmp_path}/*.parquet') WHERE resource.name = 'orders-db'"
        " AND sku.description LIKE '%vCPU in Americas' AND epoch_us(usage_start_time)"
        f" = {int(START.timestamp()) * 1_000_000}"
    ).fetchall()
    assert found == [
        (
            int(START.timestamp()) * 1_000_000,
            (expected["export_time"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
            "organizations/482910375566",
            Decimal("0.061950000"),
            Decimal("0.082600000"),
            [{"key": "team", "value": "checkout"}, {"key": "service", "value": "checkout"}],
            expected["cost"],
            "Cloud SQL CUD - 1 Year",
            expected["usage"]["amount"],
            None,
        )
    ]


def test_json_lines_are_spelt_as_bigquery_spells_them(tmp_path: Path) -> None:
    (path, *_) = write_export(World(1, START), tmp_path, UNTIL, "jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        assert set(row) <= set(EXPORT_COLUMNS)
        assert None not in row.values()
        datetime.strptime(row["usage_start_time"], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
        datetime.strptime(row["export_time"], "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)
        assert isinstance(row["cost"], float)
        assert isinstance(row["price"]["effective_price"], str)
        assert "E" not in row["price"]["effective_price"]
    assert any(row["adjustment_info"] == {} and row["resource"] == {} for row in rows)


def test_csv_holds_nested_columns_as_json_text(tmp_path: Path) -> None:
    (path, *_) = write_export(World(1, START), tmp_path, UNTIL, "csv")
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        assert reader.fieldnames == list(EXPORT_COLUMNS)
        for row in reader:
            assert json.loads(row["service"])["description"]
            assert isinstance(json.loads(row["credits"]), list)
            assert row["export_time"].endswith(" UTC")


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_writing_hour_by_hour_ends_with_the_same_rows_as_writing_once(tmp_path: Path, format: Format) -> None:
    once, hourly = tmp_path / "once", tmp_path / "hourly"
    once.mkdir()
    hourly.mkdir()
    write_export(World(1, START), once, UNTIL, format)
    now = START + timedelta(hours=20)
    write_export(World(1, START), hourly, now, format)
    while now < UNTIL:
        later = min(UNTIL, now + timedelta(hours=5))
        write_export(World(1, START), hourly, later, format, since=now)
        now = later
    assert [path.name for path in sorted(hourly.iterdir())] == [path.name for path in sorted(once.iterdir())]
    assert net_micros_by_day(hourly, format) == net_micros_by_day(once, format)
    if format != "parquet":
        for path in once.iterdir():
            assert (hourly / path.name).read_bytes() == path.read_bytes()


def test_only_days_that_gain_rows_are_written_again(tmp_path: Path) -> None:
    world = World(1, START)
    write_export(world, tmp_path, UNTIL)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (changed,) = write_export(world, tmp_path, UNTIL + timedelta(hours=2), since=UNTIL)
    assert changed.name == "billing_export_2026-10-02.parquet"
    assert changed.stat().st_mtime_ns > before[changed.name]
    untouched = "billing_export_2026-10-01.parquet"
    assert (tmp_path / untouched).stat().st_mtime_ns == before[untouched]
    assert write_export(world, tmp_path, UNTIL, since=UNTIL) == []


def test_days_are_utc_days_whatever_zone_the_times_come_in(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=-7))
    paths = write_export(World(1, START.astimezone(zone)), tmp_path, UNTIL.astimezone(zone), "jsonl")
    assert [path.stem[-10:] for path in paths] == ["2026-10-01", "2026-10-02"]


def test_a_reader_never_sees_a_file_that_is_being_written(tmp_path: Path) -> None:
    paths = write_export(World(1, START), tmp_path, UNTIL)
    whole = paths[-1].read_bytes()
    paths[-1].with_name(f".{paths[-1].name}.tmp").mkdir()  # where the next version would be written
    with pytest.raises((OSError, duckdb.Error)):
        write_export(World(1, START), tmp_path, UNTIL + timedelta(hours=2), since=UNTIL)
    assert paths[-1].read_bytes() == whole
    assert sorted(tmp_path.glob("*.parquet")) == sorted(paths)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_export(World(1, START), tmp_path / "missing", UNTIL)


def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_export(World(1, START), tmp_path, datetime(2026, 10, 3))
