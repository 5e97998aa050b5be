"""Usage that is known before its bill: how it translates into cost, and how exact it has been.

Live usage is anything in proportion to a line's gross cost: usage itself, or usage times a price. What a
unit of it costs is learnt from hours whose bill has arrived, so a wrong price only scales it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from exporter.analysis.nowcast.cost_history import NANO, NEVER, KnownCosts
from exporter.analysis.nowcast.cost_model import CostModel

LiveUsage = Mapping[int, Mapping[int, float]]
"""Line number (its place in the history's lines) to usage hour to amount used."""

_LEARNT_HOURS: Final = 14 * 24
_LEAST_HOURS: Final = 24
_SETTLING_HOURS: Final = 12
"""A bill counts for comparison so long after its first part arrived."""

_LEAST_NOISE: Final = 0.005


@dataclass(frozen=True, slots=True)
class LiveRate:
    """What live usage of a line has been worth."""

    usd_per_unit: float
    noise: float
    """Standard deviation of an hour's bill over its live estimate."""


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """Live usage with the rates of its lines; lines without a rate are estimated without it."""

    amounts: LiveUsage
    rates: Mapping[int, LiveRate]


def price_usage(known: KnownCosts, live: LiveUsage, model: CostModel) -> PricedUsage:
    """Learn the rate of each line with enough hours that are both live and billed."""
    found: dict[int, LiveRate] = {}
    begin = max(known.as_of - _LEARNT_HOURS, known.first_hour)
    for line, amounts in live.items():
        if line not in model.seasons:
            continue
        pairs: list[tuple[float, float]] = []
        for hour in range(begin, min(known.as_of, known.first_hour + known.size)):
            at = hour - known.first_hour
            arrived = known.first_export[line][at]
            used = amounts.get(hour)
            if used and arrived != NEVER and arrived + _SETTLING_HOURS < known.as_of:
                pairs.append((used, known.gross[line][at] / NANO))
        rate = _rate(pairs)
        if rate is not None:
            found[line] = rate
    return PricedUsage(live, found)


def _rate(pairs: list[tuple[float, float]]) -> LiveRate | None:
    used = sum(amount for amount, _ in pairs)
    billed = sum(usd for _, usd in pairs)
    if len(pairs) < _LEAST_HOURS or used <= 0.0 or billed <= 0.0:
        return None
    per_unit = billed / used
    errors = sorted(abs(usd - per_unit * amount) / (per_unit * amount) for amount, usd in pairs)
    # An hour that was billed in part only is no error of the live figure: the largest errors are cut.
    kept = errors[: max(1, len(errors) * 97 // 100)]
    noise = sqrt(sum(error * error for error in kept) / len(kept))
    return LiveRate(per_unit, max(noise, _LEAST_NOISE))
