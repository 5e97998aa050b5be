"""Of every format: records read and set aside are those of the file, or the file is refused whole."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.sources.base import Batch, RefreshContext, Unreadable
from exporter.sources.files.formats import UnknownFormatError
from exporter.sources.files.reconciling import reconciled
from exporter.sources.files.source import FilesSource
from exporter.sources.focus.source import FocusSource
from tests.sources.files.test_source import context, refresh
from tests.support.export_rows import export_row, write_csv, write_json_lines, write_parquet
from tests.support.focus_rows import focus_row

__all__ = ["context"]


@dataclass(frozen=True)
class Loses:
    """A reading that lost records on the way."""

    records: int
    unparsed: frozenset[int] = frozenset()


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv", "csv.gz", "jsonl.gz"])
def test_a_file_of_which_a_record_was_lost_is_refused_whole(tmp_path: Path, suffix: str) -> None:
    rows = [export_row(), export_row(), export_row()]
    plain = tmp_path / f"a.{suffix.removesuffix('.gz')}"
    write = {"parquet": write_parquet, "jsonl": write_json_lines, "csv": write_csv}[plain.suffix[1:]]
    path = write(plain, rows)
    if suffix.endswith(".gz"):
        path = plain.with_name(f"{plain.name}.gz")
        path.write_bytes(gzip.compress(plain.read_bytes()))
    copy = tmp_path / "copy.csv"
    assert reconciled(lambda _path: Loses(3), path, copy) == (Loses(3), ())
    with pytest.raises(UnknownFormatError, match=r"has 3 records and 2 of them could be read; .* whole"):
        reconciled(lambda _path: Loses(2), path, copy)
    assert not copy.exists()


def test_a_stray_quote_costs_its_own_row_and_no_other(context: RefreshContext, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [export_row(cost=1.0, labels=[]) for _ in range(4)])
    lines = path.read_text().splitlines()
    lines[2] = '"' + lines[2]
    path.write_text("\n".join(lines))
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    assert change.rows == 3
    assert [(each.reason, each.count, each.place) for each in change.rejected] == [
        ("bad_csv", 1, f"{path} line 3")
    ]
    assert sorted(path.name for path in context.spool.iterdir()) == [change.charges.name]


def test_line_ends_of_two_kinds_are_no_reason_to_refuse_a_file(
    context: RefreshContext, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", [export_row(), export_row()])
    first, second, third = path.read_bytes().splitlines()
    path.write_bytes(first + b"\r\n" + second + b"\n" + third + b"\r\n")
    (change,) = refresh(context, path)
    assert isinstance(change, Batch)
    assert (change.rows, change.rejected) == (2, ())


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_an_error_page_in_the_place_of_a_file_is_refused_whole(
    context: RefreshContext, tmp_path: Path, name: str
) -> None:
    good = write_json_lines(tmp_path / "good.jsonl", [export_row()])
    page = tmp_path / name
    page.write_text("<html>\n<body>502 Bad Gateway</body>\n</html>\n")
    changes = list(FilesSource([str(good), str(page)]).refresh(context))
    (unreadable,) = [each for each in changes if isinstance(each, Unreadable)]
    assert (unreadable.partition, unreadable.rejected.reason) == (str(page), "unreadable_file")


ADDED = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 200), st.sampled_from(['"', ",", "\n", "\0", "\\", '""', "\r"])
    ),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(added=ADDED)
def test_whatever_is_written_into_a_focus_file_each_dollar_counts_or_its_line_is_named(
    context: RefreshContext, tmp_path: Path, added: list[tuple[int, int, str]]
) -> None:
    rows = [focus_row(BilledCost="1", SkuId=f"S{number}") for number in range(6)]
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    header, *lines = path.read_text().splitlines()
    for number, place, text in added:
        lines[number] = lines[number][:place] + text + lines[number][place:]
    path.write_bytes("\n".join([header, *lines]).encode())
    (change,) = FocusSource([str(path)]).refresh(context)
    untouched = 6 - len({number for number, *_ in added})
    if isinstance(change, Batch):
        change.charges.unlink()
        assert change.rows >= untouched
        assert change.rows + sum(each.count for each in change.rejected) >= 6
    else:
        assert isinstance(change, Unreadable)
        assert untouched == 0
    assert Decimal(len(lines)) == 6
