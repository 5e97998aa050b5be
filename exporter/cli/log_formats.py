"""How a line of the log is written: as text for people, or as logfmt or JSON for a log store."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

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
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
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


def _text() -> logging.Formatter:
    return logging.Formatter("%(asctime)s %(levelname)s %(message)s")


LOG_FORMATS: Final[Mapping[str, Callable[[], logging.Formatter]]] = {
    "text": _text,
    "logfmt": _Logfmt,
    "json": _Json,
}
"""The formats by name; `text` is for people."""
