"""What a forecast of the month and of the day says; made in month_forecast.py and daily_bills.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

QUANTILES: Final = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """Net cost of a billing month by its end, in US dollars."""

    month: int
    """Year times 12 plus month, from 0."""
    billed_nano_usd: int
    """What has arrived of it."""
    quantile_usd: dict[float, float]
    """By QUANTILES; 0.5 is the best estimate."""
    day_quantile_usd: dict[float, float] = field(default_factory=dict)
    """The same of the billing day in which the forecast was made; empty where it was not requested."""
