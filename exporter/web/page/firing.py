"""The thresholds that are passed now, in words: budgets, spikes, sources that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from exporter.metrics import families as metrics
from exporter.metrics.insights import spikes_to_report
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.metrics.snapshot import Snapshot
from exporter.web.page.words import dollars, percent

_ORDER: Final = ("critical", "warning", "info")
MOST_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Passed:
    """A threshold that is passed."""

    severity: str
    about: str
    text: str


def passed_thresholds(snapshot: Snapshot, now: datetime) -> list[Passed]:
    """Return the worst threshold of each budget, every spike and every failure, the most severe first."""
    found = [*_failures(snapshot), *_spikes(snapshot)]
    for outlook in snapshot.budgets:
        found += _of_budget(outlook, now)
    return sorted(found, key=lambda each: _ORDER.index(each.severity))


def worst_severity(outlook: BudgetOutlook, now: datetime) -> Literal["critical", "warning", "info", ""]:
    """Return the severity of the worst threshold that a budget has passed; empty without any."""
    found = [each.severity for each in _of_budget(outlook, now)]
    return found[0] if found else ""  # type: ignore[return-value]


def _of_budget(outlook: BudgetOutlook, now: datetime) -> list[Passed]:
    state = outlook.state(now)
    if state is None:
        return []
    limit = float(state.limit_usd)
    forecast = state.forecast_usd[0.5]
    ratios = {"actual": state.used_ratio, "forecast": forecast / limit}
    passed = [each for each in outlook.budget.thresholds if ratios[each.basis] >= each.ratio]
    if not passed:
        return []
    worst = min(passed, key=lambda each: (_ORDER.index(each.severity), each.basis, -each.ratio))
    if worst.basis == "actual":
        text = f"{percent(state.used_ratio)} of {dollars(limit)} used"
    else:
        text = f"forecast {dollars(forecast)} of {dollars(limit)}"
    text += f"; {worst.severity} from {percent(worst.ratio)} on"
    return [Passed(worst.severity, outlook.budget.name, text)]


def _spikes(snapshot: Snapshot) -> Iterator[Passed]:
    hours = snapshot.details.get(metrics.SPEND_SPIKE_HOUR_USD.name, {})
    for above, labels in spikes_to_report(snapshot.details):
        hour = f"{dollars(hours[labels])} in its last known hour, " if labels in hours else ""
        yield Passed("warning", labels[1], f"{hour}{dollars(above)} more than usual at this time of day")


def _failures(snapshot: Snapshot) -> Iterator[Passed]:
    for source in snapshot.sources:
        if source.up is False:
            yield Passed("warning", source.name, "its last refresh failed; see the sources below")
    for figure in snapshot.failed_figures:
        yield Passed("warning", figure.replace("_", " "), "could not be computed; the log has the reason")
