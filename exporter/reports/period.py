"""The period of a report: a month, a week from Monday or a day, in billing days."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.questions.problem import QuestionError, quoted

Kind = Literal["day", "week", "month"]

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_YEAR: Final = timedelta(days=364)
"""So that the days of the week are the same."""

_FORMS: Final[dict[Kind, tuple[str, str]]] = {
    "day": (r"\d{4}-\d{2}-\d{2}", "day; write it as 2026-10-12"),
    "week": (r"\d{4}-W\d{2}", "week; write it as 2026-W43"),
    "month": (r"\d{4}-\d{2}", "month; write it as 2026-10"),
}
_YEARS: Final = range(2000, 2101)


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """Billing days from `first` to before `end`."""

    kind: Kind
    first: date
    end: date

    @property
    def name(self) -> str:
        """Its name in arguments, and for whoever must tell periods apart: 2026-10, 2026-W43, 2026-10-12."""
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02}"
        return str(self.first)

    @property
    def title(self) -> str:
        """Its name for people."""
        return title_of(self.first, self.end)

    @property
    def before(self) -> ReportPeriod:
        """The period just before."""
        return _period_of(self.kind, self.first - _DAY)

    def a_year_earlier(self, end: date) -> tuple[date, date]:
        """Return the days from `first` to before `end`, a year earlier."""
        if self.kind == "month":
            if end == self.end:
                return _same_month(self.first), _same_month(self.end)
            begin = _same_month(self.first)
            return begin, min(begin + (end - self.first), _same_month(self.end))
        return self.first - _YEAR, end - _YEAR


def read_period(kind: Kind, text: str) -> ReportPeriod:
    """Return the period of a name. Raises QuestionError."""
    form, expected = _FORMS[kind]
    if re.fullmatch(form, text, re.ASCII):
        try:
            day = date.fromisoformat({"day": text, "week": f"{text}-1", "month": f"{text}-01"}[kind])
        except ValueError:
            pass
        else:
            if day.year in _YEARS:
                return _period_of(kind, day)
    raise QuestionError(kind, f"{quoted(text)} is no {expected}")


def last_whole(kind: Kind, now: datetime, zones: Collection[str]) -> ReportPeriod:
    """Return the last period that is over in every zone."""
    return _period_of(kind, min(_today(now, zones))).before


def days_begun(now: datetime, zones: Collection[str]) -> date:
    """Return the end (excluded) of the days that have begun in any zone."""
    return max(_today(now, zones)) + _DAY


def is_over(period: ReportPeriod, now: datetime, zones: Collection[str]) -> bool:
    """Whether the period has ended in every zone."""
    return period.end <= min(_today(now, zones))


def title_of(first: date, end: date) -> str:
    """Return days as people write them: October 2026, or 12 to 18 October 2026."""
    last = end - _DAY
    if first.day == end.day == 1 and last.month == first.month and last.year == first.year:
        return f"{first:%B %Y}"
    if first == last:
        return f"{first:%A} {first.day} {first:%B %Y}"
    begin = str(first.day)
    if (first.year, first.month) != (last.year, last.month):
        begin += f" {first:%B}"
    if first.year != last.year:
        begin += f" {first.year}"
    return f"{begin} to {last.day} {last:%B %Y}"


def _period_of(kind: Kind, day: date) -> ReportPeriod:
    if kind == "day":
        return ReportPeriod(kind, day, day + _DAY)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return ReportPeriod(kind, monday, monday + _WEEK)
    first = day.replace(day=1)
    return ReportPeriod(kind, first, (first + timedelta(days=32)).replace(day=1))


def _same_month(day: date) -> date:
    return day.replace(year=day.year - 1)


def _today(now: datetime, zones: Collection[str]) -> list[date]:
    return [now.astimezone(ZoneInfo(zone)).date() for zone in zones or ["UTC"]]
