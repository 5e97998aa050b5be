"""Faults of what the system grants the exporter: open files, and time to run."""

from __future__ import annotations

import os
import resource
import signal
import threading

from tests.faults.fault import Fault, logged
from tests.faults.processes import children
from tests.faults.world import World

_PAUSED_SECONDS = 5.0


def _no_more_open_files(world: World) -> None:
    pid = world.program.process.pid
    world.kept["files"] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # One that is open already stays open.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (10, world.kept["files"][1]))
    world.write_bill("new.csv", usd="0")


def _open_files_again(world: World) -> None:
    resource.prlimit(world.program.process.pid, resource.RLIMIT_NOFILE, world.kept.pop("files"))
    (world.bills / "new.csv").unlink()


def _pause(numbers: list[int]) -> None:
    for number in numbers:
        os.kill(number, signal.SIGSTOP)
    threading.Event().wait(_PAUSED_SECONDS)
    for number in numbers:
        os.kill(number, signal.SIGCONT)


def _front_paused(world: World) -> None:
    _pause([number for number, command in children(world.program.process.pid) if "web.front" in command])


def _shows_figures(world: World) -> bool:
    return world.both_are_right()


ROWS: tuple[Fault, ...] = (
    Fault(
        "no more files may be open",
        _no_more_open_files,
        logged("Too many open files"),
        "`spend_source_up` 0 and the log, which names the limit",
        "all bills: the last good figures stay",
        "by itself, with a higher limit",
        _open_files_again,
        alert="SpendSourceFailing",
    ),
    Fault(
        "the exporter is paused, and goes on",
        lambda world: _pause([world.program.process.pid]),
        _shows_figures,
        "`time() - spend_source_last_success_timestamp_seconds` while it lasts",
        "all bills, also for scrapes meanwhile",
        "by itself",
    ),
    Fault(
        "the process that answers scrapes is paused, and goes on",
        _front_paused,
        _shows_figures,
        "Prometheus misses scrapes; SpendExporterDown if it lasts",
        "all bills afterwards",
        "by itself",
    ),
)
