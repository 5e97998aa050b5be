"""Each line of the log is one line in every format, with nothing lost."""

from __future__ import annotations

import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.log_formats import LOG_FORMATS
from exporter.core.printable import shown_line

FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "=]*)(?: |$)')
"""A field as readers of logfmt split a line."""


def unquoted(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


def record(message: str, *, error: Exception | None = None) -> logging.LogRecord:
    trouble = (type(error), error, None) if error else None
    made = logging.LogRecord("exporter.refresh", logging.WARNING, "x.py", 1, "%s", (message,), trouble)
    made.created = 1_795_600_800.25
    return made


@given(st.text())
def test_json_gives_back_every_message_as_it_may_be_shown(message: str) -> None:
    line = LOG_FORMATS["json"]().format(record(message))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-25T10:00:00.250+00:00",
        "level": "warning",
        "logger": "exporter.refresh",
        "msg": shown_line(message),
    }


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_logfmt_gives_back_every_printable_message(message: str) -> None:
    line = LOG_FORMATS["logfmt"]().format(record(message))
    fields = dict(FIELD.findall(line))
    assert unquoted(fields["msg"]) == shown_line(message)
    assert fields["level"] == "warning"


@given(st.text())
def test_logfmt_is_one_line_of_printable_ascii(message: str) -> None:
    line = LOG_FORMATS["logfmt"]().format(record(message))
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("name", ["json", "logfmt"])
def test_a_traceback_is_a_field_of_the_line(name: str) -> None:
    line = LOG_FORMATS[name]().format(record("failed", error=ValueError("no such day")))
    assert "\n" not in line
    assert "no such day" in line
    assert "traceback" in line


def test_text_is_for_people() -> None:
    assert LOG_FORMATS["text"]().format(record("all is sent")).endswith("WARNING all is sent")


@pytest.mark.parametrize("name", [*LOG_FORMATS])
def test_no_format_shows_a_secret_of_an_address_or_an_escape(name: str) -> None:
    error = OSError("proxy http://user:hunter2@proxy:3128 \x1b[31m")
    line = LOG_FORMATS[name]().format(record("https://hooks.slack.com/services/T0/B0/XyZ", error=error))
    assert "hunter2" not in line
    assert "XyZ" not in line
    assert "\x1b" not in line
