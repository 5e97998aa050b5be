"""Outlooks whose every figure a test can work out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from exporter.analysis.bill.attribution import Match
from exporter.analysis.bill.billing_calendar import BillingCalendar
from exporter.analysis.budgets.spending_season import SpendingSeason
from exporter.analysis.nowcast.forecast import MonthForecast
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.core.cost_cells import NANO
from exporter.metrics.outlooks.budget import Budget
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.metrics.outlooks.outlook import Outlook

DAY_BEGINS = datetime(2026, 11, 23, 8, tzinfo=UTC)
"""Midnight in the billing zone."""
TIMEZONE = "America/Los_Angeles"
HOURS = 48


def outlook(
    services: Mapping[str, tuple[int, Sequence[int]]],
    provider: str = "gcp",
    month_usd: tuple[float, float, float] | None = (900.0, 1000.5, 1200.25),
) -> Outlook:
    """By service: hours of today in the bill, and the estimate of each hour in billionths of a dollar.

    The estimates of the day's hours repeat until the end of the next day. Billed hours cost what is
    estimated of them.
    """
    begin = int(DAY_BEGINS.timestamp()) // 3600
    estimate = {
        name: [hours[at % len(hours)] for at in range(HOURS)] for name, (_, hours) in services.items()
    }
    billed = {
        name: [usd if at < services[name][0] else 0 for at, usd in enumerate(estimate[name])]
        for name in services
    }
    nowcast = Nowcast(
        calendar=BillingCalendar(TIMEZONE, begin - 24, begin + HOURS + 24),
        as_of=begin + 10,
        begin=begin,
        end=begin + HOURS,
        billed=billed,
        estimate=estimate,
        flow={name: [usd / NANO for usd in hours] for name, hours in estimate.items()},
    )
    if month_usd is None:
        return Outlook(provider, nowcast, None)
    quantiles = dict(zip((0.1, 0.5, 0.9), month_usd, strict=True))
    return Outlook(provider, nowcast, MonthForecast(2026 * 12 + 10, 0, quantiles))


def steady(usd_per_hour: float, billed_hours: int = 4) -> tuple[int, list[int]]:
    """A service that costs the same in every hour."""
    return billed_hours, [round(usd_per_hour * NANO)]


def daily_limit(usd: str, *estimates: Outlook) -> BudgetOutlook:
    """A limit of Google Cloud's day, of which the bill has four hours at two dollars of Cloud Run."""
    return BudgetOutlook(
        Budget("gcp daily limit", "day", Decimal(usd), Match(providers=("gcp",))),
        (DAY_BEGINS, DAY_BEGINS + timedelta(days=1)),
        Decimal(usd),
        known=bool(estimates),
        billed_usd={("gcp", "Cloud Run"): Decimal(8)},
        shares={(each.provider, name): 1.0 for each in estimates for name in each.nowcast.billed},
        season=SpendingSeason([0.0] * 168, TIMEZONE),
        settled_days_usd=(),
        hourly_usd={},
        outlooks=estimates,
    )
