"""The faults (rows of docs/faults.md): how each happens, what still works, how it is told, how it heals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.world import World

Act = Callable[[World], object]
Holds = Callable[[World], bool]


@dataclass(frozen=True)
class Fault:
    """A row of the matrix."""

    name: str
    happens: Act
    told: Holds
    """Whether a person who looks at the metrics or the log can see it."""
    told_by: str
    """The same in words, for the table."""
    works: Holds
    """What must hold while the fault lasts."""
    works_in_words: str
    heals: Act
    healed: Holds
    healed_by: str
    alert: str | None = None
    """The alert that fires if it lasts; None where no person must act."""


def _spoil(folder: str, file: str, content: bytes) -> Act:
    """Replace a file's content, and keep what it was."""

    def happens(world: World) -> None:
        path = world.folder / folder / file
        world.kept[file] = path.read_bytes() if path.exists() else None
        path.write_bytes(content)

    return happens


def _mend(folder: str, file: str) -> Act:
    def heals(world: World) -> None:
        path = world.folder / folder / file
        content = world.kept.pop(file)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)

    return heals


def _all_right(world: World) -> bool:
    return world.google_is_right() and world.aws_is_right()


def _logged(*words: str) -> Holds:
    """Whether the log has had the words since the fault happened."""

    def told(world: World) -> bool:
        return all(word in world.program.log()[world.log_begins :] for word in words)

    return told


def _nothing(_world: World) -> None:
    """It heals by itself."""


def _children(pid: int) -> Iterator[tuple[int, str]]:
    """Processes that a process has started, each with its command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
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
    world.wait(lambda: _estimators(world), "a process that estimates")
    for number in _estimators(world):
        os.kill(number, signal.SIGKILL)


def _second_program(world: World) -> None:
    world.kept["second"] = subprocess.run(
        [sys.executable, "-m", "exporter", "serve", "--config", str(world.config), "--listen", "127.0.0.1:0"],
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _second_was_refused(world: World) -> bool:
    second = world.kept["second"]
    return second.returncode == 1 and "Traceback" not in second.stderr and str(world.ledger) in second.stderr


def _fifty_questions(world: World) -> None:
    def ask(_number: int) -> int:
        return world.program.get("/api/v1/costs?from=2026-01-01&to=now&step=day&by=service,sku,project_id")[0]

    with ThreadPoolExecutor(50) as pool:
        world.kept["answers"] = list(pool.map(ask, range(50)))


def _killed_and_started_again(world: World) -> None:
    world.kept["before"] = (world.billed("gcp"), world.billed("aws"))
    world.program.process.kill()
    world.program.process.wait()
    world.start()


def _wrong_path(world: World) -> None:
    try:
        world.kept["status"] = world.program.get("/../../etc/passwd")[0]
    except urllib.error.URLError:
        world.kept["status"] = 400


ROWS: tuple[Fault, ...] = (
    Fault(
        "a FOCUS file without a column that FOCUS requires",
        _spoil("bills", "new.csv", b"BilledCost,ProviderName\n1,AWS\n"),
        lambda world: world.is_down("focus") and _logged("new.csv")(world),
        "`spend_source_up` 0; the log names file and column",
        _all_right,
        "all bills: the file's last good figures stay",
        _mend("bills", "new.csv"),
        World.is_whole,
        "by itself, when the file is right or gone",
        "SpendSourceFailing",
    ),
    Fault(
        "a page of HTML in place of JSON Lines",
        _spoil("exports", "new.jsonl", b"<html><body>502 Bad Gateway</body></html>\n"),
        _logged("new.jsonl"),
        "`spend_source_errors_total`; the log names the file",
        _all_right,
        "all bills",
        _mend("exports", "new.jsonl"),
        World.is_whole,
        "by itself, when the file is right or gone",
    ),
    Fault(
        "the process that estimates is killed",
        _kill_the_estimator,
        _logged("the bill is still served"),
        "the log; estimates are absent until the next try",
        _all_right,
        "all bills",
        _nothing,
        World.is_whole,
        "by itself: it is started again",
    ),
    Fault(
        "a second exporter is started on the same ledger",
        _second_program,
        _second_was_refused,
        "it ends with exit code 1 and names the ledger",
        _all_right,
        "the first exporter, whole",
        _nothing,
        World.is_whole,
        "nothing to do",
    ),
    Fault(
        "fifty questions at once",
        _fifty_questions,
        lambda world: set(world.kept["answers"]) <= {200, 429} and 200 in world.kept["answers"],
        "those that cannot be answered in time get 429 with `Retry-After`",
        _all_right,
        "scrapes, and the questions that fit",
        _nothing,
        World.is_whole,
        "by itself",
    ),
    Fault(
        "killed (kill -9) and started again",
        _killed_and_started_again,
        lambda world: (world.billed("gcp"), world.billed("aws")) == world.kept["before"],
        "Prometheus misses scrapes; SpendExporterDown if it lasts",
        _all_right,
        "the counters go on from where they were",
        _nothing,
        World.is_whole,
        "by the process manager",
    ),
)
"""In this order they happen to one program, each after the one before has healed."""
