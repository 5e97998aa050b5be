"""The process that estimates: reads one job from standard input, writes the result next to the extract, ends.

It gives way to every other process, and ends at once when the process that started it does.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from exporter.core.disk_space import is_disk_full
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.extract import open_extract
from exporter.ledger.usage.llm import LlmView, billed_providers
from exporter.ledger.usage.queries import UsageView
from exporter.metrics.collect import OTHER_BILLS_ZONE
from exporter.metrics.families import FamilySamples
from exporter.metrics.outcomes import Outcomes
from exporter.metrics.outlooks.daily_nowcast import daily_outlooks
from exporter.metrics.outlooks.nowcast import Nowcasting, Outlook, grade
from exporter.refresh.estimation.job import Estimates, EstimationJob
from exporter.sources.registry import HOURLY_BILLS

_NICENESS: Final = 10

_DUCKDB_MEMORY: Final = "96MB"

OUT_OF_MEMORY: Final = 3
"""Exit code of a process that reached its memory limit."""

DISK_FULL_CODE: Final = 4
"""Exit code of a process that had no room for its result."""

FOLDER_GONE: Final = 5
"""Exit code of a process whose extract somebody has removed."""

_Computed = TypeVar("_Computed")


def main() -> int:
    """Compute the job on standard input; 0: the result is written."""
    with suppress(OSError):
        os.nice(_NICENESS)
    length = int.from_bytes(sys.stdin.buffer.read(8), "big")
    job: EstimationJob = pickle.loads(sys.stdin.buffer.read(length))  # noqa: S301 - from the parent process
    _limit_memory(job.memory_bytes)
    _end_with_parent()
    try:
        _write(compute(job), job.result)
    except _HopelessError as error:
        return error.code
    except (OSError, duckdb.Error) as error:
        if is_disk_full(error):
            return DISK_FULL_CODE
        if not job.folder.exists():
            return FOLDER_GONE
        raise
    return 0


def _write(estimates: Estimates, path: Path) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(estimates))
    partial.replace(path)


def compute(job: EstimationJob) -> Estimates:
    """Compute what the job asks for; memory that runs out ends it."""
    with open_extract(job.folder, _DUCKDB_MEMORY) as connection:
        view = LedgerView(connection, job.sources)
        found = dict.fromkeys(billed_providers(view), OTHER_BILLS_ZONE)
        zones = found | dict(job.timezones)
        hourly = {provider: zone for provider, zone in zones.items() if provider in HOURLY_BILLS}
        usage = UsageView(connection) if job.reads_live_usage else None
        outcomes = Outcomes()

        def figure(name: str, work: Callable[[], Sequence[_Computed]]) -> tuple[_Computed, ...]:
            nothing: Sequence[_Computed] = ()
            return tuple(outcomes.compute(name, _unless_hopeless(work, job.folder), nothing))

        nowcasting: Nowcasting = pickle.loads(job.carried) if job.carried else Nowcasting()  # noqa: S301

        def judged_and_graded() -> list[FamilySamples]:
            nowcasting.judge(view, usage, job.now, hourly)
            return grade(view, usage, job.now, hourly)

        if job.task == "grades":
            graded = figure("nowcast_grades", judged_and_graded)
            return Estimates(
                grades=_plain(graded), outcomes=outcomes.latest, carried=pickle.dumps(nowcasting)
            )
        outlooks: tuple[Outlook, ...] = (
            *figure("nowcast", lambda: nowcasting.outlooks(view, usage, job.now, hourly, judging=False)),
            *figure(
                "daily_nowcast",
                lambda: daily_outlooks(view, LlmView(connection, job.sources), job.now, zones),
            ),
        )
        return Estimates(outlooks=outlooks, outcomes=outcomes.latest, carried=pickle.dumps(nowcasting))


def _plain(families: Sequence[FamilySamples]) -> tuple[FamilySamples, ...]:
    """Families whose samples are lists, which can be sent to another process."""
    return tuple(FamilySamples(each.family, list(each.samples)) for each in families)


class _HopelessError(BaseException):
    """Not an Exception: a figure that fails is reported, and this ends the process with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _unless_hopeless(work: Callable[[], _Computed], folder: Path) -> Callable[[], _Computed]:
    def checked() -> _Computed:
        try:
            return work()
        except MemoryError as error:
            raise _HopelessError(OUT_OF_MEMORY) from error
        except duckdb.Error as error:
            if not folder.exists():
                raise _HopelessError(FOLDER_GONE) from error
            raise

    return checked


def _limit_memory(memory_bytes: int) -> None:
    """Limit what the process allocates, where the system can: Linux counts private memory as data."""
    if not memory_bytes:
        return
    try:
        import resource  # noqa: PLC0415 (not on every system)
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _end_with_parent() -> None:
    """End when the parent closes its end of the pipe, as it does when it is killed."""

    def wait() -> None:
        # Not sys.stdin: its lock would be held when the interpreter ends.
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
