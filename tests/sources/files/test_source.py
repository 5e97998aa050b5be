"""The billing export in files: all formats say the same, and damage is named and left out."""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.charges import CHARGE_COLUMNS
from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Retraction, Unreadable
from exporter.sources.files.reading import Attempt
from exporter.sources.files.source import FilesSource
from tests.support.export_rows import (
    REAL_ROW,
    WRITERS,
    export_row,
    write_csv,
    write_json_lines,
    write_parquet,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

FORMATS = pytest.mark.parametrize("suffix", list(WRITERS))


@pytest.fixture
def context(tmp_path: Path) -> RefreshContext:
    spool = tmp_path / "spool"
    spool.mkdir()
    return RefreshContext(
        known={},
        now=NOW,
        latest_plausible=NOW + timedelta(days=1),
        oldest_kept=NOW - timedelta(days=400),
        spool=spool,
        tally=RefreshTally(),
    )


def refresh(context: RefreshContext, *patterns: str | Path) -> list[Change]:
    return list(FilesSource([str(pattern) for pattern in patterns]).refresh(context))


def charges(change: Change) -> list[dict[str, Any]]:
    assert isinstance(change, Batch), change
    rows = duckdb.sql(
        f"SELECT * FROM '{change.charges}' ORDER BY charge_category DESC, billed_cost"
    ).fetchall()
    return [dict(zip(CHARGE_COLUMNS, row, strict=True)) for row in rows]


def only_charges(context: RefreshContext, path: Path) -> list[dict[str, Any]]:
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    assert change.rejected == ()
    return charges(change)


@FORMATS
def test_every_format_gives_the_same_charges(context: RefreshContext, tmp_path: Path, suffix: str) -> None:
    rows = [
        export_row(credits=[{"name": "SUD", "amount": -0.25, "type": "SUSTAINED_USAGE_DISCOUNT"}]),
        export_row(cost=2.5, credits=[{"amount": -0.5}, {"amount": -0.125}]),
        export_row(cost_type="tax", cost=0.1, project=None, labels=[]),
    ]
    usage, tax, credit = sorted(
        only_charges(context, WRITERS[suffix](tmp_path / f"export{suffix}", rows)),
        key=lambda charge: -charge["billed_cost"],
    )
    assert usage == {
        "provider": "gcp",
        "billing_account_id": "01AB23-4C5D67-89EF01",
        "project_id": "shop-prod",
        "service_id": "6F81-5844-456A",
        "service_name": "Compute Engine",
        "sku_id": "CF4E-A0C7-E3BF",
        "sku": "N2 Core",
        "region_id": "europe-west4",
        "charge_category": "usage",
        "charge_period_start": datetime(2026, 11, 10, 8),
        "export_hour": datetime(2026, 11, 10, 13),
        "exported_at": datetime(2026, 11, 10, 13, 21, 7, 123456),
        "invoice_month": "202611",
        "billing_currency": "USD",
        "billed_cost": Decimal("3.75"),
        "billed_cost_usd": Decimal("3.75"),
        "consumed_quantity": 7200.0,
        "consumed_unit": "seconds",
        "tags": "",
        "charge_period_end": datetime(2026, 11, 10, 9),
        "corrects": None,
        "list_cost_usd": None,
    }
    assert (tax["charge_category"], tax["billed_cost"], tax["project_id"]) == ("tax", Decimal("0.1"), "")
    assert (credit["charge_category"], credit["billed_cost"]) == ("credit", Decimal("-0.875"))


def test_the_real_row_of_an_export_is_read_as_google_shows_it(context: RefreshContext) -> None:
    (charge,) = only_charges(context, REAL_ROW)
    assert charge["billed_cost"] == Decimal("0.012434")
    assert charge["billing_currency"] == "EUR"
    assert float(charge["billed_cost_usd"]) == pytest.approx(0.012434 / 0.93364999999987552, rel=1e-14)
    assert charge["sku"] == "SSD backed PD Capacity in Netherlands"
    assert charge["charge_period_start"] == datetime(2024, 5, 12, 22)
    assert charge["export_hour"] == datetime(2024, 5, 13, 1)
    assert charge["consumed_unit"] == "byte-seconds"
    assert charge["charge_category"] == "usage"


@FORMATS
def test_list_prices_are_kept_exactly_and_rows_without_one_stay_apart(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    rows = [
        export_row(cost=1.25, cost_at_list=1.5, credits=[{"amount": -0.25}]),
        export_row(cost=0.1, cost_at_list=0.2),
        export_row(cost=3.0, credits=[{"amount": -1.0}]),
        export_row(cost=0.5, cost_at_list=0.0, export_time="2026-11-10 14:00:00 UTC"),
        export_row(cost=0.0, cost_at_list=0.0, export_time="2026-11-10 15:00:00 UTC"),
    ]
    found = only_charges(context, WRITERS[suffix](tmp_path / f"export{suffix}", rows))
    assert [(each["billed_cost_usd"], each["list_cost_usd"]) for each in found] == [
        (Decimal(0), Decimal(0)),
        # What costs something has no list price of nothing: it is unknown.
        (Decimal("0.5"), None),
        (Decimal("1.35"), Decimal("1.7")),
        (Decimal(3), None),
        (Decimal("-1.25"), None),
    ]


def test_a_list_price_in_another_currency_is_in_dollars_by_the_rows_own_rate(
    context: RefreshContext, tmp_path: Path
) -> None:
    rows = [
        export_row(cost=8.0, cost_at_list=10.0, currency="EUR", currency_conversion_rate=0.8),
        export_row(cost=9.0, cost_at_list=9.0, currency="EUR", currency_conversion_rate=0.9),
    ]
    (charge,) = only_charges(context, write_json_lines(tmp_path / "export.jsonl", rows))
    assert (charge["billed_cost_usd"], charge["list_cost_usd"]) == (Decimal(20), Decimal("22.5"))


@pytest.mark.parametrize("told", ["dear", "1e30", "NaN", "Infinity"])
def test_a_list_price_that_is_none_sets_no_money_aside(
    context: RefreshContext, tmp_path: Path, told: str
) -> None:
    path = write_json_lines(tmp_path / "export.jsonl", [export_row(cost_at_list=told)])
    (charge,) = only_charges(context, path)
    assert (charge["billed_cost"], charge["list_cost_usd"]) == (Decimal("1.25"), None)


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({}, "usage"),
        ({"cost_type": "tax"}, "tax"),
        ({"cost_type": "adjustment"}, "adjustment"),
        ({"cost_type": "rounding_error"}, "adjustment"),
        ({"adjustment_info": {"id": "1", "type": "USAGE_CORRECTION"}}, "adjustment"),
        ({"sku": {"id": "1", "description": "Commitment v1: Cpu in Americas for 1 Year"}}, "purchase"),
    ],
)
def test_the_category_follows_from_what_google_says_of_the_row(
    context: RefreshContext, tmp_path: Path, changes: Mapping[str, Any], category: str
) -> None:
    (charge,) = only_charges(context, write_parquet(tmp_path / "a.parquet", [export_row(**changes)]))
    assert charge["charge_category"] == category


@FORMATS
def test_dollars_are_converted_row_by_row_at_the_bills_own_rate(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    rows = [
        export_row(currency="EUR", currency_conversion_rate=0.8, cost=1.0, credits=[{"amount": -0.4}]),
        export_row(currency="EUR", currency_conversion_rate=0.5, cost=1.0),
    ]
    usage, credit = only_charges(context, WRITERS[suffix](tmp_path / f"a{suffix}", rows))
    assert (usage["billed_cost"], usage["billed_cost_usd"]) == (Decimal(2), Decimal("3.25"))
    assert (credit["billed_cost"], credit["billed_cost_usd"]) == (Decimal("-0.4"), Decimal("-0.5"))


@FORMATS
def test_columns_may_be_missing_empty_or_unknown(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    rows = [
        export_row(
            project=...,
            sku={},
            location=...,
            credits=...,
            adjustment_info=...,
            currency_conversion_rate=...,
            usage=...,
            subscription={},
        )
    ]
    if suffix != ".parquet":
        rows[0]["invented_by_google"] = {"next": "year"}
    (charge,) = only_charges(context, WRITERS[suffix](tmp_path / f"a{suffix}", rows))
    assert (charge["project_id"], charge["sku_id"], charge["region_id"]) == ("", "", "")
    assert charge["billed_cost_usd"] == Decimal("1.25")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_numbers_may_be_text_and_times_may_be_written_either_way(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    rows = [
        export_row(cost="0.1", currency_conversion_rate="1", usage_start_time="2026-11-10T08:59:59.999Z"),
        export_row(cost=0.2, usage_start_time="2026-11-10 08:00:00 UTC", credits=[{"amount": "-0.3"}]),
        export_row(cost="1e-7", usage_start_time="2026-11-10T10:30:00+02:00"),
    ]
    usage, credit = only_charges(context, WRITERS[suffix](tmp_path / f"a{suffix}", rows))
    assert usage["billed_cost"] == Decimal("0.3000001")
    assert usage["charge_period_start"] == datetime(2026, 11, 10, 8)
    assert credit["billed_cost"] == Decimal("-0.3")


@pytest.mark.slow
def test_text_formats_may_be_compressed_and_json_may_be_one_array(
    context: RefreshContext, tmp_path: Path
) -> None:
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(export_row()).encode()))
    array = tmp_path / "b.json"
    array.write_text(json.dumps([export_row(cost=1), export_row(cost=2)], indent=2))
    table = write_csv(tmp_path / "c.csv", [export_row(cost=4, cost_type="tax")])
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    sums = {
        Path(change.partition).name: sum(charge["billed_cost"] for charge in charges(change))
        for change in refresh(context, packed, array, tmp_path / "c.csv.gz")
    }
    assert sums == {"a.jsonl.gz": Decimal("1.25"), "b.json": Decimal(3), "c.csv.gz": Decimal(4)}


def test_reading_csv_takes_no_more_memory_than_the_limit_has_room_for(
    context: RefreshContext, tmp_path: Path
) -> None:
    # Of a packed file DuckDB does not know the size, so that it takes the buffers of a large one.
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(write_csv(tmp_path / "a.csv", [export_row()]).read_bytes()))
    (change,) = FilesSource([str(path)], [Attempt("48MB", 1)]).refresh(context)
    assert isinstance(change, Batch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_that_does_not_fit_is_read_with_more_memory_and_leaves_nothing_behind(
    context: RefreshContext, tmp_path: Path, name: str
) -> None:
    write = write_csv if name.endswith(".csv") else write_json_lines
    path = write(tmp_path / name, [export_row(project={"id": str(number)}) for number in range(3000)])
    too_little, enough = Attempt("4MB", 1), Attempt("256MB", 1)
    with pytest.raises(SourceError, match="none of the 1 files"):
        list(FilesSource([str(path)], [too_little]).refresh(context))
    (change,) = FilesSource([str(path)], [too_little, enough]).refresh(context)
    assert sum(charge["billed_cost"] for charge in charges(change)) == Decimal("1.25") * 3000
    assert isinstance(change, Batch)
    assert list(context.spool.iterdir()) == [change.charges]


def _changed(name: str, *values: Any) -> list[dict[str, Any]]:
    return [export_row(**{name: value}) for value in values]


def first_rows(bad: list[dict[str, Any]]) -> str:
    """The numbers that are shown of rows from the second on: the first three."""
    return ", ".join(str(2 + number) for number in range(min(3, len(bad))))


TOO_FAR = "2126-11-10 08:00:00 UTC"


@FORMATS
@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("bad_cost", _changed("cost", None, "NaN", "Infinity", 1e300, -1e12)),
        ("bad_credit", _changed("credits", [{"amount": -1.0}, {"amount": "NaN"}], [{"amount": -1e300}])),
        ("bad_currency", [export_row(currency=None, currency_conversion_rate=None)]),
        ("bad_timestamp", [*_changed("usage_start_time", None), *_changed("export_time", None)]),
        ("far_timestamp", _changed("usage_start_time", TOO_FAR)),
        ("future_timestamp", _changed("export_time", TOO_FAR)),
    ],
)
def test_bad_rows_are_set_aside_whole_and_named_and_the_others_count(
    context: RefreshContext, tmp_path: Path, suffix: str, reason: str, bad: list[dict[str, Any]]
) -> None:
    path = WRITERS[suffix](tmp_path / f"a{suffix}", [export_row(), *bad, export_row()])
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    (rejected,) = change.rejected
    assert (rejected.reason, rejected.count, rejected.place) == (
        reason,
        len(bad),
        f"{path} row {first_rows(bad)}",
    )
    assert change.rows == 2
    assert [charge["billed_cost"] for charge in charges(change)] == [Decimal("2.5")]


@pytest.mark.slow
@FORMATS
@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        (
            "bad_conversion_rate",
            [
                *_changed("currency_conversion_rate", -1.0, 0.0, "NaN", 1e-300),
                export_row(currency="EUR", currency_conversion_rate=None),
            ],
        ),
        (
            "undated_usage",
            _changed(
                "usage_start_time",
                "2014-12-31 23:59:59 UTC",
                "1970-01-01 00:00:00 UTC",
                "0001-01-01 00:00:00 UTC",
            ),
        ),
    ],
)
def test_rows_without_dollars_or_day_count_on_their_invoice_alone_and_are_named(
    context: RefreshContext, tmp_path: Path, suffix: str, reason: str, rows: list[dict[str, Any]]
) -> None:
    # Each with an amount of its own, so that none stands for another.
    given = [
        {**row, "cost": 7.5 + number, "credits": [{"amount": -0.5 - number}]}
        for number, row in enumerate(rows)
    ]
    path = WRITERS[suffix](tmp_path / f"a{suffix}", [export_row(), *given])
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    (rejected,) = change.rejected
    assert (rejected.reason, rejected.count, rejected.place) == (
        reason,
        len(rows),
        f"{path} row {first_rows(rows)}",
    )
    assert "counts on its invoice" in rejected.detail
    assert change.rows == 1
    with_usd = [each for each in charges(change) if each["billed_cost_usd"] is not None]
    assert [(each["billed_cost"], each["billed_cost_usd"]) for each in with_usd] == [
        (Decimal("1.25"), Decimal("1.25"))
    ]
    without = [each for each in charges(change) if each["billed_cost_usd"] is None]
    costs = sum(Decimal("7.5") + number for number in range(len(rows)))
    assert sum(each["billed_cost"] for each in without if each["charge_category"] == "usage") == costs
    credits = sum(Decimal("0.5") + number for number in range(len(rows)))
    assert sum(each["billed_cost"] for each in without if each["charge_category"] == "credit") == -credits
    assert {each["billing_currency"] for each in without} == {row["currency"] for row in rows}


@FORMATS
def test_usage_that_begins_later_than_tomorrow_counts_from_its_own_day_on(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    prepaid = export_row(usage_start_time="2027-01-01 08:00:00 UTC", usage_end_time="2028-01-01 08:00:00 UTC")
    (charge,) = only_charges(context, WRITERS[suffix](tmp_path / f"a{suffix}", [prepaid]))
    assert charge["charge_period_start"] == datetime(2027, 1, 1, 8)
    assert charge["billed_cost_usd"] == Decimal("1.25")


def test_only_the_rounding_of_an_invoice_corrects_nothing(context: RefreshContext, tmp_path: Path) -> None:
    rows = [
        export_row(cost=0.01, cost_type="rounding_error"),
        export_row(cost=-3.0, cost_type="adjustment", sku={"id": "A", "description": "Refund"}),
    ]
    found = only_charges(context, write_json_lines(tmp_path / "a.jsonl", rows))
    told = {charge["billed_cost"]: (charge["charge_category"], charge["corrects"]) for charge in found}
    assert told == {Decimal("0.01"): ("adjustment", False), Decimal(-3): ("adjustment", None)}


@pytest.mark.slow
def test_a_line_that_is_not_json_is_named_by_its_number(context: RefreshContext, tmp_path: Path) -> None:
    good = json.dumps(export_row())
    path = tmp_path / "a.jsonl"
    path.write_text(f'{good}\n\n{{"cost": 1, oops\n{good}\nnot json\n"text"\n[1]\n')
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    (rejected,) = change.rejected
    assert (rejected.reason, rejected.count) == ("bad_json", 4)
    assert rejected.place == f"{path} line 3, 5, 6"
    assert change.rows == 2


@pytest.mark.slow
def test_a_line_still_being_written_is_read_when_it_is_whole(context: RefreshContext, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = json.dumps(export_row())
    path.write_text(f"{line}\n{line[:100]}")
    (half,) = refresh(context, path)
    assert isinstance(half, Batch)
    assert half.rows == 1
    path.write_text(f"{line}\n{line}\n")
    (whole,) = refresh(replace(context, known={half.partition: half.cursor}), path)
    assert isinstance(whole, Batch)
    assert (whole.rows, whole.rejected) == (2, ())


@pytest.mark.slow
def test_a_broken_csv_line_and_a_broken_nested_column_are_named(
    context: RefreshContext, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", [export_row(), {**export_row(), "service": '{"id": '}])
    with path.open("a", encoding="utf-8") as handle:
        handle.write("1,2,3\n")
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    assert [(each.reason, each.count) for each in change.rejected] == [("bad_json", 1), ("bad_csv", 1)]
    assert change.rejected[0].place == f"{path} row 2"
    assert change.rejected[1].place == f"{path} line 4"
    assert change.rows == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.parquet", b""),
        ("empty.parquet", b""),
        ("other.parquet", b"PAR1 this is not it"),
        ("table.xlsx", b"PK"),
        ("people.csv", b"name,age\nAda,36\n"),
        ("cut.jsonl.gz", gzip.compress(b'{"cost": 1}\n' * 100, mtime=0)[:-20]),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_keeps_its_last_good_charges(
    context: RefreshContext, tmp_path: Path, name: str, content: bytes
) -> None:
    good = write_json_lines(tmp_path / "good.jsonl", [export_row()])
    bad = tmp_path / name
    if name == "cut.parquet":
        content = write_parquet(tmp_path / "whole", [export_row()]).read_bytes()[:-200]
    bad.write_bytes(content)
    changes = {change.partition: change for change in refresh(context, good, bad)}
    assert isinstance(changes[str(good)], Batch)
    unreadable = changes[str(bad)]
    assert isinstance(unreadable, Unreadable)
    assert unreadable.rejected.reason == "unreadable_file"
    assert unreadable.rejected.place == str(bad)
    assert "last good charges stay" in unreadable.rejected.detail


def test_when_no_file_can_be_read_the_source_is_down(context: RefreshContext, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(SourceError, match="none of the 1 files"):
        refresh(context, tmp_path / "*.parquet")


def test_an_unmounted_folder_is_an_error_and_erases_nothing(context: RefreshContext, tmp_path: Path) -> None:
    known = replace(context, known={str(tmp_path / "a.parquet"): "1:2:3:4"})
    with pytest.raises(SourceError, match=r"no file matches .*gcp\.billing_export\.files") as raised:
        refresh(known, tmp_path / "*.parquet")
    assert raised.value.reason == "no_files"


def _of_project(path: Path) -> dict[str, Any]:
    """A row of a project of the file's own, so that no file repeats another."""
    return export_row(project={"id": path.stem})


@pytest.mark.slow
def test_only_files_that_appeared_grew_or_were_replaced_are_read_again(
    context: RefreshContext, tmp_path: Path
) -> None:
    same, grown, replaced, gone, new = (
        tmp_path / f"{name}.jsonl" for name in ("same", "grown", "replaced", "gone", "new")
    )
    for path in (same, grown, replaced, gone):
        write_json_lines(path, [_of_project(path)])
    known = {
        change.partition: change.cursor
        for change in refresh(context, tmp_path / "*.jsonl")
        if isinstance(change, Batch)
    }
    assert known.keys() == {str(path) for path in (same, grown, replaced, gone)}
    with grown.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(_of_project(grown)) + "\n")
    times = replaced.stat()
    other = write_json_lines(tmp_path / "other.tmp", [{**_of_project(replaced), "cost": 9.25}])
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(replaced)
    gone.unlink()
    write_json_lines(new, [_of_project(new)])
    changes = refresh(replace(context, known=known), tmp_path / "*.jsonl")
    read = {change.partition for change in changes if isinstance(change, Batch)}
    assert read == {str(grown), str(new), str(replaced)}
    assert [change for change in changes if isinstance(change, Retraction)] == [Retraction(str(gone))]
    assert context.tally.requests == 4 + 3


def test_a_file_reached_twice_counts_once(context: RefreshContext, tmp_path: Path) -> None:
    path = write_json_lines(tmp_path / "a.jsonl", [export_row()])
    (tmp_path / "link.jsonl").symlink_to(path)
    changes = refresh(context, tmp_path / "*.jsonl", path, tmp_path / "**" / "a.jsonl")
    assert [change.partition for change in changes] == [str(path)]


@pytest.mark.slow
def test_a_stop_ends_the_reading_between_files(context: RefreshContext, tmp_path: Path) -> None:
    for name in "abc":
        write_json_lines(tmp_path / f"{name}.jsonl", [export_row()])
    source = FilesSource([str(tmp_path / "*.jsonl")])
    changes = source.refresh(replace(context, stopping=lambda: context.tally.requests >= 2))
    assert sorted(Path(change.partition).name for change in changes) == ["a.jsonl", "b.jsonl"]


@pytest.mark.slow
def test_text_of_any_kind_comes_through_unchanged(context: RefreshContext, tmp_path: Path) -> None:
    strange = "quote \" newline \n backslash \\ apostrophe ' emoji 🦆 " + "x" * 10_000
    assert len(WRITERS) == 3
    for suffix, write in WRITERS.items():
        path = write(
            tmp_path / f"it's {suffix}{suffix}", [export_row(sku={"id": "1", "description": strange})]
        )
        (charge,) = only_charges(context, path)
        assert charge["sku"] == strange, suffix


amounts = st.floats(-1e6, 1e6).filter(math.isfinite)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(amounts, st.lists(amounts, max_size=3), st.sampled_from([1.0, 0.9337, 1.12])), min_size=1
    ),
    suffix=st.sampled_from(list(WRITERS)),
)
def test_charges_sum_to_cost_plus_credits(
    context: RefreshContext,
    tmp_path: Path,
    rows: list[tuple[float, list[float], float]],
    suffix: str,
) -> None:
    path = WRITERS[suffix](
        tmp_path / f"a{suffix}",
        [
            export_row(
                cost=cost,
                credits=[{"amount": amount} for amount in credits],
                currency="EUR",
                currency_conversion_rate=rate,
            )
            for cost, credits, rate in rows
        ],
    )
    found = only_charges(context, path)
    net = math.fsum(part for cost, credits, _ in rows for part in (cost, *credits))
    net_usd = math.fsum(part / rate for cost, credits, rate in rows for part in (cost, *credits))
    size = math.fsum(abs(part) for cost, credits, _ in rows for part in (cost, *credits)) + 1e-300
    assert abs(float(sum(charge["billed_cost"] for charge in found)) - net) <= 1e-12 * size + 1e-15
    assert abs(float(sum(charge["billed_cost_usd"] for charge in found)) - net_usd) <= 1e-12 * size + 1e-15


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_end_of_usage_is_kept_with_its_charge(
    context: RefreshContext, tmp_path: Path, suffix: str
) -> None:
    fee = export_row(
        usage_start_time="2026-11-01 07:00:00 UTC",
        usage_end_time="2026-12-01 08:00:00 UTC",
        credits=[{"amount": -0.25}],
    )
    usage, credit = only_charges(context, WRITERS[suffix](tmp_path / f"a{suffix}", [fee]))
    assert usage["charge_period_end"] == credit["charge_period_end"] == datetime(2026, 12, 1, 8)
