"""How the log is written: as text, logfmt or JSON, each line printable and without secrets of addresses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from exporter.core.printable import shown_line

_BARE: Final = re.compile(r"[A-Za-z0-9_.:/+-]+")
"""A value that no reader of logfmt needs quotes for."""


def set_up_log(level: str, log_format: str) -> None:
    """Write the log to standard error, from this level on, in one of `LOG_FORMATS`."""
    handler = logging.StreamHandler()
    handler.setFormatter(LOG_FORMATS[log_format]())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(capture=True)


class _OneLine(logging.Formatter):
    """Fields of a record, joined to one line by a subclass; a traceback is a field."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": shown_line(record.getMessage()),
        }
        if record.exc_info:
            fields["traceback"] = _shown_lines(self.formatException(record.exc_info))
        return self.line(fields)

    def line(self, fields: Mapping[str, str]) -> str:
        """Return the fields as one line."""
        raise NotImplementedError


class _Json(_OneLine):
    def line(self, fields: Mapping[str, str]) -> str:
        return json.dumps(fields)


class _Logfmt(_OneLine):
    def line(self, fields: Mapping[str, str]) -> str:
        # A quoted value has the escapes of a JSON string, which readers of logfmt take.
        return " ".join(
            f"{key}={value if _BARE.fullmatch(value) else json.dumps(value)}" for key, value in fields.items()
        )


class _Text(logging.Formatter):
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
        return _shown_lines(super().formatException(ei))


def _shown_lines(text: str) -> str:
    return "\n".join(map(shown_line, text.split("\n")))


LOG_FORMATS: Final[Mapping[str, Callable[[], logging.Formatter]]] = {
    "text": _Text,
    "logfmt": _Logfmt,
    "json": _Json,
}
"""The formats by name; `text` is for people."""
