"""Takes over a changed configuration while `serve` runs (SIGHUP, or the file changes), or refuses it whole.

What is valid is taken over by starting the program again in the same process, with the same listening socket:
scrapes that come meanwhile wait in it, and nothing of the old configuration can be left behind.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn

from exporter.config.model import Config, load
from exporter.config.problems import ConfigError, Problem
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples
from exporter.web.certificate_watch import CertificateWatch
from exporter.web.web_config import WebConfig, load_web_config
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)

LISTENING_VARIABLE: Final = "SPEND_EXPORTER_LISTENING_SOCKET"
"""Has the descriptor of the socket when the program starts itself again."""


class ConfigWatch:
    """The configuration file of a running `serve`. `look` is for one thread; signals may call `ask`."""

    def __init__(
        self,
        path: Path,
        config: Config,
        environment: Mapping[str, str],
        clock: Callable[[], datetime],
    ) -> None:
        """`config` is the one that runs. Raises ConfigError for its web configuration file."""
        self._path = path
        self._config = config
        self._environment = environment
        self._asked = False
        self._running = self._taken = self._seen = self._content()
        self._successful = True
        self.taken_over = False
        self._taken_at = clock()
        web = load_web_config(config.web_config_file) if config.web_config_file else WebConfig()
        self._certificates = CertificateWatch(web.tls) if web.tls is not None else None

    def ask(self) -> None:
        """Have the next look take the file over, whether it has changed or not."""
        self._asked = True

    def look(self, changed: Callable[[], None]) -> bool:
        """Return whether there is another valid configuration to start again with.

        One that is not valid is logged, and `changed` is called, since the metrics have changed. A file that
        has just changed is looked at once more before it is read: it may be half written.
        """
        self._look_at_certificates(changed)
        content = self._content()
        settled, self._seen = content == self._seen, content
        if not settled or not (self._asked or content != self._taken):
            return False
        returned = content == self._running and not self._asked
        self._asked, self._taken = False, content
        if returned:
            # It was wrong, or could not be read, for a while.
            logger.info("%s is again the one that runs", self._path)
            self._successful = True
            changed()
            return False
        try:
            self._check(load(self._path))
        except ConfigError as error:
            logger.error("the configuration of before stays: %s", error)  # noqa: TRY400 (the text is complete)
            self._successful = False
            changed()
            return False
        logger.info("%s is taken over: starting again with it", self._path)
        self.taken_over = True
        return True

    def _look_at_certificates(self, changed: Callable[[], None]) -> None:
        """Log certificates that cannot be used. Those that can need nothing: the server takes them itself."""
        watch = self._certificates
        if watch is None or not watch.look():
            return
        if watch.problem:
            logger.error("the certificates of before stay: %s", watch.problem)
        else:
            logger.info("the certificates can be used again")
        changed()

    @property
    def _runs_what_is_on_disk(self) -> bool:
        return self._successful and not (self._certificates is not None and self._certificates.problem)

    def families(self) -> list[FamilySamples]:
        """Return the metrics of taking over configurations."""
        return [
            FamilySamples(
                metrics.SPEND_CONFIG_LAST_RELOAD_SUCCESSFUL, [((), float(self._runs_what_is_on_disk))]
            ),
            FamilySamples(
                metrics.SPEND_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS, [((), self._taken_at.timestamp())]
            ),
        ]

    def _check(self, config: Config) -> None:
        """Raise ConfigError for everything that would keep the program from starting with it."""
        if config.web_config_file:
            load_web_config(config.web_config_file)
        configured_sources(config, self._environment)
        for key in ("listen", "ledger"):
            if getattr(config, key) != getattr(self._config, key):
                problem = Problem(key, None, "cannot be changed while the exporter runs: restart it for that")
                raise ConfigError(f"configuration {self._path}", [problem])

    def _content(self) -> tuple[bytes, ...]:
        """What the files that are read at the start have in them, as digests."""
        files = [self._path, *([self._config.web_config_file] if self._config.web_config_file else [])]
        return tuple(_digest(path) for path in files)


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        # Not there for a moment, while it is replaced; or for good, which loading it reports.
        return b""


def inherited_socket(environment: Mapping[str, str]) -> socket.socket | None:
    """Return the listening socket that the program has handed to itself; None after an ordinary start."""
    number = environment.get(LISTENING_VARIABLE, "")
    if not number.isdigit():
        return None
    listening = socket.socket(fileno=int(number))
    # Processes that the program starts have no business with it.
    listening.set_inheritable(False)
    return listening


def start_again(listening: socket.socket) -> NoReturn:
    """Replace the program by itself, with the same arguments and this socket. Nothing after it is run."""
    listening.set_inheritable(True)
    os.environ[LISTENING_VARIABLE] = str(listening.fileno())
    # A further SIGHUP must not end the program before it listens to signals again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.shutdown()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - its own command line
