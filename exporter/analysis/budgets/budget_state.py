"""The state of a budget: its cost so far, the expected cost by now, the forecast, and when it is used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import exp, log, sqrt
from statistics import NormalDist, fmean
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.analysis.budgets.spending_season import SpendingSeason

Period = Literal["day", "week", "month", "quarter", "year"]

QUANTILES: Final = (0.1, 0.5, 0.9)
_UNTESTED_NOISE: Final = 0.25
_DRIFT_PER_DAY: Final = 0.003
_LARGEST_LEVEL: Final = 4.0


@dataclass(frozen=True, slots=True)
class BudgetSpending:
    """The cost of a budget's charges. US dollars."""

    billed_usd: Decimal
    """Billed cost of the period so far."""
    estimated_usd: Decimal
    """Estimated cost up to now that is not billed yet."""
    burn_rate_usd_per_hour: float
    """At today's pace."""
    season: SpendingSeason
    """The usual spending of the same charges."""
    settled_days_usd: Sequence[tuple[float, float]]
    """The last settled days, oldest first: each day's cost, and its usual cost by the season."""
    hourly_usd: Mapping[int, float] = field(default_factory=dict)
    """Cost of the last hours (hours since 1970-01-01 00:00 UTC), as far back as it is known."""
    rest_usd: Mapping[float, float] | None = None
    """Forecast cost from now to the period's end, by QUANTILES; None: it follows from the season."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The state of a budget at a moment. US dollars; ratios are of the limit, except `expected_ratio`."""

    limit_usd: Decimal
    billed_usd: Decimal
    estimated_usd: Decimal
    used_usd: Decimal
    """Sum of the two, exactly."""
    expected_ratio: float
    """Share of the period's usual spending that falls before now."""
    forecast_usd: dict[float, float]
    """Forecast cost of the whole period, by QUANTILES."""
    exhausted_at: datetime | None
    """When the limit was reached, or will be at today's pace; None after the period's end, and where it was
    reached before the known hours."""

    @property
    def remaining_usd(self) -> Decimal:
        """Negative above the limit."""
        return self.limit_usd - self.used_usd

    @property
    def used_ratio(self) -> float:
        """1 where the limit is reached."""
        return float(self.used_usd / self.limit_usd)


def budget_period(now: datetime, period: Period, timezone: str) -> tuple[datetime, datetime]:
    """Return start and end (excluded) of the period that `now` (aware) lies in. Weeks begin on Monday."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    if period == "day":
        first, last = today, today + timedelta(days=1)
    elif period == "week":
        first = today - timedelta(days=today.weekday())
        last = first + timedelta(days=7)
    else:
        months = {"month": 1, "quarter": 3, "year": 12}[period]
        first = date(today.year, today.month - (today.month - 1) % months, 1)
        last = _month_after(first, months)
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last))
    return begin, end


def budget_state(
    limit_usd: Decimal, period: tuple[datetime, datetime], now: datetime, spending: BudgetSpending
) -> BudgetState:
    """Return the state of a budget at `now`. Raises ValueError for a limit that is not above 0."""
    if limit_usd <= 0:
        raise ValueError(f"A budget's limit must be above 0, not {limit_usd}.")
    begin, end = period
    exact = spending.billed_usd + spending.estimated_usd
    used, limit = float(exact), float(limit_usd)
    return BudgetState(
        limit_usd=limit_usd,
        billed_usd=spending.billed_usd,
        estimated_usd=spending.estimated_usd,
        used_usd=exact,
        expected_ratio=spending.season.share(begin, now, end),
        forecast_usd=_forecast(used, now, end, spending),
        exhausted_at=(
            _reached(used - limit, period, now, spending.hourly_usd)
            if exact >= limit_usd
            else _exhausted(limit - used, now, end, spending.burn_rate_usd_per_hour)
        ),
    )


def _forecast(used: float, now: datetime, end: datetime, spending: BudgetSpending) -> dict[float, float]:
    """The cost so far, plus that of the rest: as forecast, else the usual cost at the present level."""
    if spending.rest_usd is not None:
        return {quantile: used + spending.rest_usd[quantile] for quantile in QUANTILES}
    season = spending.season
    rest = season.between(now, end)
    if rest <= 0:
        rest = max(spending.burn_rate_usd_per_hour, 0.0) * ((end - now) / timedelta(hours=1))
        level = 1.0
    else:
        level = _level(now, spending)
    rest *= level
    days = (end - now) / timedelta(days=1)
    noise = _noise(spending.settled_days_usd, days)
    return {quantile: used + rest * exp(NormalDist().inv_cdf(quantile) * noise) for quantile in QUANTILES}


def _level(now: datetime, spending: BudgetSpending) -> float:
    """Present spending over usual spending: by the settled days of the last week, and by the present pace."""
    recent = spending.settled_days_usd[-7:]
    usual = sum(expected for _, expected in recent)
    week = sum(actual for actual, _ in recent) / usual if usual > 0 else 1.0
    around = spending.season.between(now - timedelta(minutes=30), now + timedelta(minutes=30))
    pace = spending.burn_rate_usd_per_hour / around if around > 0 else week
    return min(max(sqrt(max(week, 0.01) * max(pace, 0.01)), 1 / _LARGEST_LEVEL), _LARGEST_LEVEL)


def _noise(days_usd: Sequence[tuple[float, float]], days: float) -> float:
    """Standard deviation of the logarithm of a forecast's error over this many days."""
    errors = [log(actual / expected) for actual, expected in days_usd if actual > 0 and expected > 0]
    daily = sqrt(fmean(error * error for error in errors)) if len(errors) > 6 else _UNTESTED_NOISE
    return sqrt(daily * daily / max(days, 1.0) + (_DRIFT_PER_DAY * days) ** 2)


def _reached(
    over: float, period: tuple[datetime, datetime], now: datetime, hourly_usd: Mapping[int, float]
) -> datetime | None:
    """Go back hour by hour to the hour after which the cost was above the limit; return that hour's end."""
    hour = int(now.timestamp() // 3600)
    first = max(min(hourly_usd, default=hour + 1), int(period[0].timestamp() // 3600))
    while hour >= first:
        over -= hourly_usd.get(hour, 0.0)
        if over < 0:
            return min(datetime.fromtimestamp((hour + 1) * 3600, UTC), now)
        hour -= 1
    return None


def _exhausted(remaining: float, now: datetime, end: datetime, usd_per_hour: float) -> datetime | None:
    if usd_per_hour <= 0:
        return None
    hours = remaining / usd_per_hour
    if hours > (end - now) / timedelta(hours=1):
        return None
    return now + timedelta(hours=hours)


def _month_after(first: date, months: int) -> date:
    at = first.month - 1 + months
    return date(first.year + at // 12, at % 12 + 1, 1)
