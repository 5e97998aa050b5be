"""`spend-exporter history --from-log`: the cost that the log of snapshots has at each billing day's end."""

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
from exporter.cli.commands.history_question import HistoryQuestion, print_answer, question_periods
from exporter.cli.commands.history_report import Form, HistoryAnswer
from exporter.config.model import Config
from exporter.config.problems import ConfigError, Problem
from exporter.core.providers import OTHER_BILLS_ZONE
from exporter.history.log import log_files
from exporter.sources.base import billing_zones
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)

GROUPS: Final = ("service", "provider")
"""The groups that a summary has cost by."""

_DAY: Final = timedelta(days=1)
_EARLY: Final = timedelta(hours=2)
"""A day whose last line is this long before its end lacks so much of its cost that a warning is logged."""


@dataclass(frozen=True, slots=True)
class _Summary:
    """The used part of one line."""

    time: datetime
    as_of: datetime
    services: Mapping[str, Mapping[str, Decimal]]
    """Billed and estimated US dollars of today so far, by provider and service."""


@dataclass(slots=True)
class _ProviderDay:
    """The last line about a provider's billing day."""

    first_time: datetime
    last_time: datetime
    services: Mapping[str, Decimal]
    """Billed and estimated US dollars of the day so far."""


_Days = dict[tuple[str, date], _ProviderDay]


def history_from_log(
    config: Config, question: HistoryQuestion, *, form: Form, plot: Path | None, now: datetime
) -> bool:
    """Print the cost known at each day's end and draw it; return whether the log has any.

    `question.group` is one of GROUPS. Raises ConfigError where no log is configured, and OSError.
    """
    section = config.history.jsonl if config.history else None
    if section is None:
        problem = "is not set, so no log is kept; write for example history: {jsonl: {directory: history}}"
        raise ConfigError("configuration", [Problem("history.jsonl", None, problem)])
    zones = billing_zones(configured_sources(config, os.environ))
    shown, before = question_periods(question, {*zones.values(), OTHER_BILLS_ZONE}, now)
    first, end = (before or shown)[0].first, shown[-1].end
    days = _last_lines(section.directory, first, end, zones)
    _warn_of_early_ends(days, zones, now)
    table = cost_periods(
        shown, before, _costs(days, shown, question.group), _costs(days, before, question.group), question.top
    )
    logged: dict[str, tuple[datetime, datetime]] = {}
    for (provider, _), day in days.items():
        begin, last = logged.get(provider, (day.first_time, day.last_time))
        logged[provider] = min(begin, day.first_time), max(last, day.last_time)
    return print_answer(HistoryAnswer(table, question.by, question.group, logged, "log"), form, plot)


def _costs(days: _Days, periods: Sequence[Period], group: str) -> Iterator[tuple[str, int, Decimal]]:
    number_of = {
        period.first + offset * _DAY: number
        for number, period in enumerate(periods)
        for offset in range((period.end - period.first).days)
    }
    for (provider, day), last in days.items():
        if day in number_of:
            for service, usd in last.services.items():
                name = provider if group == "provider" else service or "(no service)"
                yield name, number_of[day], usd


def _last_lines(folder: Path, first: date, end: date, zones: Mapping[str, str]) -> _Days:
    """Return the last line about each billing day in [first, end), by provider."""
    files = list(log_files(folder)) if folder.is_dir() else []
    if not files:
        raise FileNotFoundError(
            f"history.jsonl.directory: {folder.absolute()} has no log files; "
            "`serve` writes them while this key is set"
        )
    days: _Days = {}
    for file_day, path in files:
        # A billing day begins and ends at most a day apart from that of UTC.
        if first - _DAY <= file_day < end + _DAY:
            for summary in _summaries(path):
                _take(summary, first, end, zones, days)
    return days


def _take(summary: _Summary, first: date, end: date, zones: Mapping[str, str], days: _Days) -> None:
    for provider, services in summary.services.items():
        zone = ZoneInfo(zones.get(provider, OTHER_BILLS_ZONE))
        day = summary.time.astimezone(zone).date()
        # Estimates reach to the end of the day after `as_of`; later lines repeat the same figures.
        if not first <= day < end or day > summary.as_of.astimezone(zone).date() + _DAY:
            continue
        known = days.get((provider, day))
        if known is None:
            days[provider, day] = _ProviderDay(summary.time, summary.time, services)
            continue
        known.first_time = min(known.first_time, summary.time)
        if summary.time >= known.last_time:
            known.last_time, known.services = summary.time, services


def _summaries(path: Path) -> Iterator[_Summary]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    summary = _read(json.loads(line, parse_float=Decimal))
                except (ValueError, KeyError, TypeError, AttributeError):
                    # A killed process may leave half a line; the next start removes it.
                    logger.warning("history.jsonl: line %d of %s is incomplete and left out", number, path)
                else:
                    yield summary
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(
            f"history.jsonl: {path} is damaged ({error}): restore it from a copy, or move it away"
        ) from error


def _read(document: dict[str, Any]) -> _Summary:
    services: dict[str, dict[str, Decimal]] = {}
    for each in document["by_service"]:
        services.setdefault(each["provider"], {})[each["service_name"]] = Decimal(each["total_usd"])
    return _Summary(
        datetime.fromisoformat(document["time"]), datetime.fromisoformat(document["as_of"]), services
    )


def _warn_of_early_ends(days: _Days, zones: Mapping[str, str], now: datetime) -> None:
    early = set()
    for (provider, day), last in days.items():
        zone = ZoneInfo(zones.get(provider, OTHER_BILLS_ZONE))
        over = datetime.combine(day + _DAY, time(), zone).astimezone(UTC)
        if over <= now and over - last.last_time >= _EARLY:
            early.add(f"{day} ({provider}, {last.last_time.astimezone(UTC):%H:%M} UTC)")
    if early:
        named = ", ".join(sorted(early)[:3]) + (", …" if len(early) > 3 else "")
        count = "1 day" if len(early) == 1 else f"{len(early)} days"
        logger.warning("the log stops early on %s, so later cost is missing: %s", count, named)
