"""Expressions over series of billing days, so that a board shows weeks on the first day of an exporter.

`series` is the selector of some of them, such as spend_daily_usd{provider="gcp"}.

A day's cost is stamped at noon UTC of its date. Graphs have a step of a day and are evaluated at midnights of
the browser, and the day that begins there has that noon, in nearly every zone. Figures are evaluated at the
end of the range. Subqueries have steps of twelve hours, so one of two is at a noon: with a range of six hours
it has the day's cost, and the other has nothing. No subquery around `@ end()` has an offset, because
Prometheus 2 would move that end too; and none has `@ end()` within, because VictoriaMetrics takes the end of
the subquery: there Grafana's `$__to` says when the range ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY: Final = 86400
NOON: Final = 43200
SETTLING: Final = 28800
"""Seconds from midnight UTC to the end of Google's billing day, which is the latest, in winter."""

DAILY_STEP: Final = "1d"
"""Shortest step of graphs with a value for each day."""

PAST: Final = "count(spend_exporter_build_info offset -10m)"
"""Has a value only if the exporter was scraped after the end of the range: then the bill knows it better."""


@dataclass(frozen=True, slots=True)
class Moment:
    """From when a kind of query looks at the days."""

    ahead: int
    """Days from the time of evaluation to the end of the newest day."""

    @property
    def offset(self) -> str:
        """Modifier that reaches the newest day."""
        return f" offset -{self.ahead}d" if self.ahead else ""

    @property
    def end(self) -> str:
        """The end of the range, of graphs as it is evaluated; in seconds for what is used in subqueries."""
        return "end()" if self.ahead else "${__to:date:seconds}"

    @property
    def noon(self) -> str:
        """Modifier of a time at the end of the range that reaches the noon of its last day, and no other."""
        return " offset -12h" if self.ahead else " offset 12h"


WITHIN_LAST_DAY: Final = f"vector($__to / 1000 - {NOON})"
"""A moment within the last day of the range. Grafana says when the range ends, not `end()`."""

FIGURE: Final = Moment(0)
GRAPH: Final = Moment(1)
"""Its range ends at the last local midnight, and the newest day is the one that begins there."""


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"


def day(series: str, by: str = "") -> str:
    """Return the cost of the day that begins at the time of evaluation, a midnight: for graphs."""
    return f"{_sum(by)} (sum_over_time({series}[1d] offset -1d))"


def whole_range(series: str, by: str) -> str:
    """Return the cost of all days of the range, the same at each of its times: to rank over the range."""
    return f"{_sum(by)} (sum_over_time({series}[$__range] @ end() offset -1d))"


def _at_noon(series: str, by: str, moment: Moment, earlier: int = 0) -> str:
    """Return the cost of a day at its noon, or `ahead` days before it; for subqueries."""
    days = earlier - moment.ahead
    return f"{_sum(by)} (sum_over_time({series}[6h]{f' offset {days}d' if days else ''}))"


def _time(seconds: int) -> str:
    if not seconds:
        return "vector(time())"
    return f"vector(time() {'+' if seconds > 0 else '-'} {abs(seconds)})"


def in_month(seconds: int) -> str:
    """Return a condition: so many seconds later it is the month in which the range ends."""
    return f"and on () (month({_time(seconds)}) == on () month({WITHIN_LAST_DAY}))"


def month_so_far(series: str, by: str = "", moment: Moment = FIGURE) -> str:
    """Return the cost from the start of the month in which the range ends."""
    days = f"{_at_noon(series, by, moment)} {in_month(moment.ahead * DAY)}"
    return f"sum_over_time(({days})[31d:12h])"


def last_month_so_far(series: str) -> str:
    """Return the cost of the same days of the month before; of a longer month its last days are left out."""
    same_day = " or ".join(
        f"({_at_noon(series, '', GRAPH, length)} and on () (day_of_month({_time(DAY)}) == on ()"
        f" day_of_month({_time(DAY - length * DAY)})))"
        for length in (28, 29, 30, 31)
    )
    return f"sum_over_time((({same_day}) {in_month(DAY)})[31d:12h])"


def last_full_day(series: str, moment: Moment) -> str:
    """Return the midnight at which the last day begins that the bill has in full.

    Settled usage decides where it is known. If not, a day is full once the bill has the next one.
    """
    # The latest known, also for a range that ends in the future.
    known = f"min(spend_settled_through_timestamp_seconds)[32d:10m] @ {moment.end}{moment.offset}"
    settled = f"last_over_time({known})"
    begins = f"floor(({settled} - {SETTLING + DAY}) / {DAY}) * {DAY}"
    next_day = f"sum(sum_over_time({series}[1d] offset -2d))"
    has_next = f"max_over_time((vector(time()) and on () {next_day})[8d:1d] @ {moment.end}{moment.noon})"
    return f"({begins} or {has_next})"


def last_full_days(series: str, days: int) -> str:
    """Return the cost of each of the last full days: for graphs."""
    last = last_full_day(series, GRAPH)
    return (
        f"{day(series)} and on () ({_time(-NOON)} <= on () {last})"
        f" and on () ({_time(NOON)} > on () {last} - {(days - 1) * DAY})"
    )


def _in_week(series: str, before: int) -> str:
    """Return a condition: it is the noon of one of seven full days, `before` days before the newest."""
    last = last_full_day(series, FIGURE)
    return (
        f"and on () ({_time(before * DAY - NOON)} <= on () {last})"
        f" and on () ({_time((before + 7) * DAY - NOON)} > on () {last})"
    )


def week(series: str, by: str, before: int = 0) -> str:
    """Return the cost of seven full days that end `before` days before the newest."""
    days = f"{_at_noon(series, by, FIGURE)} {_in_week(series, before)}"
    return f"sum_over_time(({days})[{before + 40}d:12h])"


def change_of_week(series: str, by: str) -> str:
    """Return by how much the last seven full days cost more than the seven days before."""
    cost = _at_noon(series, by, FIGURE)
    signed = f"({cost} {_in_week(series, 0)}) or (-1 * {cost} {_in_week(series, 7)})"
    return f"sum_over_time(({signed})[47d:12h])"


def now_or_history(now: str, history: str) -> str:
    """Return the exporter's own figure, which has estimates; of a range in the past what the bill has now."""
    known = f"({now} unless on () {PAST})"
    return f"({known} or ({history} unless on () {known}))"


def month_end(series: str, forecast: str) -> str:
    """Return the forecast for the month; of a month that is over and ends the range what the bill has.

    Of a range that ends in the future the forecast is the latest.
    """
    next_days = f"sum(sum_over_time({series}[36h] offset -36h))"
    last_day = f"month({_time(-NOON)}) != on () month({_time(NOON + 3600)})"
    over = f"({next_days} and on () ({last_day}))"
    latest = f"({forecast} or last_over_time({forecast}[31d:10m]))"
    return f"(({month_so_far(series)} and on () {over}) or ({latest} unless on () {over}))"
