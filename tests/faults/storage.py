"""Faults of the disk and of the ledger on it."""

from __future__ import annotations

import resource
import shutil

from tests.faults.fault import Fault
from tests.faults.world import World

_SMALLEST_FILE = 10_000


def _replaced(world: World) -> bool:
    return world.value("spend_ledger_damaged_timestamp_seconds") is not None


def _forget_damage(world: World) -> None:
    """Remove what was set aside, as an operator does who has seen it."""
    world.wait(world.is_whole, "both bills once more")
    for path in world.ledger.parent.glob("*.damaged-*"):
        path.unlink()


def _full(world: World) -> None:
    # A file that may not grow fails as one on a full disk does.
    world.kept["limit"] = resource.prlimit(world.program.process.pid, resource.RLIMIT_FSIZE)
    hard = world.kept["limit"][1]
    resource.prlimit(world.program.process.pid, resource.RLIMIT_FSIZE, (_SMALLEST_FILE, hard))
    world.write_bill("more.csv", usd="0")


def _room_again(world: World) -> None:
    resource.prlimit(world.program.process.pid, resource.RLIMIT_FSIZE, world.kept.pop("limit"))
    (world.bills / "more.csv").unlink()


_TOLD = "`spend_ledger_damaged_timestamp_seconds`, one line in the log, `/readyz`"
_HEALS = "by itself: a new ledger is filled from the sources, counters go on"
_STAYS = "all figures stay until the bills have been read again"

ROWS: tuple[Fault, ...] = (
    Fault(
        "no room on the disk",
        _full,
        lambda world: world.value("spend_disk_full") == 1,
        "`spend_disk_full` 1, log, `/readyz`",
        "all figures stay; nothing is stored in part",
        "by itself, within a minute",
        _room_again,
        alert="SpendDiskFull",
    ),
    Fault(
        "the ledger is removed while running",
        lambda world: world.ledger.unlink(),
        _replaced,
        _TOLD,
        _STAYS,
        _HEALS,
        _forget_damage,
        alert="SpendLedgerReplaced",
    ),
    Fault(
        "the ledger is overwritten while running",
        lambda world: world.ledger.write_text("not a ledger any more"),
        _replaced,
        _TOLD,
        _STAYS,
        _HEALS,
        _forget_damage,
        alert="SpendLedgerReplaced",
    ),
    Fault(
        "the folder of the ledger is removed while running",
        lambda world: shutil.rmtree(world.ledger.parent),
        _replaced,
        _TOLD,
        _STAYS,
        _HEALS,
        _forget_damage,
        alert="SpendLedgerReplaced",
    ),
)
