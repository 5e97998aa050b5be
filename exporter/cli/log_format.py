"""How the log is written: each message one printable line, without secrets of the addresses in it."""

from __future__ import annotations

import logging
from types import TracebackType

from exporter.core.printable import shown_line


class PlainFormatter(logging.Formatter):
    """What others wrote (names, answers, paths) reaches the log through messages and exceptions."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return shown_line(super().formatMessage(record))

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the lines of a traceback."""
        return "\n".join(map(shown_line, super().formatException(ei).split("\n")))
