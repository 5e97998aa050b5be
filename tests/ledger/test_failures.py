"""The ledger when the machine fails it: killed while writing, a full disk, a file that may not be written."""

from __future__ import annotations

import fcntl
import os
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from tests.support.charge_rows import charge, put

ALL_TIME = {"everything": (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))}

NOBODY = 65534

_WRITE_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import charge, put
folder = Path(sys.argv[1])
ledger = Ledger(folder / "spend.duckdb")
for number in count():
    partition = f"partition-{number % 5}"
    put(ledger, folder, partition, *[charge("1", sku_id=f"sku-{sku}") for sku in range(200 + number % 5)])
    print(number, flush=True)
"""

_FILL_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from exporter.ledger.opening import LedgerError
from exporter.ledger.charges.store import Ledger
from exporter.sources.spool import write_spool_csv
from tests.support.charge_rows import charge, put
folder = Path(sys.argv[1])
ledger = Ledger(folder / "spend.duckdb")
put(ledger, folder, "small", charge("1"))
ledger.close()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
largest = (folder / "spend.duckdb").stat().st_size + 300_000
ledger = Ledger(folder / "spend.duckdb")
many = [charge("1", sku_id=f"sku-{number}" * 20) for number in range(20_000)]
spool = write_spool_csv(folder / "many.csv", many)
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
try:
    ledger.put("files", "many", "cursor", spool, len(many))
except LedgerError as error:
    print(error.reason, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.put("files", "many", "cursor", spool, len(many))
print("stored")
ledger.close()
"""


def net(ledger: Ledger) -> Decimal:
    with ledger.view(["files"]) as view:
        return sum((sums[0] or Decimal(0) for _, sums in view.window_sums("gcp", ALL_TIME)), Decimal(0))


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True, timeout=300
    )


@pytest.mark.slow
def test_killed_at_any_moment_the_ledger_holds_whole_partitions_only(tmp_path: Path) -> None:
    chance = random.Random(7)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randint(1, 6)):
                assert writer.stdout.readline()
            # Somewhere within the next write: as many turns as chance has it, no sleep.
            for _ in range(chance.randint(0, 200_000)):
                pass
            writer.kill()
        ledger = Ledger(tmp_path / "spend.duckdb")
        stored = ledger.cursors("files")
        assert stored
        assert net(ledger) == sum(200 + int(name.rpartition("-")[2]) for name in stored)
        ledger.close()


@pytest.mark.slow
def test_a_full_disk_is_reported_and_what_was_stored_stays(tmp_path: Path) -> None:
    reported, stored = run(_FILL_THE_DISK, tmp_path).stdout.splitlines()
    assert reported.startswith("disk_full no room to write ledger")
    assert "free space there; nothing was stored in part" in reported
    assert stored == "stored"
    ledger = Ledger(tmp_path / "spend.duckdb")
    assert net(ledger) == Decimal(20_001)
    ledger.close()


@pytest.mark.slow
def test_a_ledger_that_may_not_be_written_still_answers(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spend.duckdb")
    put(ledger, tmp_path, "a", charge("2"))
    ledger.close()
    with unprivileged(tmp_path):
        closed = Ledger(tmp_path / "spend.duckdb")
        assert closed.read_only
        assert net(closed) == Decimal(2)
        with pytest.raises(LedgerError, match="may not be written by this user") as raised:
            closed.retract("files", "a")
        assert raised.value.reason == "ledger_read_only"
        closed.close()


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    with (
        unprivileged(tmp_path),
        pytest.raises(LedgerError, match=r"cannot be opened: .*see the key `ledger`"),
    ):
        Ledger(tmp_path / "spend.duckdb")


class unprivileged:
    """Be a user who may read a folder and not write it, for a while; one process at a time.

    The folders above belong to all processes that run tests.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parents = [parent for parent in folder.parents if parent.stat().st_uid == os.geteuid()]

    def __enter__(self) -> None:
        self._lock = os.open(tempfile.gettempdir(), os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._modes = {path: path.stat().st_mode for path in (*self._parents, self._folder)}
        for path, mode in self._modes.items():
            path.chmod(mode | 0o055)
        for path in self._folder.iterdir():
            path.chmod(0o444)
        self._folder.chmod(0o555)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)

    def __exit__(self, *_: object) -> None:
        if os.getuid() == 0:
            os.seteuid(0)
        for path, mode in self._modes.items():
            path.chmod(mode)
        os.close(self._lock)
