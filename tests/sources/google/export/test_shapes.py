"""The same rows give the same charges, however a tool names the columns and writes times and numbers."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Unreadable
from exporter.sources.files.source import FilesSource
from tests.support.export_rows import Row, export_row, write_csv, write_json_lines

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NESTED = ("service", "sku", "project", "location", "usage", "invoice", "adjustment_info")
TIMES = ("usage_start_time", "usage_end_time", "export_time")


def context_of(spool: Path) -> RefreshContext:
    return RefreshContext(
        known={},
        now=NOW,
        latest_plausible=NOW + timedelta(days=1),
        oldest_kept=NOW - timedelta(days=400),
        spool=spool,
        tally=RefreshTally(),
    )


def change_of(path: Path) -> Batch | Unreadable:
    """What the source makes of one file, which lies in a folder of its own."""
    changes: list[Change] = []
    # Where every file is refused, the source raises after the changes.
    with suppress(SourceError):
        changes.extend(FilesSource([str(path)]).refresh(context_of(path.parent)))
    (change,) = changes
    assert isinstance(change, Batch | Unreadable)
    return change


def charges_of(path: Path) -> list[tuple[Any, ...]]:
    change = change_of(path)
    assert isinstance(change, Batch), change
    assert change.rejected == ()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"SELECT * FROM read_parquet('{change.charges}') ORDER BY ALL").fetchall()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(" UTC")).replace(tzinfo=UTC)


def seconds(text: str) -> float:
    return moment(text).timestamp()


TIME_SHAPES: dict[str, Callable[[str], Any]] = {
    "as BigQuery exports": lambda text: text,
    "ISO": lambda text: moment(text).isoformat().replace("+00:00", "Z"),
    "another zone": lambda text: moment(text).astimezone().isoformat(),
    "seconds": seconds,
    "seconds as text": lambda text: f"{Decimal(str(seconds(text))):E}",
    "milliseconds": lambda text: round(seconds(text) * 1000),
    "microseconds": lambda text: round(seconds(text) * 1_000_000),
    "value object": lambda text: {"value": moment(text).isoformat()},
    "value object of seconds": lambda text: {"value": str(seconds(text))},
}
NUMBER_SHAPES: dict[str, Callable[[float], Any]] = {
    "number": lambda number: number,
    "text": str,
    "exponent": lambda number: f"{Decimal(str(number)):E}",
    "value object": lambda number: {"value": str(number)},
}
NAME_SHAPES: dict[str, Callable[[str], str]] = {
    "nested": str,
    "dotted": lambda path: path,
    "underscored": lambda path: path.replace(".", "_"),
    "double underscored": lambda path: path.replace(".", "__"),
    "capitals": lambda path: path.replace(".", "_").upper(),
    "slashes": lambda path: path.replace(".", "/"),
    "arrows": lambda path: path.replace(".", "->"),
    "words": lambda path: path.replace(".", " "),
    "camel case": lambda path: re.sub(r"[._](\w)", lambda found: found.group(1).upper(), path),
    "brackets": lambda path: path.replace(".", "[") + ("]" if "." in path else ""),
}


def shaped(row: Row, names: str, times: str, numbers: str) -> Row:
    """The row as a tool with these habits writes it."""
    time, number = TIME_SHAPES[times], NUMBER_SHAPES[numbers]
    changed = {
        **row,
        **{column: time(row[column]) for column in TIMES},
        **{column: number(row[column]) for column in ("cost", "currency_conversion_rate")},
        "usage": {**row["usage"], "amount": number(row["usage"]["amount"])},
        "credits": [{**credit, "amount": number(credit["amount"])} for credit in row["credits"]],
    }
    if names == "nested":
        return changed
    flat: Row = {}
    for column, value in changed.items():
        if column in NESTED:
            flat |= {NAME_SHAPES[names](f"{column}.{field}"): inner for field, inner in value.items()}
        else:
            flat[NAME_SHAPES[names](column)] = value
    return flat


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    return [
        export_row(
            cost=draw(st.decimals(-1000, 1000, places=9).map(float)),
            usage_start_time=f"2026-11-{draw(st.integers(1, 19)):02d} 0{draw(st.integers(0, 9))}:00:00 UTC",
            export_time="2026-11-20 01:30:07 UTC",
            credits=[{"name": "SUD", "amount": draw(st.decimals(-9, 0, places=6).map(float))}]
            * draw(st.integers(0, 2)),
            project={"id": draw(st.sampled_from(["shop", "ml"]))},
            cost_type=draw(st.sampled_from(["regular", "tax", "adjustment"])),
            sku={"id": draw(st.sampled_from("AB")), "description": "Core"},
        )
        for _ in range(draw(st.integers(1, 5)))
    ]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    given_rows=rows(),
    names=st.sampled_from(sorted(NAME_SHAPES)),
    times=st.sampled_from(sorted(TIME_SHAPES)),
    numbers=st.sampled_from(sorted(NUMBER_SHAPES)),
    suffix=st.sampled_from([".jsonl", ".csv", ".json"]),
)
def test_charges_are_the_same_in_every_shape(
    given_rows: list[Row], names: str, times: str, numbers: str, suffix: str
) -> None:
    def written(path: Path, written_rows: Sequence[Row]) -> Path:
        if suffix == ".json":
            path.write_text(json.dumps(list(written_rows)))
            return path
        return (write_csv if suffix == ".csv" else write_json_lines)(path, written_rows)

    with TemporaryDirectory() as folder, TemporaryDirectory() as plain:
        expected = charges_of(write_json_lines(Path(plain) / "plain.jsonl", given_rows))
        file = written(
            Path(folder) / f"a{suffix}", [shaped(row, names, times, numbers) for row in given_rows]
        )
        assert charges_of(file) == expected
    assert expected


@pytest.mark.parametrize("text", ["11/20/2026 20:00", "20261120", "20261120200000", "yesterday", ""])
def test_a_time_of_another_shape_is_shown_with_the_shapes_that_are_read(tmp_path: Path, text: str) -> None:
    change = change_of(write_csv(tmp_path / "a.csv", [export_row(usage_start_time=text), export_row()]))

    assert isinstance(change, Batch)
    (rejected,) = change.rejected
    assert (rejected.reason, rejected.count, change.rows) == ("bad_timestamp", 1, 1)
    assert f"usage_start_time is {text or 'nothing'}" in rejected.detail
    assert "2026-11-20 20:00:00 UTC, seconds, milliseconds" in rejected.detail


def without(row: Row, *columns: str) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(export_row(), "service", "sku", "project"), "it lacks service (or service.id), sku"),
        (without(export_row(), "cost"), "it lacks cost;"),
        (without(export_row(), "export_time", "usage_start_time"), "it lacks usage_start_time, export_time;"),
        ({"Service description": "Compute Engine", "Cost ($)": 3.2}, "export_time; it has"),
        (
            {**without(export_row(), "credits"), "credits.amount": -1.0, "credits.name": "SUD"},
            "its credits are columns of their own (credits.amount, credits.name)",
        ),
    ],
)
@pytest.mark.parametrize("write", [write_csv, write_json_lines])
def test_a_file_without_what_a_bill_needs_is_refused_with_the_list(
    tmp_path: Path, write: Callable[[Path, Sequence[Row]], Path], row: Row, says: str
) -> None:
    suffix = ".csv" if write is write_csv else ".jsonl"

    change = change_of(write(tmp_path / f"a{suffix}", [row]))

    assert isinstance(change, Unreadable)
    assert says in change.rejected.detail


def in_text(row: Row, *columns: str) -> Row:
    return {name: json.dumps(value) if name in columns else value for name, value in row.items()}


@pytest.mark.slow
def test_nested_columns_may_be_json_text_in_json_and_the_first_row_need_not_have_them(tmp_path: Path) -> None:
    plain = [export_row(), export_row(credits=[{"name": "SUD", "amount": -0.25}])]
    expected = charges_of(write_json_lines(tmp_path / "plain.jsonl", plain))
    (tmp_path / "plain.jsonl").unlink()

    encoded = [in_text(row, *NESTED, "credits") for row in plain]
    del encoded[0]["credits"]

    assert charges_of(write_json_lines(tmp_path / "a.jsonl", encoded)) == expected
    assert len(expected) == 2


@pytest.mark.slow
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_may_have_another_delimiter_than_a_comma(tmp_path: Path, delimiter: str) -> None:
    expected = charges_of(write_csv(tmp_path / "plain.csv", [export_row()]))
    with (
        (tmp_path / "plain.csv").open(newline="") as plain,
        (tmp_path / "a.csv").open("w", newline="") as file,
    ):
        csv.writer(file, delimiter=delimiter).writerows(csv.reader(plain))

    assert charges_of(tmp_path / "a.csv") == expected


@pytest.mark.parametrize("month", ["202611", "2026-11", "2026-11-01", 202611, 202611.0])
def test_an_invoice_month_is_read_as_spreadsheets_write_it(tmp_path: Path, month: object) -> None:
    row = export_row(invoice={"month": month})
    (charge,) = charges_of(write_json_lines(tmp_path / "a.jsonl", [row]))
    assert "202611" in charge


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"service": "Compute Engine"}, "service is "),
        ({"credits": "[{'name': 'SUD', 'amount': -3.0}]"}, "credits is [{'name': 'SUD'"),
        ({"credits": "-3.0"}, "credits is -3.0"),
        ({"project": "123"}, "project is 123"),
    ],
)
@pytest.mark.parametrize("write", [write_csv, write_json_lines])
def test_a_nested_column_that_is_no_json_is_shown(
    tmp_path: Path, write: Callable[[Path, Sequence[Row]], Path], changed: Row, shown: str
) -> None:
    suffix = ".csv" if write is write_csv else ".jsonl"

    change = change_of(write(tmp_path / f"a{suffix}", [export_row(**changed), export_row()]))

    assert isinstance(change, Batch)
    (rejected,) = change.rejected
    assert (rejected.reason, rejected.count, change.rows) == ("bad_json", 1, 1)
    assert shown in rejected.detail.replace('"', "", 1)


@pytest.mark.parametrize("name", ["total_credits", "credits[0].amount", "creditAmount"])
def test_credits_in_columns_of_their_own_are_refused(tmp_path: Path, name: str) -> None:
    change = change_of(write_csv(tmp_path / "a.csv", [{**without(export_row(), "credits"), name: -1.0}]))

    assert isinstance(change, Unreadable)
    assert f"its credits are columns of their own ({name})" in change.rejected.detail


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_csv, write_json_lines])
def test_a_single_credit_needs_no_list_around_it(
    tmp_path: Path, write: Callable[[Path, Sequence[Row]], Path]
) -> None:
    suffix = ".csv" if write is write_csv else ".jsonl"
    credit = {"name": "SUD", "amount": -0.25}
    expected = charges_of(write(tmp_path / f"list{suffix}", [export_row(credits=[credit])]))
    (tmp_path / f"list{suffix}").unlink()

    assert charges_of(write(tmp_path / f"single{suffix}", [export_row(credits=credit)])) == expected
    assert len(expected) == 2
