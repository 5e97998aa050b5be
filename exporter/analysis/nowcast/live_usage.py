"""Usage that is known before its bill: what a unit of it costs, and how exact it has been.

Live usage is anything in proportion to a line's gross cost: usage itself, or usage times a price. What a
unit of it costs is learnt from hours whose bill has arrived, so a wrong price only scales it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.analysis.nowcast.known_costs import NEVER, Floats, KnownCosts
from exporter.core.cost_cells import Line

LiveUsage = Mapping[Line, Mapping[int, float]]
"""Line to usage hour to amount used."""

_LEARNT_HOURS: Final = 14 * 24
_LEAST_HOURS: Final = 24
_SETTLING_HOURS: Final = 12
_LEAST_NOISE: Final = 0.005


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """Live usage in US dollars at the rates learnt; lines without a rate are estimated without it."""

    usd: Floats
    """Lines x hours from `first_hour` on; NaN where nothing is known."""
    noise: Floats
    """Lines: relative deviation of an hour's bill from it."""
    first_hour: int


def usage_matrix(live: LiveUsage, known: KnownCosts) -> NDArray[np.float32]:
    """Lay out live usage as lines x hours of the known costs; NaN where there is none."""
    found = np.full(known.gross.shape, np.nan, np.float32)
    for number, line in enumerate(known.cells.lines):
        for hour, amount in live.get(line, {}).items():
            if 0 <= hour - known.first_hour < found.shape[1]:
                found[number, hour - known.first_hour] = amount
    return found


def price_usage(known: KnownCosts, used: NDArray[np.float32]) -> PricedUsage:
    """Learn the rate of each line with enough hours that are both live and billed."""
    high = known.as_of - known.first_hour
    low = max(0, high - _LEARNT_HOURS)
    amount, gross = used[:, low:high].astype(np.float64), known.gross[:, low:high]
    arrived = known.delay[:, low:high].astype(np.int64)
    age = known.as_of - np.arange(known.first_hour + low, known.as_of)
    both = (arrived != NEVER) & (arrived + _SETTLING_HOURS < age) & (amount > 0.0)
    total = np.where(both, amount, 0.0).sum(axis=1)
    rate = np.divide(
        np.where(both, gross, 0.0).sum(axis=1), total, out=np.zeros(len(gross)), where=total > 0.0
    )
    usd = np.where(both, amount, 0.0) * rate[:, None]
    error = np.divide(np.abs(gross - usd), usd, out=np.full(usd.shape, np.nan), where=usd > 0.0)
    noise = np.full(len(gross), np.inf)
    known_well = (both.sum(axis=1) >= _LEAST_HOURS) & (rate > 0.0)
    for line in np.flatnonzero(known_well):
        # An hour that was billed in part only is no error of the live figure: the largest errors are cut.
        errors = np.sort(error[line][np.isfinite(error[line])])
        kept = errors[: max(1, len(errors) * 97 // 100)]
        noise[line] = max(float(np.sqrt(np.mean(kept**2))), _LEAST_NOISE)
    priced = np.where(known_well[:, None], used * rate[:, None], np.nan)
    return PricedUsage(priced, noise, known.first_hour)
