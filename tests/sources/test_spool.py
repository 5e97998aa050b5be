"""A spool file is whole or not there, and a disk that is full is named as such."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.core.charges import Charge
from exporter.core.errors import SourceError
from exporter.sources.spool import write_spool_csv
from tests.support.charge_rows import charge

FULL = Path("/dev/full")


def charges_that_break_off() -> Iterator[Charge]:
    yield charge("1")
    raise SourceError("unavailable", "the server went away")


def test_nothing_is_left_of_rows_that_break_off(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the server went away"):
        write_spool_csv(tmp_path / "day.csv", charges_that_break_off())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_named_with_what_to_do_and_nothing_is_left(tmp_path: Path) -> None:
    spool = tmp_path / "day.csv"
    spool.symlink_to(FULL)
    with pytest.raises(SourceError, match=r"no room in .*: free space there") as raised:
        write_spool_csv(spool, [charge("1")])
    assert raised.value.reason == "disk_full"
    assert list(tmp_path.iterdir()) == []
