"""Runs estimations in a process of their own, one at a time, and keeps what the last one returned.

The process has a memory limit, a time limit and low priority. Its death is reported and costs nothing else.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from exporter.analysis.bill.billing_calendar import hours_at
from exporter.core.disk_space import is_disk_full
from exporter.ledger.charges.store import Ledger
from exporter.ledger.extract import write_extract
from exporter.ledger.opening import LedgerError
from exporter.metrics.families import FamilySamples
from exporter.metrics.outcomes import Outcome
from exporter.metrics.outlooks.outlook import Outlook
from exporter.refresh.estimation.job import (
    DISK_FULL_CODE,
    EXTRACT_SPAN,
    FOLDER_GONE,
    OUT_OF_MEMORY,
    Estimates,
    EstimationJob,
    Task,
)
from exporter.refresh.estimation.last_words import last_words, tells_of_memory
from exporter.sources.base import Source, billing_zones
from exporter.sources.registry import OWNERSHIP

logger = logging.getLogger(__name__)

MEMORY_BYTES: Final = 768 * 2**20
"""Twice what 10,000 lines of a bill need. It stops a defect, not a large bill."""

CPU_LIMIT: Final = timedelta(minutes=5)
"""Of a processor's time: thirty times what 10,000 lines of a bill need. It stops a defect."""

TIME_LIMIT: Final = timedelta(minutes=30)
"""The process has low priority: on a busy machine it may get a tenth of a processor, and needs longer."""

_FIGURES: Final[Mapping[Task, tuple[str, ...]]] = {
    "outlooks": ("nowcast", "daily_nowcast"),
    "grades": ("nowcast_grades",),
}

_USED_ITS_TIME: Final = -int(getattr(signal, "SIGXCPU", 24))
"""Return code of a process that has used its time of a processor; Windows has no such signal."""

_COMMAND: Final = (sys.executable, "-m", "exporter.refresh.estimation.process")


@dataclass(slots=True)
class Estimator:
    """Estimates from a ledger. One thread runs it; any thread may read `outlooks` and `grades`."""

    ledger: Ledger
    sources: Sequence[Source]
    spool: Path
    """An existing folder of this process's own, for the extract."""
    memory_bytes: int = MEMORY_BYTES
    cpu_limit: timedelta = CPU_LIMIT
    time_limit: timedelta = TIME_LIMIT
    command: Sequence[str] = _COMMAND
    """What is started for each estimation."""
    outlooks: tuple[Outlook, ...] = field(default=(), init=False)
    """The last that could be estimated."""
    grades: tuple[FamilySamples, ...] = field(default=(), init=False)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict, init=False)
    """How each figure ended the last time; nothing of those never tried."""
    worked_seconds: float = field(default=0.0, init=False)
    """Time of a processor that all estimations together have used."""
    disk_full: bool = field(default=False, init=False)
    """Whether the last estimation failed because there was no room for the extract."""
    _carried: bytes = field(default=b"", init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def run(self, task: Task, now: datetime, names: Sequence[str] | None = None) -> bool:
        """Estimate from the ledger as it is; return whether it succeeded. What was known before stays.

        `names` are the sources that count; all by default.
        """
        started = time.monotonic()
        try:
            estimates = self._estimates(task, now, names)
            self.disk_full = False
        except _FailedError as error:
            self.disk_full = error.__cause__ is not None and is_disk_full(error.__cause__)
            if self._stopped.is_set():
                return False
            seconds = time.monotonic() - started
            logger.error("%s; the bill is still served, and it is tried again", error)  # noqa: TRY400
            failed = {name: Outcome(False, seconds) for name in _FIGURES[task]}
            self.outcomes = {**self.outcomes, **failed}
            return False
        self.outcomes = {**self.outcomes, **estimates.outcomes}
        self._carried = estimates.carried
        if task == "grades":
            self.grades = estimates.grades
        else:
            self.outlooks = estimates.outlooks
        return all(outcome.success for outcome in estimates.outcomes.values())

    def holding(self, now: datetime) -> list[Outlook]:
        """Return the last estimates of billing days that have not ended."""
        hours = hours_at(now)
        return [each for each in self.outlooks if each.nowcast.begin <= hours < each.nowcast.end]

    def stop(self) -> None:
        """End an estimation under way; none begins any more."""
        self._stopped.set()
        process = self._process
        if process is not None:
            process.kill()

    def _estimates(self, task: Task, now: datetime, names: Sequence[str] | None) -> Estimates:
        folder = self.spool / f"estimation-{task}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            write_extract(self.ledger, folder, now - EXTRACT_SPAN)
            job = EstimationJob(
                task,
                folder,
                now,
                tuple(source.name for source in self.sources if names is None or source.name in names),
                billing_zones(self.sources),
                any(source.reads_live_usage for source in self.sources),
                OWNERSHIP,
                self._carried,
                self.memory_bytes,
                math.ceil(self.cpu_limit.total_seconds()),
            )
            self._wait_for(task, job)
            estimates: Estimates = pickle.loads(job.result.read_bytes())  # noqa: S301 - from our own process
        except LedgerError as error:
            raise _FailedError(f"the estimation of {task} failed: {error}") from error
        except (OSError, duckdb.Error, pickle.PickleError, EOFError) as error:
            what = f"no room in {folder}" if is_disk_full(error) else type(error).__name__
            raise _FailedError(f"the estimation of {task} failed: {what}: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return estimates

    def _wait_for(self, task: Task, job: EstimationJob) -> None:
        content = pickle.dumps(job)
        before = _used_by_ended_children()
        said = job.folder / "said"
        with said.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
            )
        self._process = process
        try:
            if self._stopped.is_set():
                raise _FailedError("the exporter is stopping")
            assert process.stdin is not None
            process.stdin.write(len(content).to_bytes(8, "big") + content)
            process.stdin.flush()
            code = process.wait(self.time_limit.total_seconds())
        except subprocess.TimeoutExpired:
            minutes = self.time_limit / timedelta(minutes=1)
            text = f"the estimation of {task} took longer than {minutes:g} minutes and was ended"
            raise _FailedError(text) from None
        except BrokenPipeError:
            code = process.wait(self.time_limit.total_seconds())
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                _close(process)
            self._process = None
            self.worked_seconds += _used_by_ended_children() - before
        self._judge(task, job, code, last_words(said))

    def _judge(self, task: Task, job: EstimationJob, code: int, said: str) -> None:
        """Raise _FailedError where the process has no result; pass on what it said otherwise."""
        if code == OUT_OF_MEMORY or tells_of_memory(said):
            raise _FailedError(
                f"the estimation of {task} ran out of memory: its own limit is {self.memory_bytes // 2**20} "
                "MiB, that of the machine or container may be lower; raise that one"
            )
        if code == _USED_ITS_TIME:
            minutes = self.cpu_limit / timedelta(minutes=1)
            raise _FailedError(f"the estimation of {task} used {minutes:g} minutes of CPU time and was ended")
        if code == DISK_FULL_CODE:
            raise _FailedError(f"the estimation of {task} failed: no room in {job.folder}") from OSError(
                errno.ENOSPC, "no room for the result"
            )
        if code == FOLDER_GONE:
            raise _FailedError(f"the estimation of {task} failed: {job.folder} was removed meanwhile")
        if code != 0 and said and not job.begun.exists():
            # Its imports failed, where the traceback is of no use: the machine is at fault.
            raise _FailedError(f"the process that estimates {task} could not start: {said.splitlines()[-1]}")
        if said:
            logger.error("the process that estimates %s: %s", task, said)
        if code != 0:
            raise _FailedError(f"the process that estimates {task} ended with {_ending(code)}")


class _FailedError(Exception):
    """An estimation failed; the text has the reason."""


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return f"signal {-code}, which the system also sends where memory has run out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _used_by_ended_children() -> float:
    """Return seconds of a processor; no other child of this process ends again and again."""
    times = os.times()
    return times.children_user + times.children_system


def _close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        # It ended before it had read everything; its exit code has the reason.
        logger.debug("the process that estimates ended early")


def _environment() -> dict[str, str]:
    """One thread for each library: it is to give way, not to be quick."""
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **single}
