"""Faults of the disk and of the ledger on it."""

from __future__ import annotations

import resource
import shutil

import duckdb

from tests.faults.fault import Act, Fault
from tests.faults.world import World

_LARGEST_FILE_BYTES = 100_000
"""What scrapes show is smaller, what the ledger has to write is larger."""


def _damages(damage: Act) -> Act:
    """Remember when the ledger was last damaged, and damage it."""

    def happens(world: World) -> None:
        world.kept["damaged_at"] = world.value("spend_ledger_damaged_timestamp_seconds")
        damage(world)

    return happens


def _replaced(world: World) -> bool:
    at = world.value("spend_ledger_damaged_timestamp_seconds")
    return at is not None and at != world.kept["damaged_at"]


def _filled(world: World) -> bool:
    return world.value("spend_figure_success", figure="bill") == 1 and world.is_whole()


def _full(world: World) -> None:
    # A file that may not grow fails as one on a full disk does.
    world.kept["limit"] = resource.prlimit(world.program.process.pid, resource.RLIMIT_FSIZE)
    hard = world.kept["limit"][1]
    resource.prlimit(world.program.process.pid, resource.RLIMIT_FSIZE, (_LARGEST_FILE_BYTES, hard))
    world.write_many("more.csv")


def _room_again(world: World) -> None:
    resource.prlimit(world.program.process.pid, resource.RLIMIT_FSIZE, world.kept.pop("limit"))
    (world.bills / "more.csv").unlink()


def _set_version(world: World, version: str) -> str:
    with duckdb.connect(str(world.ledger)) as connection:
        (before,) = connection.execute("SELECT value FROM setting WHERE name = 'schema_version'").fetchall()
        connection.execute("UPDATE setting SET value = ? WHERE name = 'schema_version'", [version])
    return str(before[0])


def _of_a_newer_version(world: World) -> None:
    world.stop()
    world.kept["version"] = _set_version(world, "999")
    world.kept["refused"] = world.refused_program()


def _of_this_version(world: World) -> None:
    _set_version(world, world.kept.pop("version"))
    world.start()


def _refused(world: World) -> bool:
    ended = world.kept["refused"]
    return ended.returncode == 1 and "newer version" in ended.stderr and "Traceback" not in ended.stderr


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
        _damages(lambda world: world.ledger.unlink()),
        _replaced,
        _TOLD,
        _STAYS,
        _HEALS,
        healed=_filled,
        alert="SpendLedgerReplaced",
    ),
    Fault(
        "the ledger is overwritten while running",
        _damages(lambda world: world.ledger.write_text("not a ledger any more")),
        _replaced,
        _TOLD,
        _STAYS,
        _HEALS,
        healed=_filled,
        alert="SpendLedgerReplaced",
    ),
    Fault(
        "the folder of the ledger is removed while running",
        _damages(lambda world: shutil.rmtree(world.ledger.parent)),
        _replaced,
        _TOLD,
        _STAYS,
        _HEALS,
        healed=_filled,
        alert="SpendLedgerReplaced",
    ),
    Fault(
        "the ledger is of a newer version",
        _of_a_newer_version,
        _refused,
        "the exporter ends with exit code 1 and says what to do",
        "nothing, and the ledger stays as it is",
        "with the newer version, or another ledger",
        _of_this_version,
        works=lambda _world: True,
    ),
)
