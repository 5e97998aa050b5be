"""Google's export and FOCUS in every format: a bad row or file costs itself alone, whatever is in it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from tests.fuzz.hostile import LEAVES, NUMBERS, TEXTS, broken, changed, fuzzing, written
from tests.fuzz.reading import reading
from tests.support.export_rows import export_row, write_csv, write_json_lines, write_parquet
from tests.support.focus_rows import focus_row, write_focus_csv, write_focus_parquet

pytestmark = pytest.mark.slow

GOOD = {f"good-{number}": Decimal(number) for number in range(1, 5)}
GOOD_ROWS = [export_row(sku={"id": sku, "description": sku}, cost=float(usd)) for sku, usd in GOOD.items()]
ODD_ROW = export_row(
    sku={"id": "odd", "description": "odd"}, credits=[{"name": "SUD", "amount": -0.1, "type": "DISCOUNT"}]
)
GOOD_FOCUS = [focus_row(SkuId=sku, BilledCost=str(usd)) for sku, usd in GOOD.items()]
ODD_FOCUS = focus_row(SkuId="odd")


def good_of(found: dict[str, Decimal]) -> dict[str, Decimal]:
    return {sku: usd for sku, usd in found.items() if sku in GOOD}


def in_between(good: list[Any], odd: list[Any], places: list[int]) -> list[Any]:
    """The odd rows at these places among the good ones."""
    mixed = list(good)
    for row, place in zip(odd, places, strict=True):
        mixed.insert(place % (len(mixed) + 1), row)
    return mixed


PLACES = st.lists(st.integers(0, 9), min_size=3, max_size=3)


# A file that begins with a list is one in another format, and refused whole.
ROWS = changed(ODD_ROW).map(lambda row: row if isinstance(row, dict) else {"cost": row})


@fuzzing()
@given(odd=st.lists(ROWS, min_size=3, max_size=3), places=PLACES)
def test_no_row_of_json_lines_changes_what_the_others_sum_to(
    tmp_path: Path, odd: list[Any], places: list[int]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(map(written, in_between(GOOD_ROWS, odd, places))) + b"\n")
    with reading(FilesSource([str(path)])) as program:
        status = program.refresh()
        assert not status.unreadable_files, status.rejected
        assert good_of(program.usd()) == GOOD
        assert status.rows + sum(each.count for each in status.rejected) >= len(GOOD)


@fuzzing()
@given(odd=st.lists(changed(ODD_ROW, LEAVES), min_size=3, max_size=3), places=PLACES)
def test_no_row_of_csv_changes_what_the_others_sum_to(
    tmp_path: Path, odd: list[Any], places: list[int]
) -> None:
    path = tmp_path / "a.csv"
    kept = [row if isinstance(row, dict) else {"cost": row} for row in odd]
    rows = [
        {name: value for name, value in row.items() if name in ODD_ROW}
        for row in in_between(GOOD_ROWS, kept, places)
    ]
    write_csv(path, rows)
    with reading(FilesSource([str(path)])) as program:
        status = program.refresh()
        assert not status.unreadable_files, status.rejected
        assert good_of(program.usd()) == GOOD


FLOATS = NUMBERS.filter(lambda value: isinstance(value, float))
STRINGS = TEXTS.filter(lambda text: "\0" not in text)
TIMES = st.sampled_from(
    ["0001-01-01 00:00:00+00", "9999-12-31 23:59:59+00", "2026-11-10 08:00:00+00", "infinity", "-infinity"]
)


@fuzzing()
@given(
    costs=st.lists(FLOATS, min_size=3, max_size=3),
    rates=st.lists(FLOATS, min_size=3, max_size=3),
    credits=st.lists(FLOATS, min_size=3, max_size=3),
    names=st.lists(STRINGS, min_size=3, max_size=3),
    times=st.lists(TIMES, min_size=3, max_size=3),
    column=st.sampled_from(["usage_start_time", "usage_end_time", "export_time"]),
    part=st.sampled_from(["cost", "currency_conversion_rate", "credits[1].amount", "all"]),
)
def test_no_row_of_parquet_changes_what_the_others_sum_to(
    tmp_path: Path,
    costs: list[float],
    rates: list[float],
    credits: list[float],
    names: list[str],
    times: list[str],
    column: str,
    part: str,
) -> None:
    odd = [
        export_row(sku={"id": f"odd-{number}", "description": name}, currency=name)
        for number, name in enumerate(names)
    ]
    good = write_parquet(tmp_path / "good.parquet", GOOD_ROWS)
    path = write_parquet(tmp_path / "odd.parquet", odd)
    numbers = {"cost": costs, "currency_conversion_rate": rates}
    shown = [
        f"[{', '.join(repr(str(value)) for value in values)}][row]::DOUBLE AS {name}"
        for name, values in numbers.items()
        if part in (name, "all")
    ]
    if part in ("credits[1].amount", "all"):
        amounts = ", ".join(repr(str(value)) for value in credits)
        shown.append(f"[struct_update(credits[1], amount := [{amounts}][row]::DOUBLE)] AS credits")
    shown.append(f"[{', '.join(map(repr, times))}][row]::TIMESTAMPTZ AS {column}")
    made = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""COPY (SELECT * FROM '{good}' UNION ALL BY NAME
                      SELECT * EXCLUDE row REPLACE ({", ".join(shown)})
                      FROM (SELECT *, row_number() OVER () AS row FROM '{path}'))
                TO '{made}' (FORMAT parquet)"""
        )
    with reading(FilesSource([str(made)])) as program:
        status = program.refresh()
        assert not status.unreadable_files, status.rejected
        assert good_of(program.usd()) == GOOD


@fuzzing(1.5)
@given(data=st.data(), suffix=st.sampled_from(["jsonl", "csv", "parquet", "jsonl.gz"]))
def test_a_broken_export_file_leaves_the_file_beside_it_alone(
    tmp_path: Path, data: st.DataObject, suffix: str
) -> None:
    good = write_json_lines(tmp_path / "good.jsonl", GOOD_ROWS)
    plain = suffix.removesuffix(".gz")
    write = {"jsonl": write_json_lines, "csv": write_csv, "parquet": write_parquet}[plain]
    odd = tmp_path / f"odd.{suffix}"
    content = write(tmp_path / f"whole.{plain}", [ODD_ROW] * 3).read_bytes()
    odd.write_bytes(data.draw(broken(content)))
    with reading(FilesSource([str(good), str(odd)])) as program:
        program.refresh()
        assert good_of(program.usd()) == GOOD


@fuzzing()
@given(
    odd=st.lists(
        st.dictionaries(st.sampled_from(sorted(ODD_FOCUS)), TEXTS | NUMBERS.map(str), min_size=1, max_size=3),
        min_size=3,
        max_size=3,
    ),
    places=PLACES,
)
def test_no_row_of_focus_changes_what_the_others_sum_to(
    tmp_path: Path, odd: list[dict[str, str]], places: list[int]
) -> None:
    rows = in_between(GOOD_FOCUS, [ODD_FOCUS | changes for changes in odd], places)
    path = write_focus_csv(tmp_path / "a.csv", rows)
    with reading(FocusSource([str(path)])) as program:
        status = program.refresh()
        assert not status.unreadable_files, status.rejected
        assert good_of(program.usd()) == GOOD


@fuzzing(1.5)
@given(data=st.data(), suffix=st.sampled_from(["csv", "parquet"]))
def test_a_broken_focus_file_leaves_the_file_beside_it_alone(
    tmp_path: Path, data: st.DataObject, suffix: str
) -> None:
    good = write_focus_csv(tmp_path / "good.csv", GOOD_FOCUS)
    whole = write_focus_csv(tmp_path / "whole.csv", [ODD_FOCUS] * 3)
    if suffix == "parquet":
        whole = write_focus_parquet(tmp_path / "whole.parquet", whole)
    odd = tmp_path / f"odd.{suffix}"
    odd.write_bytes(data.draw(broken(whole.read_bytes())))
    with reading(FocusSource([str(good), str(odd)])) as program:
        program.refresh()
        assert good_of(program.usd()) == GOOD
