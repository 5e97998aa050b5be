"""Installs Prism, once, and starts it: a server that answers as an OpenAPI document says."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.support.npm_packages import installed_packages
from tests.support.ports import free_port

PINNED = Path(__file__).with_name("prism")
START_SECONDS = 300.0


def ensure_prism() -> Path:
    """Return Prism's program, installing what is pinned unless it is there; skip where there is no npm."""
    return installed_packages(PINNED, "prism") / "node_modules" / ".bin" / "prism"


@contextlib.contextmanager
def running_prism(document: Path, log: Path, *, dynamic: bool = False) -> Iterator[str]:
    """Serve the document on a free loopback port, yield the address, stop that very process."""
    port = free_port()
    command = [str(ensure_prism()), "mock", str(document), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command + (["--dynamic"] if dynamic else []),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_COLOR": "1"},
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except urllib.error.HTTPError as error:
            # It has no such page, so it is there.
            error.close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
    raise RuntimeError(f"Prism did not start; its log ends:\n{log.read_text(errors='replace')[-3000:]}")
