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
from exporter.core.providers import OTHER_BILLS_ZONE
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.extract import open_extract
from exporter.ledger.usage.llm import LlmView, billed_providers
from exporter.ledger.usage.queries import UsageView
from exporter.metrics.families import FamilySamples
from exporter.metrics.outcomes import Outcomes
from exporter.metrics.outlooks.daily_nowcast import daily_outlooks
from exporter.metrics.outlooks.nowcast import Nowcasting, grade
from exporter.metrics.outlooks.outlook import Outlook
from exporter.refresh.estimation.job import (
    DISK_FULL_CODE,
    FOLDER_GONE,
    OUT_OF_MEMORY,
    Estimates,
    EstimationJob,
)
from exporter.refresh.estimation.last_words import tells_of_memory

_NICENESS: Final = 10

_DUCKDB_MEMORY: Final = "96MB"

_Computed = TypeVar("_Computed")


def main() -> int:
    """Compute the job on standard input; 0: the result is written."""
    with suppress(OSError):
        os.nice(_NICENESS)
    length = int.from_bytes(sys.stdin.buffer.read(8), "big")
    job: EstimationJob = pickle.loads(sys.stdin.buffer.read(length))  # noqa: S301 - from the parent process
    limit(memory_bytes=job.memory_bytes, cpu_seconds=job.cpu_seconds)
    _end_with_parent()
    try:
        job.begun.touch()
        _write(compute(job), job.result)
    except _HopelessError as error:
        return error.code
    except (MemoryError, duckdb.OutOfMemoryException):
        return OUT_OF_MEMORY
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
        hourly = {
            provider: zone for provider, zone in zones.items() if provider in job.ownership.hourly_bills
        }
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
                lambda: daily_outlooks(view, LlmView(connection, job.sources), job.now, zones, job.ownership),
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
        except (MemoryError, duckdb.OutOfMemoryException) as error:
            raise _HopelessError(OUT_OF_MEMORY) from error
        except Exception as error:
            # Python and the loader of libraries have other errors as well where they got no memory.
            if tells_of_memory(str(error)):
                raise _HopelessError(OUT_OF_MEMORY) from error
            if isinstance(error, duckdb.Error) and not folder.exists():
                raise _HopelessError(FOLDER_GONE) from error
            raise

    return checked


def limit(*, memory_bytes: int = 0, cpu_seconds: int = 0) -> None:
    """Limit what this process allocates and computes, where the system can; 0 is no limit.

    Linux counts private memory as data. SIGXCPU ends a process that has used its time of a processor.
    A lower limit that the process was started with stays.
    """
    try:
        import resource  # noqa: PLC0415 (not on every system)
    except ImportError:
        return

    def lowered(kind: int, wanted: int) -> tuple[int, int]:
        """Return what is allowed at most of what is wanted, and the limit that nothing may pass."""
        _, most = resource.getrlimit(kind)
        return (wanted if most == resource.RLIM_INFINITY else min(wanted, most)), most

    if memory_bytes:
        allowed, _ = lowered(resource.RLIMIT_DATA, memory_bytes)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    if cpu_seconds:
        resource.setrlimit(resource.RLIMIT_CPU, lowered(resource.RLIMIT_CPU, cpu_seconds))


def _end_with_parent() -> None:
    """End when the parent closes its end of the pipe, as it does when it is killed."""

    def wait() -> None:
        # Not sys.stdin: its lock would be held when the interpreter ends.
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
