"""Kinds of arguments on the command line; an error names a good value."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from exporter.config.types import host_and_port


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT."""
    try:
        return host_and_port(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address; write for example 127.0.0.1:9877"
        ) from None


def count(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0; write for example 21")
    return int(text)


def day(text: str) -> date:
    """Read a day of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write for example 2026-11-20") from None


def last_days(text: str) -> int:
    """Read how many days to show: `30d`, `8w`."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})([dw])", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days or weeks; write for example 30d")
    return int(match[1]) * {"d": 1, "w": 7}[match[2]]


def retention(text: str) -> timedelta:
    """Read how long blocks are kept, as Prometheus writes it: `15d`, `8w`, `2y`."""
    days_of = {"d": 1, "w": 7, "y": 365}
    match = re.fullmatch(r"([1-9][0-9]{0,3})([dwy])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a retention time; write for example 400d")
    return timedelta(days=int(match[1]) * days_of[match[2]])


def plot_file(text: str) -> Path:
    """Read where a picture goes. Fails at once where none can be drawn, before any work is done."""
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError(
            "drawing needs matplotlib, which is not installed: pip install 'spend-exporter[plot]'"
        )
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be written: it must be a file, and the folder must exist"
        )
    return path


def hour(text: str) -> object:
    """Read the time of `--as-of`."""
    try:
        return whole_hour(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole_hour(text: str) -> datetime:
    """Read the time of `--as-of`: RFC 3339, UTC where it names no zone. Raises ValueError with the reason."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write for example 2026-11-20T18:00:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.minute or moment.second or moment.microsecond:
        raise ValueError(
            f"{text!r} is not a whole hour, and the ledger only records the hour in which a charge arrived; "
            f"write for example {moment.replace(minute=0, second=0, microsecond=0):%Y-%m-%dT%H:%M:%SZ}"
        )
    return moment
