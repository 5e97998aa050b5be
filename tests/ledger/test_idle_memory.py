"""A ledger that nobody reads or writes gives its pages back, and works on with its full limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger

_ROWS = 400_000


def _pages_bytes(ledger: Ledger) -> int:
    connection = ledger.file._connection.cursor()
    [(used,)] = connection.execute("SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory()").fetchall()
    return int(used)


def _limit(ledger: Ledger) -> str:
    [(limit,)] = ledger.file._connection.cursor().execute("SELECT current_setting('memory_limit')").fetchall()
    return str(limit)


def _filled(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "spend.duckdb")
    with ledger.transaction() as connection:
        connection.execute(f"CREATE TABLE large AS SELECT hash(i) AS h, i FROM range({_ROWS * 10}) r(i)")
    return ledger


def _sum(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        [(total,)] = connection.execute("SELECT sum(i)::BIGINT FROM large WHERE h > 0").fetchall()
    return int(total)


@pytest.mark.slow
def test_pages_are_given_back_and_read_again_when_they_are_needed(tmp_path: Path) -> None:
    ledger = _filled(tmp_path)
    before = _sum(ledger)
    limit, used = _limit(ledger), _pages_bytes(ledger)
    assert used > 30e6
    assert ledger.file.free_memory()
    assert _pages_bytes(ledger) < used / 2
    assert _limit(ledger) == limit
    assert _sum(ledger) == before
    ledger.close()


@pytest.mark.slow
def test_nothing_is_given_back_while_somebody_reads(tmp_path: Path) -> None:
    ledger = _filled(tmp_path)
    with ledger.reading() as connection:
        connection.execute("SELECT sum(i) FROM large").fetchall()
        used = _pages_bytes(ledger)
        assert not ledger.file.free_memory()
        assert _pages_bytes(ledger) >= used
    assert ledger.file.free_memory()
    ledger.close()


@pytest.mark.slow
def test_a_ledger_that_nobody_used_since_is_left_alone(tmp_path: Path) -> None:
    ledger = _filled(tmp_path)
    assert ledger.file.free_memory()
    assert not ledger.file.free_memory()
    _sum(ledger)
    assert ledger.file.free_memory()
    ledger.close()


def test_a_ledger_in_memory_has_nothing_to_give_back() -> None:
    ledger = Ledger(None)
    with ledger.reading() as connection:
        connection.execute("SELECT 1").fetchall()
    assert not ledger.file.free_memory()
    ledger.close()
