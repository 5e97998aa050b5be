"""Faults of the program's own processes and of how it is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.faults.fault import Fault, logged
from tests.faults.world import World


def _children(pid: int) -> Iterator[tuple[int, str]]:
    """Processes that a process has started, each with its command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError):
            continue  # it has just ended
        if parent == pid:
            yield int(entry.name), command


def _estimators(world: World) -> list[int]:
    return [number for number, command in _children(world.program.process.pid) if "estimation" in command]


def _kill_the_estimator(world: World) -> None:
    # New charges have it estimate once more.
    world.write_bill("new.csv", usd="0")
    world.wait(lambda: _estimators(world), "a process that estimates")
    for number in _estimators(world):
        os.kill(number, signal.SIGKILL)


def _second_program(world: World) -> None:
    world.kept["second"] = subprocess.run(
        [sys.executable, "-m", "exporter", "serve", "--config", str(world.config), "--listen", "127.0.0.1:0"],
        cwd=world.folder,
        env=world.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _second_was_refused(world: World) -> bool:
    second = world.kept["second"]
    return second.returncode == 1 and "Traceback" not in second.stderr and world.ledger.name in second.stderr


def _killed_and_started_again(world: World) -> None:
    world.kept["before"] = (world.billed("gcp"), world.billed("aws"))
    world.program.process.kill()
    world.program.process.wait()
    world.start()


def _kill_the_front(world: World) -> None:
    for number, command in _children(world.program.process.pid):
        if "web.front" in command:
            os.kill(number, signal.SIGKILL)


def _wrong_configuration(world: World) -> None:
    world.kept["config"] = world.config.read_text()
    world.config.write_text('{"listne": "127.0.0.1:1"}')


def _right_configuration(world: World) -> None:
    world.config.write_text(world.kept.pop("config"))


ROWS: tuple[Fault, ...] = (
    Fault(
        "the process that estimates is killed",
        _kill_the_estimator,
        logged("the bill is still served"),
        "the log; estimates are absent until the next try",
        "all bills",
        "by itself: it is started again",
        lambda world: (world.bills / "new.csv").unlink(),
    ),
    Fault(
        "a second exporter is started on the same ledger",
        _second_program,
        _second_was_refused,
        "it ends with exit code 1 and names the ledger",
        "the first exporter, whole",
        "nothing to do",
    ),
    Fault(
        "a wrong configuration is written while running",
        _wrong_configuration,
        lambda world: world.value("spend_config_last_reload_successful") == 0,
        "`spend_config_last_reload_successful` 0; the log names key and line",
        "everything, by the configuration of before",
        "by itself, when the file is right",
        _right_configuration,
        healed=lambda world: (
            world.value("spend_config_last_reload_successful") == 1 and World.is_whole(world)
        ),
        alert="SpendConfigNotTakenOver",
    ),
    Fault(
        "killed (kill -9) and started again",
        _killed_and_started_again,
        lambda world: (world.billed("gcp"), world.billed("aws")) == world.kept["before"],
        "Prometheus misses scrapes; SpendExporterDown if it lasts",
        "the counters go on from where they were",
        "by the process manager",
    ),
    Fault(
        "the process that answers scrapes is killed",
        _kill_the_front,
        lambda world: world.program.process.poll() == 1 and "has ended" in world.log_since(),
        "the exporter ends with exit code 1; SpendExporterDown if it lasts",
        "nothing until the next start",
        "by the process manager",
        World.start,
        works=lambda _world: True,
    ),
)
