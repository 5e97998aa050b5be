"""A program in a terminal of its own: what its screen shows, keys, sizes, and how it leaves the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte

import exporter
from tests.support.exposed import DEADLINE_SECONDS

_PROGRAM = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from exporter.cli.main import main
sys.exit(main())
"""
ALTERNATE, USUAL = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_HIDDEN, CURSOR_SHOWN = b"\x1b[?25l", b"\x1b[?25h"


class Terminal:
    """A terminal in which a program runs."""

    def __init__(
        self, process: subprocess.Popen[bytes], master: int, slave: int, size: tuple[int, int]
    ) -> None:
        self.process = process
        self.written = b""
        """All bytes that the program wrote."""
        self._master, self._slave = master, slave
        self.before = termios.tcgetattr(slave)
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)

    def text(self) -> str:
        """The screen as it is now."""
        return "\n".join(self._screen.display)

    def shows(self, condition: Callable[[str], Any], what: str) -> str:
        """Wait until the screen fulfils the condition."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition(self.text()):
            assert time.monotonic() < deadline, f"no {what} on the screen:\n{self.text()}"
            self._read(0.1)
        return self.text()

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._screen.reset()
        set_size(self._master, columns, lines)

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> int:
        """Wait for the end of the program and return its exit code."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it still runs:\n{self.text()}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def is_stopped(self) -> bool:
        """Whether it waits for the shell to let it go on."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def attributes(self) -> Any:
        """The modes of the terminal now, to compare with `before`."""
        return termios.tcgetattr(self._slave)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        found = os.read(self._master, 1 << 16)
        self.written += found
        self._stream.feed(found)
        return True


def set_size(file: int, columns: int, lines: int) -> None:
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextmanager
def terminal(
    *arguments: str, size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run `spend-exporter` in a terminal of this many columns and lines; it is killed at the end."""
    master, slave = pty.openpty()
    set_size(slave, *size)
    known = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    path = {"PYTHONPATH": str(Path(exporter.__file__).parents[1])}
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**known, **path, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})},
        ) as process:
            try:
                yield Terminal(process, master, slave, size)
            finally:
                process.kill()
    finally:
        os.close(master)
        os.close(slave)
