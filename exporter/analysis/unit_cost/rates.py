"""Learns what one unit of live usage costs from the settled bill, by SKU, project and region.

Pure: from days of the bill and days of usage to a book of rates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from exporter.analysis.unit_cost.billing_modes import BillingModes, learn_modes
from exporter.analysis.unit_cost.known_days import (
    HALF_LIFE_DAYS,
    BilledDay,
    UsedDay,
    of_whole_days,
    recency,
)
from exporter.analysis.unit_cost.rate_book import Learnt, RateBook, RateCard
from exporter.analysis.unit_cost.sustained_use import Stepped, learn_steps
from exporter.core.meters import USAGE_TABLE, UsageMeter, explaining


@dataclass(slots=True)
class _Sums:
    """One SKU of one meter in one project and region, so far."""

    meter: UsageMeter
    usd: float = 0.0
    units: float = 0.0
    quantity: float = 0.0
    newest_day: date = date.min
    days: dict[date, tuple[float, float]] = field(default_factory=dict)
    """Cost and quantity of each settled day."""

    def add(self, day: date, weight: float, usd: float, units: float, quantity: float) -> None:
        self.usd += weight * usd
        self.units += weight * units
        self.quantity += weight * quantity
        self.newest_day = max(self.newest_day, day)
        before = self.days.get(day, (0.0, 0.0))
        self.days[day] = (before[0] + usd, before[1] + quantity)


_Key = tuple[str, str, str, str]
"""Meter, project, region and SKU."""


def learn_rates(
    billed: Iterable[BilledDay],
    used: Iterable[UsedDay],
    settled_through: date,
    *,
    today: date | None = None,
    card: RateCard | None = None,
    used_this_month: Callable[[str], float] = lambda _meter: 0.0,
    table: Sequence[UsageMeter] = USAGE_TABLE,
    half_life_days: float = HALF_LIFE_DAYS,
) -> RateBook:
    """Learn rates from the days of the bill up to `settled_through`, the newest weighing most.

    `used` matters for meters whose units differ from the bill's, and for the billing modes of Cloud Run; for
    these, only days count for which both sides are known, without the first day of usage, which may be
    partial. A SKU that two meters claim is priced by neither. US dollars, meters' units.
    """
    settled = [row for row in billed if row.day <= settled_through]
    used = list(used)
    owners = {sku: explaining(*sku, table) for sku in {_sku_of(row) for row in settled}}
    explained = [(row, found[0]) for row in settled if len(found := owners[_sku_of(row)]) == 1]
    modes = learn_modes(explained, used, settled_through)
    live = _live_amounts(used, table, modes)
    sums: dict[_Key, _Sums] = {}
    shared: dict[tuple[str, str, str, date], tuple[UsageMeter, float, float]] = {}
    for row, meter in explained:
        if meter.skus is not None and meter.skus.rate_per == "live_unit":
            cell = (meter.name, row.project_id, row.region_id, row.day)
            _, usd, quantity = shared.get(cell, (meter, 0.0, 0.0))
            shared[cell] = (meter, usd + row.usd, quantity + row.quantity)
            continue
        key = (meter.name, row.project_id, row.region_id, row.sku)
        weight = recency(row.day, settled_through, half_life_days)
        sums.setdefault(key, _Sums(meter)).add(row.day, weight, row.usd, row.quantity, row.quantity)
    for (name, project_id, region_id, day), (meter, usd, quantity) in shared.items():
        units = live.get((name, project_id, region_id, day), 0.0)
        if units > 0:
            weight = recency(day, settled_through, half_life_days)
            sums.setdefault((name, project_id, region_id, ""), _Sums(meter)).add(
                day, weight, usd, units, quantity
            )
    first_day = min((row.day for row in settled), default=settled_through)
    today = today or settled_through
    of_steps = {meter.name for meter in table if meter.skus and meter.skus.sustained_use}
    whole = _by_whole_day(used, of_steps, today)
    learnt: dict[str, list[Learnt]] = defaultdict(list)
    for key, each in sums.items():
        steps = None
        if each.meter.name in of_steps:
            steps = learn_steps(each.days, whole[key[:3]], first_day, settled_through)
        learnt[key[0]].append(_learnt(key, each, steps))
    return RateBook(
        learnt,
        {meter.name: meter for meter in table},
        card,
        used_this_month,
        explained_skus=frozenset(row.sku_id for row, _ in explained),
        modes=modes,
        today=today,
    )


def _sku_of(row: BilledDay) -> tuple[str, str, str, str]:
    return row.service_id, row.service_name, row.sku_id, row.sku


def _learnt(key: _Key, sums: _Sums, steps: Stepped | None) -> Learnt:
    _, project_id, region_id, sku = key
    skus = sums.meter.skus
    return Learnt(
        project_id,
        region_id,
        sku,
        sums.usd,
        sums.units,
        sums.quantity,
        sums.newest_day,
        mode=None if skus is None else skus.mode(sku),
        stepped=steps,
    )


def _by_whole_day(
    used: Iterable[UsedDay], meters: Collection[str], today: date
) -> Mapping[tuple[str, ...], dict[date, float]]:
    """Usage by meter, project and region, and by day: of days that are over and that were read as a whole."""
    found: dict[tuple[str, ...], dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for row in of_whole_days([row for row in used if row.meter in meters]):
        if row.day < today:
            found[row.meter, row.project_id, row.region_id][row.day] += row.amount
    return found


def _live_amounts(
    used: Iterable[UsedDay], table: Sequence[UsageMeter], modes: BillingModes
) -> Mapping[tuple[str, str, str, date], float]:
    """Usage that is paid for of the meters whose units differ from the bill's, by project, region and day."""
    own = {meter.name: meter for meter in table if meter.skus and meter.skus.rate_per == "live_unit"}
    amounts: dict[tuple[str, str, str, date], float] = defaultdict(float)
    for row in of_whole_days([row for row in used if row.meter in own]):
        paid = 1.0
        skus = own[row.meter].skus
        if skus is not None and skus.request_based_only:
            paid = 1.0 - modes.instance_share(row.project_id, row.region_id, row.resource)
        amounts[row.meter, row.project_id, row.region_id, row.day] += paid * row.amount
    return amounts
