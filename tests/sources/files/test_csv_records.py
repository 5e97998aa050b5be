"""The records of CSV files as people and programs write them; the judge is Python's own strict reader."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.sources.files.csv_records import MOST_BROKEN, quick_count, records_of
from exporter.sources.files.formats import UnknownFormatError

QUOTED_TWICE = "has a quote in the middle of a quoted value; within quotes, a quote is written twice"
NEVER_ENDS = "has a quote that never ends"


def write(folder: Path, content: bytes) -> Path:
    path = folder / "a.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "good", "broken"),
    [
        (b"a,b,c\n1,2,3\n4,5,6\n", 2, {}),
        (b"a,b,c\r\n1,2,3\r\n4,5,6", 2, {}),
        (b"\xef\xbb\xbfa,b,c\n1,2,3\n", 1, {}),
        (b"a,b,c\r\n1,2,3\n4,5,6\r\n", 2, {}),
        (b"a,b,c\n1,2,3\r4,5,6\n", 2, {}),
        (b'a,b,c\n1,"x\ny",3\n4,5,6\n', 2, {}),
        (b'a,b,c\n1,"x ""y"" z",3\n', 1, {}),
        (b'a,b,c\n1,x"y,3\n', 1, {}),
        (b"a,b,c\n\n1,2,3\n\n\n", 1, {}),
        (b"a,b,c\n1,2,3,,\n4,5,6\n", 2, {}),
        (b"a,b,c,\n1,2,3\n4,5,6\n", 2, {}),
        (b'a,b,c\n1,2,3\n"4,5,6\n7,8,9\n', 2, {3: NEVER_ENDS}),
        (b'a,b,c\n1,2,3\n"4,5,6\n7,"8",9\n', 2, {3: QUOTED_TWICE}),
        (b'a,b,c\n1,2,3\n4,"5\n6,7,8\n9,",",1\n2,3,4\n', 4, {3: NEVER_ENDS}),
        (b'a,b,c\n1,"x\\"y",3\n4,5,6\n', 1, {2: QUOTED_TWICE}),
        (b"a,b,c\n1,2\n4,5,6\n", 1, {2: "has 2 columns and not 3"}),
        (b"a,b,c\n1,2,3,4\n4,5,6\n", 1, {2: "has 4 columns and not 3"}),
        (b"a,b,c\n1,x\0y,3\n4,5,6\n", 1, {2: "has a byte that is 0"}),
        (b"a,b,c\n1,x\xffy,3\n4,5,6\n", 1, {2: "is not UTF-8 text"}),
    ],
)
def test_each_record_is_good_or_named_by_its_line(
    tmp_path: Path, content: bytes, good: int, broken: dict[int, str]
) -> None:
    path, copy = write(tmp_path, content), tmp_path / "copy.csv"
    found = records_of(path, copy)
    assert (found.good, found.broken) == (good, broken)
    with copy.open(newline="", encoding="utf-8") as handle:
        copied = list(csv.reader(handle, strict=True))
    assert len(copied) == good + 1
    assert len({len(row) for row in copied}) == 1


def test_a_file_without_a_good_record_and_one_with_too_many_broken_ones_are_refused_whole(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnknownFormatError, match=r"no record of 'a.csv' can be read: line 2 has 1 columns"):
        records_of(write(tmp_path, b"a,b\n1\n"))
    with pytest.raises(UnknownFormatError, match=r"more than 10,000 records .* line 3 has 3 columns"):
        records_of(write(tmp_path, b"a,b\n1,2\n" + b"1,2,3\n" * (MOST_BROKEN + 1)))


values = st.text(st.sampled_from('ab0,;"\n\r\\ é\t'), max_size=6)
rows = st.lists(st.tuples(values, values, values), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, ends=st.sampled_from(["\n", "\r\n"]), last=st.booleans(), packed=st.booleans())
def test_whatever_a_writer_of_csv_writes_is_read_to_the_last_record(
    tmp_path: Path, *, rows: list[tuple[str, str, str]], ends: str, last: bool, packed: bool
) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator=ends).writerows([("a", "b", "c"), *rows])
    content = path.read_bytes() if last else path.read_bytes()[: -len(ends)]
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    assert records_of(path).good == len(rows)
    assert quick_count(path) in (len(rows) + 1, None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text(st.sampled_from('a1,"\n\r'), max_size=60))
def test_whatever_a_file_has_no_line_of_it_is_lost(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, b"a,b\n1,2\n" + content.encode())
    found = records_of(path)
    with path.open(newline="", encoding="utf-8") as handle:
        lines = sum(bool(line.strip("\r\n")) for line in handle) - 1
    assert 1 <= found.good + len(found.broken) <= lines
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            judged = [row for row in csv.reader(handle, skipinitialspace=True, strict=True) if row][1:]
    except csv.Error:
        assert found.broken
        return
    fitting = sum(len(row) >= 2 and not any(row[2:]) for row in judged)
    assert found.good >= fitting
    if not found.broken:
        assert found.good == len(judged)
