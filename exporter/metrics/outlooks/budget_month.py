"""The forecast of a budget of whole providers: what the forecasts of their months leave for the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from exporter.analysis.bill.attribution import Match
from exporter.analysis.bill.billing_calendar import hours_at
from exporter.analysis.budgets.budget_state import QUANTILES
from exporter.analysis.nowcast.unbilled import unbilled_since
from exporter.core.cost_cells import NANO
from exporter.metrics.outlooks.budget import Budget
from exporter.metrics.outlooks.outlook import Outlook
from exporter.sources.registry import HOURLY_BILLS


def rest_of_month_usd(
    budget: Budget,
    outlooks: Sequence[Outlook],
    providers: Collection[str],
    begins: Mapping[str, datetime],
    now: datetime,
) -> dict[float, float] | None:
    """Return the forecast cost from `now` to the end of the month by QUANTILES, in US dollars.

    None for a budget of anything else than a month of whole providers, net of credits, and unless all of
    `providers`, whose charges it counts, have a forecast of the month that begins when theirs does
    (`begins`). The quantiles of several providers are added, as on the dashboards: their errors are taken
    to go the same way, which makes the widest interval.
    """
    if not _of_whole_providers(budget) or not set(providers) <= {each.provider for each in outlooks}:
        return None
    rest = dict.fromkeys(QUANTILES, 0.0)
    for outlook in outlooks:
        month, nowcast, begin = outlook.month, outlook.nowcast, begins[outlook.provider]
        if month is None or nowcast.calendar.month_hours(month.month)[0] != hours_at(begin):
            return None
        daily = outlook.provider not in HOURLY_BILLS
        unbilled = unbilled_since(nowcast, hours_at(begin), hours_at(now), daily_bill=daily)
        so_far = (month.billed_nano_usd + sum(unbilled.values())) / NANO
        for quantile in QUANTILES:
            rest[quantile] += month.quantile_usd[quantile] - so_far
    return rest


def _of_whole_providers(budget: Budget) -> bool:
    only_providers = budget.match == Match(providers=budget.match.providers)
    return budget.period == "month" and budget.with_credits and only_providers and not budget.categories
