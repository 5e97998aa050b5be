"""The log obeys nobody: one printable line for each message, and no secret of an address."""

from __future__ import annotations

import io
import logging

import pytest

from exporter.cli.log_formats import LOG_FORMATS


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(written: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(written)
    handler.setFormatter(LOG_FORMATS["text"]())
    made = logging.Logger("test")
    made.addHandler(handler)
    return made


def test_a_message_is_one_line_whatever_it_quotes(log: logging.Logger, written: io.StringIO) -> None:
    log.error("SKU %s", "\x1b[2J\x9b31mCore\r\n2026-11-10 ERROR forged\u202e")
    [line] = written.getvalue().splitlines()
    assert line.endswith("ERROR SKU ?[2J?31mCore? 2026-11-10 ERROR forged?")


def test_a_traceback_keeps_its_lines_and_loses_what_they_must_not_say(
    log: logging.Logger, written: io.StringIO
) -> None:
    def refuse() -> None:
        raise OSError("proxy http://user:hunter2@proxy:3128 \x1b[31m")

    def send() -> None:
        try:
            refuse()
        except OSError as error:
            raise ValueError("https://hooks.slack.com/services/T0/B0/XyZ") from error

    try:
        send()
    except ValueError:
        log.exception("failed")
    text = written.getvalue()
    assert len(text.splitlines()) > 8
    assert "hunter2" not in text
    assert "XyZ" not in text
    assert "\x1b" not in text
    assert "http://***@proxy:3128" in text
