"""Faults of the program's own processes and of how it is started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.faults.fault import Act, Fault, config_refused, config_taken_over, logged
from tests.faults.world import World

_ESTIMATED = ("nowcast", "nowcast_grades")
"""Figures that come from a process of their own."""

_LITTLE_MEMORY_BYTES = 64 * 2**20
"""Less than the process has when it has begun, so that it gets no more."""


def children(pid: int) -> Iterator[tuple[int, str]]:
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
    return [number for number, command in children(world.program.process.pid) if "estimation" in command]


def _kill_the_estimator(world: World) -> None:
    # New charges have it estimate once more.
    world.write_bill("new.csv", usd="0")
    world.wait(lambda: _estimators(world), "a process that estimates")
    for number in _estimators(world):
        os.kill(number, signal.SIGKILL)


def _estimation_without_memory(world: World) -> None:
    limited: list[int] = []

    def failed() -> bool:
        running = _estimators(world)
        for number in running:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(number, resource.RLIMIT_AS, (_LITTLE_MEMORY_BYTES, _LITTLE_MEMORY_BYTES))
        if limited and not running and not _not_estimated(world):
            # It needed no more memory before its end: charges that are written anew have it estimate again.
            world.write_bill("new.csv", usd="0")
        limited[:] = running
        return logged("ran out of memory")(world)

    world.write_bill("new.csv", usd="0")
    world.wait(failed, "an estimation that runs out of memory")


def _not_estimated(world: World) -> bool:
    return any(world.value("spend_figure_success", figure=figure) == 0 for figure in _ESTIMATED)


def _estimated_again(world: World) -> bool:
    return not _not_estimated(world) and world.is_whole()


def _second_program(world: World) -> None:
    world.kept["second"] = world.refused_program()


def _second_was_refused(world: World) -> bool:
    second = world.kept["second"]
    return second.returncode == 1 and "Traceback" not in second.stderr and world.ledger.name in second.stderr


def _killed_and_started_again(world: World) -> None:
    world.kept["before"] = (world.billed("gcp"), world.billed("aws"))
    world.program.process.kill()
    world.program.process.wait()
    world.start()


def _kill_the_front(world: World) -> None:
    for number, command in children(world.program.process.pid):
        if "web.front" in command:
            os.kill(number, signal.SIGKILL)


def _wrong_configuration(world: World) -> None:
    world.kept["config"] = world.config.read_text()
    world.config.write_text('{"listne": "127.0.0.1:1"}')


def _empty_configuration(world: World) -> None:
    world.kept["config"] = world.config.read_text()
    world.config.write_text("")


def _no_configuration(world: World) -> None:
    world.kept["config"] = world.config.read_text()
    world.config.unlink()


def _wrong_users(world: World) -> None:
    (world.folder / "web.yml").write_text("basic_auth_users: {ann: not-a-hash}")


def _right_users(world: World) -> None:
    (world.folder / "web.yml").write_text("{}")


def _stopped_in_the_first_read(world: World) -> None:
    world.stop()
    for path in world.ledger.parent.glob(f"{world.ledger.name}*"):
        path.unlink()
    world.write_many("more.csv")
    world.start(whole=False)
    world.program.address()
    world.kept["exit"] = world.program.end()


def _started_again(world: World) -> None:
    (world.bills / "more.csv").unlink()
    world.start()


def _a_month_ahead(world: World) -> None:
    world.set_clock(31)


def _estimation_ends(name: str, happens: Act, *words: str) -> Fault:
    return Fault(
        name,
        happens,
        lambda world: _not_estimated(world) and logged(*words)(world),
        "`spend_figure_success` 0 and the log; the last estimates stay, at most until their day ends",
        "all bills",
        "by itself: it is started again after 15 seconds, later if that fails as well",
        lambda world: (world.bills / "new.csv").unlink(),
        healed=_estimated_again,
        alert="SpendFigureFailed",
    )


ROWS: tuple[Fault, ...] = (
    _estimation_ends(
        "the process that estimates is killed", _kill_the_estimator, "signal 9", "the bill is still served"
    ),
    _estimation_ends(
        "the process that estimates runs out of memory", _estimation_without_memory, "ran out of memory"
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
        config_refused,
        "`spend_config_last_reload_successful` 0; the log names key and line",
        "everything, by the configuration of before",
        "by itself, when the file is right",
        World.restore_config,
        healed=config_taken_over,
        alert="SpendConfigNotTakenOver",
    ),
    Fault(
        "the configuration file is emptied while running",
        _empty_configuration,
        config_refused,
        "`spend_config_last_reload_successful` 0; the log names the file",
        "everything, by the configuration of before",
        "by itself, when the file is right",
        World.restore_config,
        healed=config_taken_over,
        alert="SpendConfigNotTakenOver",
    ),
    Fault(
        "the configuration file is removed while running",
        _no_configuration,
        config_refused,
        "`spend_config_last_reload_successful` 0; the log names the file",
        "everything, by the configuration of before",
        "by itself, when the file is back",
        World.restore_config,
        healed=config_taken_over,
        alert="SpendConfigNotTakenOver",
    ),
    Fault(
        "the file of the web server's users is wrong",
        _wrong_users,
        config_refused,
        "`spend_config_last_reload_successful` 0; the log names user and line, not the value",
        "everything, by the users of before",
        "by itself, when the file is right",
        _right_users,
        healed=config_taken_over,
        alert="SpendConfigNotTakenOver",
    ),
    Fault(
        "the clock is a month ahead, and is set back",
        _a_month_ahead,
        lambda world: world.value("spend_month_to_date_usd", provider="gcp") is None,
        "days and months of another time; nothing is lost or counted twice",
        "all bills, and the counters",
        "by itself, with the clock",
        lambda world: world.set_clock(0),
    ),
    Fault(
        "stopped (SIGTERM) in the middle of the first read",
        _stopped_in_the_first_read,
        lambda world: world.kept["exit"] == 0,
        "it ends with exit code 0 in some seconds",
        "nothing until the next start, which goes on from there",
        "by the process manager",
        _started_again,
        works=lambda _world: True,
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
