"""`spend-exporter history --from-log`: what the log of snapshots told at the end of each billing day."""

from __future__ import annotations

import gzip
import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from exporter.analysis.bill.periods import Period, cost_periods
from exporter.cli.commands.history_question import Asked, asked_periods, tell
from exporter.cli.commands.history_report import Form, Told
from exporter.config.model import Config
from exporter.config.problems import ConfigError, Problem
from exporter.history.log import log_files
from exporter.metrics.collect import OTHER_BILLS_ZONE
from exporter.sources.base import billing_zones
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)

GROUPS: Final = ("service", "provider")
"""What a summary tells cost by."""

_DAY: Final = timedelta(days=1)
_EARLY: Final = timedelta(hours=2)
"""A day whose last line is this long before its end lacks so much of its cost that it is said."""


@dataclass(frozen=True, slots=True)
class _Summary:
    """What matters of one line."""

    time: datetime
    as_of: datetime
    services: Mapping[str, Mapping[str, Decimal]]
    """Billed and estimated US dollars of today so far, by provider and service."""


@dataclass(slots=True)
class _ProviderDay:
    """The last line that tells of a provider's billing day."""

    first_told: datetime
    last_told: datetime
    services: Mapping[str, Decimal]
    """Billed and estimated US dollars of the day so far."""


_Days = dict[tuple[str, date], _ProviderDay]


def history_from_log(config: Config, asked: Asked, *, form: Form, plot: Path | None, now: datetime) -> bool:
    """Print what was told at each day's end and draw it; return whether there is anything.

    `asked.group` is one of GROUPS. Raises ConfigError where no log is configured, and OSError.
    """
    section = config.history.jsonl if config.history else None
    if section is None:
        problem = "is not set, so no log is kept; write for example history: {jsonl: {directory: history}}"
        raise ConfigError("configuration", [Problem("history.jsonl", None, problem)])
    zones = billing_zones(configured_sources(config, os.environ))
    shown, before = asked_periods(asked, {*zones.values(), OTHER_BILLS_ZONE}, now)
    first, end = (before or shown)[0].first, shown[-1].end
    days = _last_lines(section.directory, first, end, zones)
    _tell_what_ends_early(days, zones, now)
    table = cost_periods(
        shown, before, _costs(days, shown, asked.group), _costs(days, before, asked.group), asked.top
    )
    logged: dict[str, tuple[datetime, datetime]] = {}
    for (provider, _), day in days.items():
        begin, last = logged.get(provider, (day.first_told, day.last_told))
        logged[provider] = min(begin, day.first_told), max(last, day.last_told)
    return tell(Told(table, asked.by, asked.group, logged, "log"), form, plot)


def _costs(days: _Days, asked: Sequence[Period], group: str) -> Iterator[tuple[str, int, Decimal]]:
    number_of = {
        period.first + offset * _DAY: number
        for number, period in enumerate(asked)
        for offset in range((period.end - period.first).days)
    }
    for (provider, day), told in days.items():
        if day in number_of:
            for service, usd in told.services.items():
                name = provider if group == "provider" else service or "(no service)"
                yield name, number_of[day], usd


def _last_lines(folder: Path, first: date, end: date, zones: Mapping[str, str]) -> _Days:
    """Return the last that was told of each billing day in [first, end), by provider."""
    files = list(log_files(folder)) if folder.is_dir() else []
    if not files:
        raise FileNotFoundError(
            f"history.jsonl.directory: {folder.absolute()} has no file of the log; "
            "`serve` with this key set writes them"
        )
    days: _Days = {}
    for file_day, path in files:
        # A billing day begins and ends at most a day apart from that of UTC.
        if first - _DAY <= file_day < end + _DAY:
            for told in _summaries(path):
                _take(told, first, end, zones, days)
    return days


def _take(told: _Summary, first: date, end: date, zones: Mapping[str, str], days: _Days) -> None:
    for provider, services in told.services.items():
        zone = ZoneInfo(zones.get(provider, OTHER_BILLS_ZONE))
        day = told.time.astimezone(zone).date()
        # Estimates reach to the end of the day after `as_of`; later lines repeat what was told then.
        if not first <= day < end or day > told.as_of.astimezone(zone).date() + _DAY:
            continue
        known = days.get((provider, day))
        if known is None:
            days[provider, day] = _ProviderDay(told.time, told.time, services)
            continue
        known.first_told = min(known.first_told, told.time)
        if told.time >= known.last_told:
            known.last_told, known.services = told.time, services


def _summaries(path: Path) -> Iterator[_Summary]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    summary = _read(json.loads(line, parse_float=Decimal))
                except (ValueError, KeyError, TypeError, AttributeError):
                    # A line half-written by a killed process, until the next start cuts it.
                    logger.warning("history.jsonl: line %d of %s is not whole and left out", number, path)
                else:
                    yield summary
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(
            f"history.jsonl: {path} is damaged ({error}): bring it back from a copy, or move it away"
        ) from error


def _read(told: dict[str, Any]) -> _Summary:
    services: dict[str, dict[str, Decimal]] = {}
    for each in told["by_service"]:
        services.setdefault(each["provider"], {})[each["service_name"]] = Decimal(each["total_usd"])
    return _Summary(datetime.fromisoformat(told["time"]), datetime.fromisoformat(told["as_of"]), services)


def _tell_what_ends_early(days: _Days, zones: Mapping[str, str], now: datetime) -> None:
    early = set()
    for (provider, day), told in days.items():
        zone = ZoneInfo(zones.get(provider, OTHER_BILLS_ZONE))
        over = datetime.combine(day + _DAY, time(), zone).astimezone(UTC)
        if over <= now and over - told.last_told >= _EARLY:
            early.add(f"{day} ({provider}, {told.last_told.astimezone(UTC):%H:%M} UTC)")
    if early:
        named = ", ".join(sorted(early)[:3]) + (", …" if len(early) > 3 else "")
        count = "1 day" if len(early) == 1 else f"{len(early)} days"
        logger.warning("the log stops early on %s and lacks what was told later: %s", count, named)
