"""What the snapshot knows beside the summary, as the page shows it: budgets, Cloud Run, savings, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from exporter.drawing.share_bar import share_bar
from exporter.metrics import families as metrics
from exporter.metrics.snapshot import Snapshot
from exporter.sources.status import SourceStatus
from exporter.web.page.firing import worst_severity
from exporter.web.page.words import age, dollars, percent, small_dollars

BUDGETS_SHOWN: Final = 12
_RUN_SERVICES_SHOWN: Final = 8
_SAVINGS_SHOWN: Final = 6
_PERIODS: Final = {
    "day": "today",
    "week": "this week",
    "month": "this month",
    "quarter": "this quarter",
    "year": "this year",
    "custom": "its period",
}


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One budget."""

    name: str
    period: str
    in_words: str
    limit_usd: float | None
    used_usd: float | None
    used_ratio: float | None
    forecast_usd: float | None
    partial: bool
    state: str
    bar: Markup | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One Cloud Run service in the last hour; figures in words, empty where unknown."""

    name: str
    place: str
    per_million_requests: str
    cpu_per_request: str
    per_cpu_hour: str
    cold_starts: str


@dataclass(frozen=True, slots=True)
class Saving:
    """What could be saved in a month."""

    usd: float
    text: str


@dataclass(frozen=True, slots=True)
class Savings:
    """The largest savings, and all of them together."""

    total: float
    shown: Sequence[Saving]
    more: int


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source."""

    name: str
    state: str
    css_class: str
    last_success: datetime | None
    age: str
    rows: int
    set_aside: int
    error: str
    rejected: Sequence[Any]


def budget_rows(snapshot: Snapshot, summary: Mapping[str, Any], now: datetime) -> list[BudgetRow]:
    """Return the budgets in the order of the configuration."""
    rows = []
    for outlook, use in zip(snapshot.budgets, summary["budgets"], strict=True):
        limit, forecast = use["limit_usd"], use["forecast_usd"]
        state = worst_severity(outlook, now)
        bar = None
        if use["used_ratio"] is not None and limit:
            ratio = forecast / limit if forecast is not None else None
            desc = f"{percent(use['used_ratio'])} of {dollars(limit)} used"
            if forecast is not None:
                desc += f", {dollars(forecast)} expected in the end"
            bar = share_bar(max(use["used_ratio"], 0.0), ratio, state=state, title=use["budget"], desc=desc)
        rows.append(
            BudgetRow(
                use["budget"],
                use["period"],
                _PERIODS[use["period"]],
                limit,
                use["used_usd"],
                use["used_ratio"],
                forecast,
                bool(use["partial"]),
                state,
                bar,
            )
        )
    return rows[:BUDGETS_SHOWN]


def run_rows(snapshot: Snapshot) -> list[RunRow]:
    """Return the Cloud Run services, the dearest per request first."""
    per_request = snapshot.details.get(metrics.SPEND_CLOUD_RUN_COST_PER_REQUEST_USD.name, {})
    seconds = snapshot.details.get(metrics.SPEND_CLOUD_RUN_CPU_SECONDS_PER_REQUEST.name, {})
    per_second = snapshot.details.get(metrics.SPEND_CLOUD_RUN_COST_PER_CPU_SECOND_USD.name, {})
    cold = snapshot.details.get(metrics.SPEND_CLOUD_RUN_COLD_START_RATIO.name, {})
    services = sorted(
        {*per_request, *per_second}, key=lambda labels: (-per_request.get(labels, -1.0), labels)
    )
    return [
        RunRow(
            name=labels[2],
            place=f"{labels[0]}, {labels[1]}",
            per_million_requests=_known(per_request.get(labels), lambda usd: small_dollars(usd * 1e6)),
            cpu_per_request=_known(seconds.get(labels), lambda each: f"{each * 1000:,.0f} ms"),
            per_cpu_hour=_known(per_second.get(labels), lambda usd: small_dollars(usd * 3600)),
            cold_starts=_known(cold.get(labels), lambda ratio: f"{ratio * 1000:,.2f}"),
        )
        for labels in services[:_RUN_SERVICES_SHOWN]
    ]


def savings(snapshot: Snapshot) -> Savings | None:
    """Return what could be saved; None without anything."""
    usd = snapshot.details.get(metrics.SPEND_RECOMMENDATION_SAVINGS.name, {})
    if not usd:
        return None
    advice = {
        labels[:-1]: labels[-1] for labels in snapshot.details.get(metrics.SPEND_RECOMMENDATION_INFO.name, {})
    }
    largest = sorted(usd, key=lambda labels: (-usd[labels], labels))
    shown = [Saving(usd[each], advice.get(each, f"{each[3]} of {each[1]}")) for each in largest]
    return Savings(sum(usd.values()), shown[:_SAVINGS_SHOWN], max(len(shown) - _SAVINGS_SHOWN, 0))


def source_rows(snapshot: Snapshot, now: datetime) -> list[SourceRow]:
    """Return the sources in the order of the configuration."""
    return [_source(source, now) for source in snapshot.sources]


def _source(source: SourceStatus, now: datetime) -> SourceRow:
    states = {True: ("up", "up"), False: ("failing", "down"), None: ("waiting", "waiting")}
    state, css_class = states[source.up]
    return SourceRow(
        source.name,
        state,
        css_class,
        source.last_success,
        age(now - source.last_success) if source.last_success else "never",
        source.rows,
        sum(rejected.count for rejected in source.rejected),
        source.last_error,
        source.rejected,
    )


def _known(value: float | None, words: Any) -> str:
    return "" if value is None else str(words(value))
