"""What was billed in the last weeks, as the page shows it: the chart by day, the services, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup

from exporter.drawing.sparkline import sparkline
from exporter.drawing.stacked_bars import Bar, stacked_bars
from exporter.questions.cost_answer import CostAnswer, CostGroup, Point
from exporter.questions.explain_answer import Cause
from exporter.web.page.asked import SERVICES, Asked
from exporter.web.page.words import day, dollars, weekday

_SERIES: Final = 6
"""Services with a colour of their own in the chart."""
_ROWS: Final = SERVICES


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart."""

    name: str
    amounts: Sequence[float | None]
    total: float


@dataclass(frozen=True, slots=True)
class TableDay:
    """One day of the chart's table."""

    of: str
    amounts: Sequence[str]
    total: str
    settled: bool
    link: str


@dataclass(frozen=True, slots=True)
class CostChart:
    """The chart, its legend and the same as a table."""

    wide: Markup
    narrow: Markup
    series: Sequence[Series]
    days: Sequence[TableDay]
    unsettled_from: str
    """Empty where all is settled."""
    total: float
    missing_sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service: its last weeks, and where known its today."""

    provider: str
    name: str
    line: Markup | None
    total: float | None
    today: float | None
    per_hour: float | None


@dataclass(frozen=True, slots=True)
class Mover:
    """Something whose cost changed."""

    change: float
    service: str
    reason: str
    project: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, and between which days."""

    now: str
    before: str
    total: float
    change: float
    percent: float | None
    movers: Sequence[Mover]
    settled: bool
    partial: bool
    link: str


def cost_chart(asked: Asked) -> CostChart | None:
    """Return the chart; None where nothing was billed."""
    costs = asked.costs
    if not any(point.value is not None for point in costs.points):
        return None
    series = _series(costs)
    bars = [_bar(number, point, series, asked.settled_to) for number, point in enumerate(costs.points)]
    title = f"Cost by day of the last {len(bars)} days"
    total = float(costs.total or 0)
    desc = f"{dollars(total)} in all. The largest: {', '.join(each.name for each in series[:3])}."
    names = {"title": title, "desc": f"{desc} The same figures are in the table below."}
    unsettled = next((bar for bar in bars if not bar.settled), None)
    return CostChart(
        wide=stacked_bars(bars, width=1080, height=280, class_="wide", **names),
        narrow=stacked_bars(bars, width=340, height=230, class_="narrow", **names),
        series=series,
        days=[_table_day(bar, point) for bar, point in zip(bars, costs.points, strict=True)][::-1],
        unsettled_from=unsettled.label if unsettled else "",
        total=total,
        missing_sources=costs.missing_sources,
    )


def service_rows(asked: Asked | None, summary: Mapping[str, Any]) -> list[ServiceRow]:
    """Return the largest services: of the last weeks where that is known, else of today."""
    today = {(each["provider"], each["service_name"]): each for each in summary["by_service"]}
    if asked is None or not asked.costs.groups:
        largest = sorted(today, key=lambda key: -today[key]["whole_day_usd"])[:_ROWS]
        return [_row(key, None, None, today.get(key)) for key in largest]
    rows = []
    for group in asked.costs.groups[:_ROWS]:
        key = (group.keys["provider"], group.keys["service"])
        rows.append(_row(key, _line(group, asked), float(group.total or 0), today.get(key)))
    return rows


def changes(asked: Asked) -> Changes | None:
    """Return what changed; None where too few days are known."""
    found = asked.changes
    if found is None:
        return None
    previous = Decimal(found.previous)
    return Changes(
        now=_days(found.from_, found.to),
        before=_days(found.compared_with.from_, found.compared_with.to),
        total=float(found.total),
        change=float(found.change),
        percent=float(Decimal(found.change) / previous) if previous > 0 else None,
        movers=[
            Mover(float(each.change), each.service or "No service", _reason(each), each.project)
            for each in found.causes
            if abs(Decimal(each.change)) >= Decimal("0.5")
        ],
        settled=found.settled,
        partial=found.partial,
        link=f"api/v1/explain?from={found.from_}&to={found.to}&format=text",
    )


def _series(costs: CostAnswer) -> list[Series]:
    shown = [_one_series(group.keys["service"] or "no service", [group.points]) for group in costs.groups]
    largest = shown[:_SERIES]
    rest: list[Sequence[Point]] = [group.points for group in costs.groups[_SERIES:]]
    if costs.other is not None:
        rest.append(costs.other.points)
    return [*largest, _one_series("all others", rest)] if rest else largest


def _one_series(name: str, parts: Sequence[Sequence[Point]]) -> Series:
    sums: list[Decimal | None] = []
    for points in zip(*parts, strict=True):
        values = [Decimal(point.value) for point in points if point.value is not None]
        sums.append(sum(values, Decimal(0)) if values else None)
    amounts = [None if each is None else float(each) for each in sums]
    return Series(name, amounts, float(sum((each for each in sums if each is not None), Decimal(0))))


def _bar(number: int, point: Point, series: Sequence[Series], settled_to: date | None) -> Bar:
    start = date.fromisoformat(point.start)
    amounts = [each.amounts[number] for each in series]
    parts = [
        f"{each.name} {dollars(amount)}"
        for each, amount in zip(series, amounts, strict=True)
        if amount is not None and abs(amount) >= 0.5
    ]
    settled = settled_to is not None and start < settled_to
    late = [] if settled else ["some of it has not arrived yet"]
    total = "nothing billed" if point.value is None else dollars(float(point.value))
    return Bar(
        label=day(start),
        hint="\n".join([f"{weekday(start)}: {total}", *late, *parts]),
        amounts=amounts,
        settled=settled,
        link=f"api/v1/explain?day={point.start}&compare=week&format=text",
        marked=start.weekday() == 0,
    )


def _table_day(bar: Bar, point: Point) -> TableDay:
    start = date.fromisoformat(point.start)
    amounts = ["" if each is None else dollars(each) for each in bar.amounts]
    total = "" if point.value is None else dollars(float(point.value))
    return TableDay(weekday(start), amounts, total, bar.settled, bar.link)


def _line(group: CostGroup, asked: Asked) -> Markup:
    """Only settled days: the others would look like a fall."""
    settled = [
        point
        for point in group.points
        if asked.settled_to is not None and date.fromisoformat(point.start) < asked.settled_to
    ]
    amounts = [None if point.value is None else float(point.value) for point in settled]
    known = [each for each in amounts if each is not None]
    name = group.keys["service"] or "no service"
    desc = (
        f"From {dollars(min(known))} to {dollars(max(known))} a day." if known else "Nothing is settled yet."
    )
    return sparkline(amounts, title=f"{name} by day", desc=desc)


def _row(
    key: tuple[str, str], line: Markup | None, total: float | None, today: Mapping[str, Any] | None
) -> ServiceRow:
    return ServiceRow(
        *key,
        line,
        total,
        today["total_usd"] if today else None,
        today["burn_rate_usd_per_hour"] if today else None,
    )


def _days(first: str, end: str) -> str:
    last = date.fromisoformat(end) - timedelta(days=1)
    return f"{day(date.fromisoformat(first))} to {day(last)}"


def _reason(cause: Cause) -> str:
    """The sentence without its begin, which has the service and the change."""
    reason = cause.sentence.removeprefix(cause.service).partition(": ")[2] or cause.sentence
    return reason[0].upper() + reason[1:]
