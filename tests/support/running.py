"""The real program as a process of its own, and what it answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import exporter
from tests.support.exposed import DEADLINE_SECONDS, Labels, Samples, samples, until

_PROGRAM = """
import faulthandler, signal, sys
faulthandler.register(signal.SIGUSR1)
from exporter.cli.main import main
sys.exit(main())
"""
_ADDRESS = re.compile(r"^metrics  (http\S+)/metrics$", re.MULTILINE)


class Running:
    """A command that runs; its standard error goes to a file."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, trusted: ssl.SSLContext | None = None
    ) -> None:
        """`trusted` has the authority of its certificate, where it answers encrypted."""
        self.process = process
        self._log = log
        self._trusted = trusted

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def address(self) -> str:
        """Base address, as last printed on standard error; waits for it."""
        until(lambda: _ADDRESS.search(self.log()) or self.process.poll() is not None, "an address")
        found = _ADDRESS.findall(self.log())
        assert found, f"ended with {self.process.poll()}: {self.log()}"
        return str(found[-1])

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body."""
        asked = urllib.request.Request(self.address() + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(asked, timeout=DEADLINE_SECONDS, context=self._trusted) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def scrape(self, *names: str) -> Samples:
        """What it shows; with names, of these metrics alone, which is much less work."""
        status, text = self.get("/metrics")
        assert status == 200
        return samples(text, *names)

    def values(self, name: str) -> dict[Labels, float]:
        """What it shows of one metric."""
        return self.scrape(name)[name]

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = DEADLINE_SECONDS) -> int:
        """Send a signal and return the exit code; where there is none in time, report what it is doing."""
        self.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: "most recent call first" in self.log(), "the stacks of its threads")
        raise AssertionError(f"still runs {seconds} s after {number.name}: {self.log()}")


@contextlib.contextmanager
def running(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    program: str = _PROGRAM,
    launcher: Sequence[str] = (),
    trusted: ssl.SSLContext | None = None,
) -> Iterator[Running]:
    """Run `spend-exporter` with the arguments; it is killed at the end if it still runs.

    `launcher` is the command line of a program that becomes it.
    """
    log = folder / "stderr.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [*launcher, sys.executable, "-c", program, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(exporter.__file__).parents[1]), **(env or {})},
        ) as process,
    ):
        try:
            yield Running(process, log, trusted)
        finally:
            process.kill()


def serving(config: Path, *options: str, **more: Any) -> contextlib.AbstractContextManager[Running]:
    """Run `serve` on a free port. Its log and working directory are those of the configuration."""
    return running(
        config.parent, "serve", "--config", str(config), "--listen", "127.0.0.1:0", *options, **more
    )


def write_config(folder: Path, files: str, *, interval_seconds: float = 0.4, **keys: Any) -> Path:
    """Write a configuration over export files, with the ledger beside it, that refreshes often."""
    gcp = {"billing_export": {"files": [files]}, "update_interval_minutes": interval_seconds / 60}
    path = folder / "config.yml"
    path.write_text(json.dumps({"ledger": str(folder / "spend.duckdb"), "gcp": gcp, **keys}))
    return path
