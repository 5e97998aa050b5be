"""Estimates from a process of their own: right, limited in memory and time, and harmless when it dies."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.refresh.estimation.estimator import Estimator
from exporter.refresh.estimation.job import OUT_OF_MEMORY
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Batch, Change, RefreshContext
from exporter.sources.spool import write_spool_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import charge
from tests.support.exposed import ESTIMATION_SECONDS, Samples, by, samples, until

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Bill(TestedSource):
    """Two dollars an hour for 20 days, each known three hours later."""

    gate: threading.Event
    name: str = "files"
    provider: str = "gcp"
    billing_timezone: str = "America/Los_Angeles"

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        hours = [NOW - at * HOUR for at in range(4, 480)]
        rows = [charge("2", charge_period_start=hour, export_hour=hour + 3 * HOUR) for hour in hours]
        yield Batch("bill", "cursor", write_spool_csv(context.spool / "bill.csv", rows), len(rows))
        self.gate.wait(60)


@pytest.fixture
def bill() -> Bill:
    gate = threading.Event()
    gate.set()
    return Bill(gate)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def refresher(bill: Bill, ledger: Ledger, folder: Path, **more: object) -> Refresher:
    return Refresher(
        [bill],
        ledger,
        folder,
        interval=timedelta(minutes=15),
        keep=timedelta(days=400),
        max_series=1000,
        clock=lambda: NOW,
        **more,  # type: ignore[arg-type]
    )


def filled(bill: Bill, ledger: Ledger, folder: Path, *command: str, **limits: object) -> Estimator:
    """An estimator of a ledger that has the bill."""
    assert refresher(bill, ledger, folder).refresh(bill)
    more = {"command": command} if command else {}
    return Estimator(ledger, [bill], folder, **more, **limits)  # type: ignore[arg-type]


def success(estimator: Estimator) -> dict[str, bool]:
    return {name: outcome.success for name, outcome in estimator.outcomes.items()}


def estimated(text: bytes) -> Samples:
    shown = samples(text)
    names = ("spend_nowcast_today_usd", "spend_forecast_month_end_usd", "spend_burn_rate_usd_per_hour")
    return {name: shown[name] for name in names}


@pytest.mark.slow
def test_it_returns_what_an_estimate_in_the_same_process_returns(
    bill: Bill, ledger: Ledger, tmp_path: Path
) -> None:
    estimator = filled(bill, ledger, tmp_path)
    assert estimator.run("grades", NOW)
    assert estimator.run("outlooks", NOW)
    # Whoever took that in would load it.
    assert b"numpy" not in pickle.dumps((estimator.outlooks, estimator.grades))
    here = refresher(bill, ledger, tmp_path)
    here.rebuild()
    expected = estimated(here.snapshot.text)
    here.rebuild(estimated=estimator.outlooks)
    assert expected["spend_nowcast_today_usd"]
    assert estimated(here.snapshot.text) == expected


@pytest.mark.slow
def test_before_past_forecasts_are_judged_the_day_is_estimated_and_the_month_is_not(
    bill: Bill, ledger: Ledger, tmp_path: Path
) -> None:
    estimator = filled(bill, ledger, tmp_path)
    assert estimator.run("outlooks", NOW)
    assert [outlook.month for outlook in estimator.outlooks] == [None]
    here = refresher(bill, ledger, tmp_path)
    here.rebuild(estimated=estimator.outlooks)
    shown = estimated(here.snapshot.text)
    assert shown["spend_nowcast_today_usd"]
    assert not shown["spend_forecast_month_end_usd"]


@pytest.mark.slow
def test_a_second_estimate_goes_on_from_the_first(bill: Bill, ledger: Ledger, tmp_path: Path) -> None:
    estimator = filled(bill, ledger, tmp_path)
    assert estimator.run("outlooks", NOW)
    first = estimator.outlooks
    assert estimator.run("outlooks", NOW + HOUR)
    assert [each.nowcast.as_of for each in estimator.outlooks] == [each.nowcast.as_of + 1 for each in first]


@pytest.mark.slow
def test_grades_come_from_a_process_as_well(bill: Bill, ledger: Ledger, tmp_path: Path) -> None:
    estimator = filled(bill, ledger, tmp_path)
    assert estimator.run("grades", NOW)
    assert success(estimator) == {"nowcast_grades": True}
    names = {each.family.name for each in estimator.grades if list(each.samples)}
    assert "spend_nowcast_error_ratio" in names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "text"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "ended with signal 9, which the system also sends where memory has run out",
        ),
        ("raise SystemExit(7)", "ended with exit code 7"),
        (f"raise SystemExit({OUT_OF_MEMORY})", "ran out of memory: its own limit is 768 MiB"),
        ("raise MemoryError", "ran out of memory"),
        ('raise RuntimeError("can\'t start new thread")', "ran out of memory"),
        ("raise ImportError('libx.so: failed to map segment from shared object')", "ran out of memory"),
        (
            "raise SystemExit('OpenBLAS error: Memory allocation still failed, giving up.')",
            "ran out of memory",
        ),
        ("raise SystemExit('Buffer::expand(): out of memory (unrecoverable error)!')", "ran out of memory"),
        ("raise SystemExit('something else')", "outlooks could not start: something else"),
        (
            "from exporter.refresh.estimation import process\n"
            "def failing(_): raise SystemExit('something else')\n"
            "process.compute = failing\n"
            "process.main()",
            "the process that estimates outlooks: something else",
        ),
        ("pass", "FileNotFoundError"),
    ],
)
def test_its_death_is_reported_and_what_was_known_stays(
    bill: Bill,
    ledger: Ledger,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    program: str,
    text: str,
) -> None:
    estimator = filled(bill, ledger, tmp_path)
    assert estimator.run("outlooks", NOW)
    before = estimator.outlooks
    estimator.command = (sys.executable, "-c", program)
    assert not estimator.run("outlooks", NOW)
    assert text in caplog.text
    assert "Traceback" not in caplog.text + capfd.readouterr().err
    assert before
    assert estimator.outlooks == before
    assert success(estimator) == {"nowcast": False, "daily_nowcast": False}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_folder_that_is_removed_meanwhile_is_one_line_in_the_log(
    bill: Bill,
    ledger: Ledger,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "estimation-outlooks"
    removing = f"""
import shutil, sys
from exporter.refresh.estimation import process
shutil.rmtree({str(folder)!r})
sys.exit(process.main())
"""
    estimator = filled(bill, ledger, tmp_path, sys.executable, "-c", removing)
    assert not estimator.run("outlooks", NOW)
    assert f"{folder} was removed meanwhile" in caplog.text
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_one_that_cannot_start_is_one_line_in_the_log(
    bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = filled(bill, ledger, tmp_path, sys.executable, "-c", "import no_such_module")
    assert not estimator.run("outlooks", NOW)
    assert "outlooks could not start: ModuleNotFoundError: No module named 'no_such_module'" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("error", ["SystemError('error return without exception set')", "MemoryError()"])
def test_a_figure_for_which_python_got_no_memory_ran_out_of_memory(
    error: str, bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing = f"""
import sys
from exporter.refresh.estimation import process

def failing(*_):
    raise {error}

process.daily_outlooks = failing
sys.exit(process.main())
"""
    estimator = filled(bill, ledger, tmp_path, sys.executable, "-c", failing)
    assert not estimator.run("outlooks", NOW)
    assert "outlooks ran out of memory" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux alone")
def test_a_lower_limit_that_the_program_was_started_with_stays(
    bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limited = """
import resource, sys
from exporter.refresh.estimation import process
resource.setrlimit(resource.RLIMIT_DATA, (600 * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
sys.exit(process.main())
"""
    estimator = filled(bill, ledger, tmp_path, sys.executable, "-c", limited)
    assert estimator.run("outlooks", NOW), caplog.text


@pytest.mark.slow
def test_one_that_takes_too_long_is_ended(
    bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = (sys.executable, "-c", "import signal; signal.pause()")
    estimator = filled(bill, ledger, tmp_path, *hanging, time_limit=timedelta(seconds=0.2))
    assert not estimator.run("outlooks", NOW)
    assert "took longer than" in caplog.text


@pytest.mark.slow
def test_one_that_uses_too_much_of_a_processor_is_ended_however_long_it_takes(
    bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endless = """
from exporter.refresh.estimation.process import limit
limit(cpu_seconds=1)
while True:
    pass
"""
    estimator = filled(bill, ledger, tmp_path, sys.executable, "-c", endless, cpu_limit=timedelta(seconds=1))
    assert not estimator.run("outlooks", NOW)
    assert "minutes of CPU time and was ended" in caplog.text
    assert 0 < estimator.worked_seconds < 30


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux alone")
def test_one_that_needs_too_much_memory_ends_and_is_reported(
    bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = filled(bill, ledger, tmp_path, memory_bytes=24 * 2**20)
    assert not estimator.run("outlooks", NOW)
    assert success(estimator).get("nowcast") is False
    assert caplog.text


@pytest.mark.slow
def test_it_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import pickle, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c',\n"
        "  'from exporter.refresh.estimation import process; import signal, sys;'\n"
        "  'process._end_with_parent(); print(\"up\", flush=True); signal.pause()'],\n"
        "  stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "up\n"
    parent.kill()
    parent.wait()
    until(lambda: not _runs(child), "the end of the estimating process")
    parent.stdout.close()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_the_bill_is_served_while_an_estimate_hangs_and_its_end_leaves_no_process(
    bill: Bill, ledger: Ledger, tmp_path: Path
) -> None:
    hanging = (sys.executable, "-c", "import signal; signal.pause()")
    running = refresher(
        bill, ledger, tmp_path, estimator=Estimator(ledger, [bill], tmp_path, command=hanging)
    )
    running.start()
    try:
        until(lambda: running.snapshot.has_bill, "the bill")
        until(lambda: any(tmp_path.glob("estimation-*")), "an estimation under way")
        shown = samples(running.snapshot.text)
        assert by(shown["spend_month_to_date_usd"])
        assert not shown["spend_forecast_month_end_usd"]
    finally:
        assert running.stop(30)


@pytest.mark.slow
def test_nothing_is_estimated_before_every_bill_has_been_read_to_its_end(
    bill: Bill, ledger: Ledger, tmp_path: Path
) -> None:
    bill.gate.clear()
    running = refresher(bill, ledger, tmp_path)
    running.start()
    try:
        until(lambda: ledger.latest_export() is not None, "the first rows")
        running.rebuild(estimated=())
        assert not samples(running.snapshot.text)["spend_forecast_month_end_usd"]
        bill.gate.set()
        until(lambda: bool(running.snapshot.outlooks), "estimates once all is read", ESTIMATION_SECONDS)
    finally:
        bill.gate.set()
        assert running.stop(30)


@pytest.mark.slow
def test_an_estimate_that_failed_is_a_failed_figure_of_the_snapshot(
    bill: Bill, ledger: Ledger, tmp_path: Path
) -> None:
    dying = (sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})")
    running = refresher(bill, ledger, tmp_path, estimator=Estimator(ledger, [bill], tmp_path, command=dying))
    running.start()
    try:
        until(lambda: "nowcast" in running.snapshot.failed_figures, "the failed figure", ESTIMATION_SECONDS)
        assert by(samples(running.snapshot.text)["spend_month_to_date_usd"])
    finally:
        assert running.stop(30)


@pytest.mark.slow
def test_grades_that_fail_are_tried_again_soon_and_the_month_has_its_forecast(
    bill: Bill, ledger: Ledger, tmp_path: Path
) -> None:
    failing_once = f"""
import pathlib, signal, sys
from exporter.refresh.estimation import process

def compute(job, first=pathlib.Path({str(tmp_path / "tried")!r})):
    if job.task == "grades" and not first.exists():
        first.touch()
        signal.raise_signal(signal.SIGKILL)
    return real(job)

real, process.compute = process.compute, compute
sys.exit(process.main())
"""
    spool = tmp_path / "spool"
    spool.mkdir()
    command = (sys.executable, "-c", failing_once)
    running = refresher(bill, ledger, spool, estimator=Estimator(ledger, [bill], spool, command=command))
    running.start()
    try:
        until(
            lambda: "nowcast_grades" in running.snapshot.failed_figures,
            "grades that failed",
            ESTIMATION_SECONDS,
        )
        until(
            lambda: "nowcast_grades" not in running.snapshot.failed_figures,
            "the next try",
            ESTIMATION_SECONDS,
        )
        forecast = "spend_forecast_month_end_usd"
        until(
            lambda: samples(running.snapshot.text)[forecast], "the forecast of the month", ESTIMATION_SECONDS
        )
    finally:
        assert running.stop(30)
