"""What people should know of now: budgets near or above their limits, spikes, the largest savings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from exporter.metrics import families as metrics
from exporter.metrics.summary_schema import BudgetUse, Insight, moment_text

Details = Mapping[str, Mapping[tuple[str, ...], float]]
"""Values by labels, by name of the family."""

_NEARLY_USED: Final = 0.9
_MOST_OF_A_KIND: Final = 5
_SEVERITIES: Final = ("critical", "warning", "info")


def insights(details: Details, budgets: Sequence[BudgetUse]) -> list[Insight]:
    """Return the most severe first; within a severity budgets, then spikes, then savings, largest first."""
    found = [*_budgets(budgets), *_spikes(details), *_savings(details)]
    return sorted(found, key=lambda each: _SEVERITIES.index(each.severity))


def _budgets(budgets: Sequence[BudgetUse]) -> list[Insight]:
    insights = [insight for each in budgets if (insight := _budget(each)) is not None]
    return sorted(insights, key=lambda each: -(each.usd or 0.0))


def _budget(each: BudgetUse) -> Insight | None:
    if each.limit_usd is None or each.used_usd is None or each.used_ratio is None:
        return None
    name, limit = f"Budget {each.budget}", f"its limit of ${each.limit_usd:,.0f}"
    if each.used_ratio >= 1:
        text = f"{name} is above {limit}: ${each.used_usd:,.0f} used"
        return _insight("critical", text, each.used_usd - each.limit_usd)
    if each.forecast_usd is not None and each.forecast_usd > each.limit_usd:
        end = "its period" if each.period == "custom" else f"the {each.period}"
        text = f"{name} will be above {limit}: ${each.forecast_usd:,.0f} expected by the end of {end}"
        return _insight("warning", text, each.forecast_usd - each.limit_usd)
    if each.used_ratio >= _NEARLY_USED:
        return _insight("warning", f"{name} is nearly used: {each.used_ratio:.0%} of {limit}", None)
    return None


def _insight(severity: str, text: str, usd: float | None) -> Insight:
    return Insight.model_validate(
        {"kind": "budget", "severity": severity, "text": text, "usd": usd, "at": None}
    )


def spikes_to_report(details: Details) -> list[tuple[float, tuple[str, ...]]]:
    """Return the dollars above normal, and labels, of services whose spikes are above the alerts' floors."""
    floors = details.get(metrics.SPEND_ALERT_THRESHOLD.name, {})
    least_usd = floors.get(("hourly_spike_usd",), math.inf)
    least_score = floors.get(("spike_score",), math.inf)
    scores = details.get(metrics.SPEND_SPIKE_SCORE.name, {})
    return [
        (usd, labels)
        for labels, usd in details.get(metrics.SPEND_SPIKE_USD.name, {}).items()
        if not labels[2] and usd > least_usd and scores.get(labels, 0.0) > least_score
    ]


def _spikes(details: Details) -> Iterator[Insight]:
    costs = details.get(metrics.SPEND_SPIKE_HOUR_USD.name, {})
    hours = details.get(metrics.SPEND_SPIKE_HOUR.name, {})
    for usd, labels in sorted(spikes_to_report(details), reverse=True)[:_MOST_OF_A_KIND]:
        began = hours.get(labels[:2])
        hour = datetime.fromtimestamp(began, UTC) if began is not None else None
        cost = f"${costs[labels]:,.2f} an hour, " if labels in costs else ""
        when = f" at {hour:%H:%M} UTC" if hour else ""
        yield Insight(
            kind="spike",
            severity="warning",
            text=f"{labels[1]}: {cost}${usd:,.2f} above normal{when}",
            usd=usd,
            at=moment_text(hour) if hour else None,
        )


def _savings(details: Details) -> list[Insight]:
    """The largest savings, in the words of their advice."""
    usd_by_labels = details.get(metrics.SPEND_RECOMMENDATION_SAVINGS.name, {})
    advice: dict[tuple[str, ...], str] = {}
    for labels in details.get(metrics.SPEND_RECOMMENDATION_INFO.name, {}):
        advice.setdefault(labels[:-1], labels[-1])
    largest = sorted(((usd, labels) for labels, usd in usd_by_labels.items()), reverse=True)[:_MOST_OF_A_KIND]
    return [
        Insight(kind="saving", severity="info", text=advice[labels], usd=usd, at=None)
        for usd, labels in largest
        if labels in advice
    ]
