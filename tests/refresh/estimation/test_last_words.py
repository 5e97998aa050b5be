"""The end of a process that ran out of memory is known by its words, whatever part of it failed first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from exporter.refresh.estimation.last_words import last_words, tells_of_memory
from tests.refresh.estimation.test_estimator import NOW, Bill, bill, filled, ledger

__all__ = ["bill", "ledger"]


@pytest.mark.parametrize(
    "text",
    [
        "MemoryError",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "ImportError: libduckdb.so: failed to map segment from shared object",
        "OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 2",
        "SystemError: error return without exception set",
        "SystemError: <built-in function compile> returned NULL without setting an exception",
    ],
)
def test_words_of_each_part_of_a_process_tell_of_memory(text: str) -> None:
    assert tells_of_memory(f"Traceback (most recent call last):\n{text}\n")


@pytest.mark.parametrize("text", ["", "KeyError: 'memory'", "ModuleNotFoundError: No module named 'duckdb'"])
def test_other_ends_do_not(text: str) -> None:
    assert not tells_of_memory(text)


def test_only_the_end_of_a_long_text_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "said"
    path.write_bytes(b"first " + b"x" * 100_000 + b" last\n")
    assert last_words(path).endswith("x last")
    assert len(last_words(path)) < 20_000
    assert last_words(tmp_path / "none") == ""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux alone")
@pytest.mark.parametrize("mebibytes", [24, 48, 72, 88, 92, 120, 160])
def test_wherever_memory_runs_out_the_log_has_one_line_and_no_traceback(
    mebibytes: int, bill: Bill, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, 2 * (int(sys.argv[1]),)); "
    command = (sys.executable, "-S", "-c", started + "os.execv(sys.argv[2], sys.argv[2:])")
    estimator = filled(bill, ledger, tmp_path)
    estimator.command = (*command, str(mebibytes * 2**20), *estimator.command)
    assert not estimator.run("outlooks", NOW)
    assert "ran out of memory" in caplog.text or "could not start" in caplog.text
    assert "Traceback" not in caplog.text
