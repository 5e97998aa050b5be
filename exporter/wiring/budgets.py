"""From the configuration to the budgets, and to the thresholds of alerts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from exporter.analysis.bill.attribution import Match
from exporter.config.budgets import DAILY_LIMIT_NAME, Thresholds
from exporter.config.budgets import Budget as BudgetSection
from exporter.config.model import Config
from exporter.metrics.outlooks.budget import Budget, BudgetRules, Threshold
from exporter.wiring.attribution import configured_attribution, match_of


def budget_rules(config: Config) -> BudgetRules:
    """Return the configured budgets, the daily limit of Google Cloud first."""
    of_gcp = config.gcp.cost_attribution if config.gcp else None
    attribution = configured_attribution(of_gcp, config.cost_attribution).attribution
    return BudgetRules((*_daily_limit(config), *map(_budget, config.budgets or ())), attribution)


def alert_thresholds(config: Config) -> dict[str, float]:
    """Return the thresholds of alerts, by name."""
    found: dict[str, float] = config.alerts.model_dump()
    limits = config.gcp.budget_alerts if config.gcp else None
    if limits and limits.hourly_spike_threshold and "hourly_spike_usd" not in config.alerts.model_fields_set:
        found["hourly_spike_usd"] = limits.hourly_spike_threshold
    return found


def kept_tags(config: Config) -> tuple[str, ...]:
    """Return the labels and tags that sources keep with charges: those of budgets and attribution."""
    of_gcp = config.gcp.cost_attribution if config.gcp else None
    kept = set(
        configured_attribution(
            of_gcp, config.cost_attribution, config.label_costs, config.unit_costs
        ).kept_tags
    )
    for budget in config.budgets or ():
        if budget.match:
            kept |= {f"label:{key}" for key in budget.match.labels}
            kept |= {f"tag:{key}" for key in budget.match.tags}
    return tuple(sorted(kept))


def default_thresholds() -> tuple[Threshold, ...]:
    """Return the thresholds of a budget that does not set any."""
    return tuple(_thresholds(Thresholds()))


def _daily_limit(config: Config) -> Iterator[Budget]:
    gcp = config.gcp
    if gcp and gcp.enabled and gcp.budget_alerts and gcp.budget_alerts.daily_limit_usd:
        limit = Decimal(str(gcp.budget_alerts.daily_limit_usd))
        match = Match(providers=("gcp",))
        yield Budget(DAILY_LIMIT_NAME, "day", limit, match, thresholds=default_thresholds())


def _budget(section: BudgetSection) -> Budget:
    return Budget(
        section.name,
        section.period,
        Decimal(str(section.limit_usd)),
        match_of(section.match) if section.match else Match(),
        (section.match.category or ()) if section.match else (),
        with_credits=section.credits,
        thresholds=tuple(_thresholds(section.thresholds)),
        timezone=section.timezone,
    )


def _thresholds(given: Thresholds) -> Iterator[Threshold]:
    for severity in ("info", "warning", "critical"):
        actual, forecast = getattr(given.actual, severity), getattr(given.forecast, severity)
        if actual is not None:
            yield Threshold("actual", severity, actual)
        if forecast is not None:
            yield Threshold("forecast", severity, forecast)
