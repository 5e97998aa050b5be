"""What a provider costs today and this month, as of an hour, and the families that show it.

Without numpy, which only those who make an outlook need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from exporter.analysis.bill.billing_calendar import hours_at
from exporter.analysis.nowcast.estimates import estimates_at
from exporter.analysis.nowcast.forecast import MonthForecast
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.core.cost_cells import NANO, Line
from exporter.ledger.past_estimates import PastEstimate
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a provider costs today and this month, as of an hour."""

    provider: str
    nowcast: Nowcast
    month: MonthForecast | None
    with_live_usage: bool = False
    live_lines: frozenset[Line] = frozenset()
    """Whose hours are estimated from live usage."""
    method: Literal["model", "daily"] = "model"
    """How services are estimated for which the plain estimate has not been better."""

    def past_estimate(self) -> PastEstimate:
        """Return what it says at the hour as of which it was made."""
        as_of = self.nowcast.as_of
        return PastEstimate(
            self.provider,
            datetime.fromtimestamp(as_of * 3600, UTC),
            date.fromordinal(self.nowcast.calendar.day(as_of)),
            *estimates_at(self.nowcast, as_of),
            with_live_usage=self.with_live_usage,
        )

    def families(self, now: datetime) -> Iterable[tuple[metrics.Family, tuple[str, ...], float]]:
        """Yield each sample that holds at `now`: family, label values, value."""
        hours = hours_at(now)
        for service, split in sorted(self.nowcast.today_so_far(hours).items()):
            labels = (self.provider, service)
            yield metrics.SPEND_NOWCAST_TODAY_USD, (*labels, "billed"), split.billed_nano_usd / NANO
            yield metrics.SPEND_NOWCAST_TODAY_USD, (*labels, "estimated"), split.estimated_nano_usd / NANO
        for service, split in sorted(self.nowcast.whole_day(hours).items()):
            yield metrics.SPEND_FORECAST_DAY_USD, (self.provider, service), split.total_nano_usd / NANO
        for service, usd in sorted(self.nowcast.burn_rate_usd_per_hour(hours).items()):
            yield metrics.SPEND_BURN_RATE, (self.provider, service), usd
        for service in sorted(self.nowcast.billed):
            method = "plain" if service in self.nowcast.plain else self.method
            yield metrics.SPEND_NOWCAST_METHOD_INFO, (self.provider, service, method), 1.0

    def forecast_families(self) -> Iterable[tuple[metrics.Family, tuple[str, ...], float]]:
        """Yield each sample of the forecasts of the day and of the month."""
        if self.month is None:
            return
        for quantile, usd in self.month.day_quantile_usd.items():
            yield metrics.SPEND_FORECAST_DAY_END_USD, (self.provider, f"{quantile:g}"), usd
        for quantile, usd in self.month.quantile_usd.items():
            yield metrics.SPEND_FORECAST_MONTH_END_USD, (self.provider, f"{quantile:g}"), usd


def month_to_date_family(
    billed_usd: Mapping[tuple[str, str], Decimal], outlooks: Iterable[Outlook], now: datetime
) -> FamilySamples:
    """Return this month's cost so far: the bill's, by provider and service, and what is to come on top."""
    samples = {(*labels, "billed"): float(usd) for labels, usd in billed_usd.items()}
    for outlook in outlooks:
        before = outlook.nowcast.unbilled_before_today(hours_at(now))
        for service, split in outlook.nowcast.today_so_far(hours_at(now)).items():
            estimated = before[service] + split.estimated_nano_usd
            samples[outlook.provider, service, "estimated"] = estimated / NANO
    return FamilySamples(metrics.SPEND_NOWCAST_MONTH_TO_DATE_USD, sorted(samples.items()))


def outlook_families(outlooks: Sequence[Outlook], now: datetime) -> list[FamilySamples]:
    """Return the families of all outlooks at `now`.

    The forecasts of day and month wait until there is one of each provider: a sum over some of them would
    look like the forecast of all, and jump when the others follow.
    """
    families: dict[metrics.Family, list[tuple[tuple[str, ...], float]]] = {}
    complete = all(outlook.month is not None for outlook in outlooks)
    for outlook in outlooks:
        forecasts = outlook.forecast_families() if complete else ()
        for family, labels, value in [*outlook.families(now), *forecasts]:
            families.setdefault(family, []).append((labels, value))
    return [FamilySamples(family, samples) for family, samples in families.items()]
