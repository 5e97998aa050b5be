"""The plain Bornhuetter-Ferguson estimate (1972), by service: what any nowcast has to beat.

Development by age from the hours that settled in the last 21 days; the prior of an hour is the mean of the
same hour of the week (UTC) over the last three weeks; the level is the known cost of the hours 72 to 12 hours
ago over their expected known part; estimate = billed + (1 - developed share) x prior x level.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats, KnownCosts

_SETTLED_HOURS: Final = 120
_LEARNT_HOURS: Final = 21 * 24
_WEEK: Final = 168


def learn_development(known: KnownCosts) -> Floats:
    """Share of the cost known by age; services x (_SETTLED_HOURS + 1)."""
    cells, as_of = known.cells, known.as_of
    services, ages = len(known.services), _SETTLED_HOURS + 1
    stop = int(np.searchsorted(cells.export, as_of))
    usage = cells.usage[:stop]
    taken = (usage < as_of - _SETTLED_HOURS) & (usage >= as_of - _SETTLED_HOURS - _LEARNT_HOURS)
    delay = np.clip(cells.export[:stop][taken] - usage[taken] + 1, 0, _SETTLED_HOURS)
    service = known.service_of[cells.line[:stop][taken]]
    usd = (cells.gross[:stop][taken] + cells.credit[:stop][taken]) / 1e9
    come = np.bincount(service * ages + delay, usd, services * ages).reshape(services, ages)
    total = come.sum(axis=1, keepdims=True)
    found = np.ones(come.shape)
    # Bincount of nothing counts in integers.
    np.divide(np.cumsum(come, axis=1), total, out=found, where=total > 0.0)
    return found


def plain_to_come(known: KnownCosts, developed: Floats, begin: int, end: int) -> Floats:
    """US dollars still to come of the hours from `begin` to before `end`, services x hours."""
    as_of = known.as_of
    billed = known.billed / 1e9
    low = min(begin, as_of - 72)
    hours = np.arange(low, end)
    prior = np.zeros((len(billed), len(hours)))
    weeks = np.zeros(len(hours))
    for back in range(1, 4):
        at = hours - back * _WEEK - known.first_hour
        inside = (at >= 0) & (at < billed.shape[1]) & (hours - back * _WEEK < as_of - 12)
        prior[:, inside] += billed[:, at[inside]]
        weeks += inside
    prior /= np.maximum(weeks, 1.0)
    share = developed[:, np.clip(as_of - hours, 0, _SETTLED_HOURS)]
    window = slice(as_of - 72 - low, as_of - 12 - low)
    first = max(as_of - 72 - known.first_hour, 0)
    come = billed[:, first : max(as_of - 12 - known.first_hour, 0)].sum(axis=1)
    due = (prior * share)[:, window].sum(axis=1)
    level = np.divide(come, due, out=np.ones_like(come), where=due > 0.0)
    found: Floats = ((1.0 - share) * prior * level[:, None])[:, begin - low :]
    return found
