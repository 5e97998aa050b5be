"""The times of a question: relative times, dates and RFC 3339, as billing days or hours of each bill.

A date is a billing day of every provider, in the zone of its bill. `to` is excluded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.analysis.bill.periods import By, periods, periods_before, start_of
from exporter.ledger.charges.windows import Window
from exporter.questions.problem import QuestionError, quoted

Step = Literal["hour", "day", "week", "month", "total"]
Compared = Literal["none", "previous", "week"]
Bound = date | datetime
"""A billing day, or a moment (aware) for all bills."""

_LEAST: Final = timedelta(microseconds=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_RELATIVE: Final = re.compile(r"now(?:-([0-9]{1,4})([hdw]))?", re.ASCII)
_UNITS: Final = {"h": _HOUR, "d": _DAY, "w": _WEEK}
_YEARS: Final = range(2000, 2101)
_CALENDAR: Final[Mapping[str, By]] = {"day": "day", "week": "week", "month": "month"}
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHOWN: Final[Mapping[str, int]] = {"day": 14, "week": 8, "month": 6, "hour": 48, "total": 30 * 24}
"""How many periods (for `total`: hours) are shown without `from`, the present one included."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, for each zone of a bill."""

    first: Bound
    end: Bound
    """Excluded."""
    windows: Mapping[str, Window]
    """By zone."""

    @property
    def whole(self) -> Window:
        """The earliest begin and the latest end."""
        begins, ends = zip(*self.windows.values(), strict=True)
        return min(begins), max(ends)


@dataclass(frozen=True, slots=True)
class Slot:
    """One period of an answer, and the hours or days that it has."""

    start: str
    end: str
    first_number: int
    end_number: int
    """Excluded. Numbers are those of `NumberedBy`."""
    ends: Mapping[str, datetime]
    """When it ends, by zone."""


def span_of(first: str | None, end: str | None, step: Step, now: datetime, zones: Collection[str]) -> Span:
    """Return the span of a question. Raises QuestionError."""
    known = [ZoneInfo(zone) for zone in sorted(zones)] or [ZoneInfo("UTC")]
    end_bound = _bound("to", end or "now", now, lambda moment: _end(moment, step, known))
    if first is not None:
        first_bound = _bound("from", first, now, lambda moment: _begin(moment, step, known))
    else:
        first_bound = _default_first(end_bound, step)
    windows = {zone.key: (_moment(first_bound, zone), _moment(end_bound, zone)) for zone in known}
    if any(begin >= finish for begin, finish in windows.values()):
        raise QuestionError(
            "from",
            f"{bound_text(first_bound)} is not before `to`, {bound_text(end_bound)}, which is excluded",
        )
    return Span(first_bound, end_bound, windows)


def last_weekday(name: str, now: datetime, zones: Collection[str]) -> date:
    """Return the last day of one of WEEKDAYS that is over in every zone."""
    today = min(now.astimezone(ZoneInfo(zone)).date() for zone in zones or ("UTC",))
    back = (today.weekday() - WEEKDAYS.index(name.lower()) - 1) % 7 + 1
    return today - back * _DAY


def span_before(span: Span, compared: Compared) -> Span | None:
    """Return the span to compare with; whole months are compared with as many months."""
    if compared == "none":
        return None
    if isinstance(span.first, datetime) or isinstance(span.end, datetime):
        return _moments_before(span, compared)
    if compared == "week":
        first, end = span.first - _WEEK, span.end - _WEEK
    else:
        first, end = periods_before(span.first, span.end, "month")[0].first, span.first
    windows = {zone: (_moment(first, ZoneInfo(zone)), _moment(end, ZoneInfo(zone))) for zone in span.windows}
    return Span(first, end, windows)


def slots_of(span: Span, step: Step) -> list[Slot]:
    """Return the periods of a span in order, without gaps; the first and the last may be partial."""
    ends = {zone: end for zone, (_, end) in span.windows.items()}
    if step == "total":
        return [Slot(bound_text(span.first), bound_text(span.end), 0, 1, ends)]
    if step == "hour":
        begin, end = span.whole
        first, last = _hour_number(begin), -(-int(end.timestamp()) // 3600)
        return [_hour_slot(number, ends) for number in range(first, last)]
    if isinstance(span.first, datetime) or isinstance(span.end, datetime):
        raise TypeError("steps of days and longer have spans of billing days")
    return [
        Slot(
            str(each.first),
            str(each.end),
            _day_number(each.first),
            _day_number(each.end),
            {zone: _moment(each.end, ZoneInfo(zone)) for zone in span.windows},
        )
        for each in periods(span.first, span.end, _CALENDAR[step])
    ]


def slot_count(span: Span, step: Step) -> int:
    """Return at least as many as `slots_of` has, without making them."""
    begin, end = span.whole
    return {
        "total": 1,
        "hour": (end - begin) // _HOUR + 1,
        "day": (end - begin) // _DAY + 1,
        "week": (end - begin) // _WEEK + 2,
        "month": (end - begin) // timedelta(days=28) + 2,
    }[step]


def bound_text(bound: Bound) -> str:
    """Return a date, or a moment in UTC."""
    return utc_text(bound) if isinstance(bound, datetime) else str(bound)


def utc_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _bound(parameter: str, text: str, now: datetime, rounded: Callable[[datetime], Bound]) -> Bound:
    relative = _RELATIVE.fullmatch(text)
    if relative:
        amount, unit = relative.groups()
        moment = now - int(amount) * _UNITS[unit] if amount else now
        # At midnight, the day of now is the one that begins.
        moment += _LEAST
    else:
        found = _absolute(parameter, text)
        if not isinstance(found, datetime):
            return found
        moment = found
    if moment.year not in _YEARS:
        raise QuestionError(parameter, f"{quoted(text)} is not a time between 2000 and 2100")
    return rounded(moment)


def _absolute(parameter: str, text: str) -> Bound:
    try:
        if len(text) == len("2026-11-01"):
            day = date.fromisoformat(text)
            if day.year in _YEARS:
                return day
        elif "T" in text.upper():
            # A plus that was not encoded arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+"))
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise QuestionError(
        parameter,
        f"{quoted(text)} is no time; write now, now-7d, now-36h, 2026-11-01 or 2026-11-01T08:00:00Z",
    )


def _begin(moment: datetime, step: Step, zones: Collection[ZoneInfo]) -> Bound:
    if step in _CALENDAR:
        return min(moment.astimezone(zone).date() for zone in zones)
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _end(moment: datetime, step: Step, zones: Collection[ZoneInfo]) -> Bound:
    """Return the end of the day or hour that has the last moment before the given one."""
    last = moment - _LEAST
    if step in _CALENDAR:
        return max(last.astimezone(zone).date() for zone in zones) + _DAY
    return last.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + _HOUR


def _default_first(end: Bound, step: Step) -> Bound:
    if step in _CALENDAR:
        last = (end.date() if isinstance(end, datetime) else end) - _DAY
        return start_of(last, _CALENDAR[step], _SHOWN[step])
    if isinstance(end, datetime):
        return end - _SHOWN[step] * _HOUR
    return end - timedelta(days=_SHOWN[step] // 24)


def _moments_before(span: Span, compared: Compared) -> Span:
    lengths = {
        zone: _WEEK if compared == "week" else end - begin for zone, (begin, end) in span.windows.items()
    }
    windows = {
        zone: (begin - lengths[zone], end - lengths[zone]) for zone, (begin, end) in span.windows.items()
    }
    first, end = min(begin for begin, _ in windows.values()), max(end for _, end in windows.values())
    return Span(first, end, windows)


def _hour_slot(number: int, ends: Mapping[str, datetime]) -> Slot:
    begin = datetime.fromtimestamp(number * 3600, UTC)
    end = begin + _HOUR
    return Slot(utc_text(begin), utc_text(end), number, number + 1, dict.fromkeys(ends, end))


def _moment(bound: Bound, zone: ZoneInfo) -> datetime:
    if isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, time(), zone).astimezone(UTC)


def _hour_number(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _day_number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()
