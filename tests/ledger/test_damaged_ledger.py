"""A ledger that is damaged or gone: set aside, replaced by a new one, its counters go on."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.first_reads import FirstReads
from exporter.ledger.kept_counters import counters_file, keep_counters
from exporter.ledger.opening import LedgerError, open_ledger_read_only
from exporter.ledger.setting_aside import KEPT_FILES, damaged_files, log_of, set_aside
from exporter.ledger.verification import verify
from tests.support.charge_rows import charge, put

NOW = datetime(2026, 11, 26, 10, 15, tzinfo=UTC)
ASIDE = "spend.duckdb.damaged-20261126T101500Z"


def filled(folder: Path) -> Path:
    """A ledger with two partitions of ten and five dollars, and its counters beside it."""
    path = folder / "spend.duckdb"
    ledger = Ledger(path)
    put(ledger, folder, "old", charge("10"))
    put(ledger, folder, "new", charge("5", sku_id="other"))
    with ledger.reading() as connection:
        keep_counters(connection, path)
    ledger.close()
    return path


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.write_bytes(bytes(content))


def counted(ledger: Ledger) -> Decimal:
    with ledger.reading() as connection:
        total: Decimal = connection.execute("SELECT sum(billed_usd_total) FROM series").fetchall()[0][0]
    return total


def used_places(path: Path) -> list[int]:
    """Places in the headers, and in blocks that the ledger uses: damage in free ones is none."""
    content = path.read_bytes()
    chance = random.Random(5)
    used = [place for place in range(12_288, len(content)) if content[place]]
    return [0, 13, 100, 4_100, 8_200, *chance.sample(used, 12)]


@pytest.mark.slow
def test_one_changed_byte_anywhere_is_found_and_the_ledger_is_replaced(tmp_path: Path) -> None:
    path = filled(tmp_path)
    whole = path.read_bytes()
    places = used_places(path)
    assert len(places) > 10
    for place in places:
        path.write_bytes(whole)
        flip(path, place)
        damaged = path.read_bytes()
        ledger = Ledger(path, mend_at=NOW)
        assert ledger.cursors("files") == {}, place
        assert counted(ledger) == 15
        assert f"it was moved to {tmp_path / ASIDE}" in ledger.file.loss
        assert (tmp_path / ASIDE).read_bytes() == damaged
        ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"hello\n" * 99], ids=["nothing", "text"])
def test_a_file_that_is_something_else_now_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = filled(tmp_path)
    path.write_bytes(content)
    ledger = Ledger(path, mend_at=NOW)
    assert "Its counters go on from where they were at" in ledger.file.loss
    assert (tmp_path / ASIDE).read_bytes() == content
    ledger.close()


@pytest.mark.slow
def test_half_a_file_is_set_aside(tmp_path: Path) -> None:
    path = filled(tmp_path)
    os.truncate(path, path.stat().st_size // 2)
    ledger = Ledger(path, mend_at=NOW)
    assert "is damaged" in ledger.file.loss
    ledger.close()


def test_a_file_that_never_was_a_ledger_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 99)
    with pytest.raises(LedgerError, match="name another file under the key `ledger`"):
        Ledger(path, mend_at=NOW)
    assert path.read_text().startswith("my notes")


@pytest.mark.slow
def test_a_damaged_log_alone_is_set_aside_and_the_file_stays(tmp_path: Path) -> None:
    path = filled(tmp_path)
    log_of(path).write_bytes(_log_of_another_database(tmp_path))
    ledger = Ledger(path, mend_at=NOW)
    assert ledger.cursors("files").keys() == {"old", "new"}
    assert "the log of the latest changes" in ledger.file.loss
    assert [each.name for each in tmp_path.glob("*.damaged-*")] == [f"{ASIDE}.wal"]
    ledger.close()


def _log_of_another_database(folder: Path) -> bytes:
    connection = duckdb.connect(str(folder / "another.duckdb"))
    connection.execute("CREATE TABLE one (number INTEGER)")
    log = log_of(folder / "another.duckdb").read_bytes()
    connection.close()
    return log


@pytest.mark.slow
def test_a_damaged_ledger_is_named_and_left_alone_where_it_is_only_read(tmp_path: Path) -> None:
    path = filled(tmp_path)
    flip(path, 100)
    for opened in (lambda: Ledger(path), lambda: open_ledger_read_only(path, "48MB")):
        with pytest.raises(LedgerError, match="is damaged: move it away") as raised:
            opened()
        assert raised.value.reason == "ledger_damaged"
    assert path.exists()


@pytest.mark.slow
def test_counters_go_on_after_a_loss_also_over_what_the_source_no_longer_has(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.unlink()
    ledger = Ledger(path, mend_at=NOW)
    assert ledger.file.gone_at == NOW
    assert FirstReads(ledger).whole() == set()
    put(ledger, tmp_path, "new", charge("5", sku_id="other"))
    assert counted(ledger) == 15
    FirstReads(ledger).end("files")
    assert FirstReads(ledger).whole() == {"files"}
    put(ledger, tmp_path, "newer", charge("2"))
    assert counted(ledger) == 17
    ledger.close()


@pytest.mark.slow
def test_a_second_loss_before_the_sources_were_read_again_loses_no_counter(tmp_path: Path) -> None:
    path = filled(tmp_path)
    for _ in range(2):
        path.unlink()
        ledger = Ledger(path, mend_at=NOW)
        put(ledger, tmp_path, "new", charge("5", sku_id="other"))
        with ledger.reading() as connection:
            keep_counters(connection, path)
        ledger.close()
    ledger = Ledger(path)
    FirstReads(ledger).end("files")
    put(ledger, tmp_path, "newer", charge("2"))
    assert counted(ledger) == 17
    ledger.close()


@pytest.mark.slow
def test_damaged_counters_are_not_taken_and_that_is_said(tmp_path: Path) -> None:
    path = filled(tmp_path)
    flip(counters_file(path), 300)
    path.unlink()
    ledger = Ledger(path, mend_at=NOW)
    assert "Its counters begin anew" in ledger.file.loss
    assert "cannot be used" in ledger.file.loss
    assert ledger.cursors("files") == {}
    ledger.close()


@pytest.mark.slow
def test_damage_that_is_found_while_reading_is_mended_and_nobody_gets_in_before(tmp_path: Path) -> None:
    path = filled(tmp_path)
    ledger = Ledger(path)
    path.unlink()
    ledger.file.look()
    with pytest.raises(LedgerError, match="is gone; a new one is made"), ledger.reading():
        pass
    replaced: list[int] = []
    loss = ledger.file.mend(NOW, lambda: replaced.append(1))
    assert loss is not None
    assert "is gone" in loss
    assert (replaced, ledger.file.generation) == ([1], 1)
    assert counted(ledger) == 15
    assert ledger.file.mend(NOW, lambda: replaced.append(1)) is None
    ledger.close()


def test_only_the_latest_damaged_ledgers_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    times = [NOW + number * timedelta(minutes=1) for number in range(KEPT_FILES + 2)]
    for time in times:
        path.write_bytes(b"x")
        log_of(path).write_bytes(b"y")
        set_aside(path, time)
    assert [when for when, _ in damaged_files(path)] == times[-KEPT_FILES:]
    assert len(list(tmp_path.iterdir())) == 2 * KEPT_FILES


@pytest.mark.slow
def test_what_the_time_limit_leaves_out_is_named_largest_last(tmp_path: Path) -> None:
    connection, _ = open_ledger_read_only(filled(tmp_path), "48MB")
    assert verify(connection).left_out == ()
    assert {"charge", "usage_hour"} <= set(verify(connection, 0).left_out)
    connection.close()
