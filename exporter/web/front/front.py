"""The exporter's side of its front: starts the process, hands it what to show, takes connections from it.

A scrape never waits for what the exporter does: building, rendering, questions have other interpreters' time.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from exporter.metrics.exposition.exposition import Exposition
from exporter.web.front.channel import Channel, ClosedError, LostFileError
from exporter.web.front.settings import FrontSettings
from exporter.web.front.shared_exposition import shared
from exporter.web.limits import SeldomLog

AVAILABLE: Final = sys.platform == "linux"
"""It needs memory that two processes share by a descriptor, and messages with descriptors."""

_COMMAND: Final = (sys.executable, "-m", "exporter.web.front.process")
_GRACE_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Peer:
    """The client at the other end of a connection that was passed on."""

    remote: str
    names: frozenset[str]
    """The names in its verified certificate."""


class Front:
    """A process that answers scrapes. Start it, hand it an exposition and a tail; stop it at the end."""

    def __init__(self, settings: FrontSettings, command: Sequence[str] = _COMMAND) -> None:
        self._settings = settings
        self._command = command
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._shown: Exposition | None = None
        self._seldom = SeldomLog(log.error, time.monotonic)

    def start(self, listening: socket.socket) -> None:
        """Start the process, which gets its own copy of the socket. Raises OSError."""
        self._channel, theirs = Channel.pair()
        with theirs:
            ends = (theirs.fileno(), listening.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*self._command, *map(str, ends)], stdin=subprocess.DEVNULL, pass_fds=ends
            )
        self._send("settings", self._settings.plain())

    @property
    def process_id(self) -> int | None:
        """Its process, once it was started."""
        return self._process.pid if self._process is not None else None

    def fileno(self) -> int:
        """Return the descriptor at which messages arrive."""
        return self._running.fileno()

    def show(self, exposition: Exposition, tail: Mapping[str, Any]) -> None:
        """Show these bytes, and behind them the tail, from the next scrape on. Raises OSError."""
        if exposition is not self._shown:
            parts = shared(exposition)
            self._send("exposition", [part.size for part in parts], [part.file for part in parts])
            self._shown = exposition
        self._send("tail", tail)

    def take_messages(
        self, connected: Callable[[socket.socket, Peer], None], counted: Callable[[Mapping[str, int]], None]
    ) -> bool:
        """Take what the process has sent; return whether it still runs."""
        try:
            while (message := self._received()) is not None:
                kind, values, files = message
                if kind == "connection":
                    counted(values["scrapes"])
                    peer = Peer(values["remote"], frozenset(values["names"]))
                    connected(socket.socket(fileno=files[0]), peer)
                elif kind == "log":
                    log.log(values[0], "%s", values[1])
        except ClosedError:
            return False
        return True

    def _received(self) -> tuple[str, Any, list[int]] | None:
        while True:
            try:
                return self._running.receive()
            except LostFileError as error:
                self._seldom("a request is not answered: %s", error.strerror)

    def stop(self, timeout_seconds: float) -> None:
        """Have it accept no more and finish running answers, for at most so long."""
        self._send("stop", timeout_seconds)

    def end(self, timeout_seconds: float) -> int | None:
        """Wait so long for its end, else kill it; return its exit code, if it was started."""
        if self._process is None:
            return None
        try:
            self._process.wait(timeout_seconds + _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("the process that answers scrapes did not end in time and is killed")
            self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Close the channel, once its end is known and nothing waits for messages any more."""
        self._running.close()

    @property
    def _running(self) -> Channel:
        if self._channel is None:
            raise RuntimeError("the front has not been started")
        return self._channel

    def _send(self, kind: str, values: Any, files: Sequence[int] = ()) -> None:
        # Its end is noticed where its messages are taken.
        with suppress(ClosedError):
            self._running.send(kind, values, files)
