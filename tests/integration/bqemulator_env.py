"""Makes, once, the virtual environment in which bqemulator runs, and starts the emulator from it.

It has an environment of its own because it needs an older DuckDB than the product does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.support.environments import cache_folder, environment
from tests.support.ports import free_port

PACKAGES = (
    "bqemulator==1.4.0",
    "duckdb==1.5.5",
    "duckdb-extension-spatial==1.5.5",
    "duckdb-extensions",
    "numpy",
)
LAUNCHER = Path(__file__).with_name("bqemulator_launch.py")
START_SECONDS = 300.0


@contextlib.contextmanager
def running_emulator(log: Path) -> Iterator[str]:
    """Start the emulator on a free loopback port, yield its address, stop that very process."""
    python = environment("bqemulator-1.4.0", *PACKAGES)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        # The DuckDB extension is unpacked below HOME.
        process = subprocess.Popen(
            [python, LAUNCHER, str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(cache_folder())},
        )
    try:
        _wait_until_it_answers(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/bigquery/v2/projects", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            # Not a condition to wait on in-process: another process has to get ready.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
    raise RuntimeError(f"bqemulator did not start; its log ends:\n{log.read_text(errors='replace')[-3000:]}")
