"""Live usage by lines of the bill: the hours of usage that each SKU of a project is the price of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from exporter.analysis.bill.billing_calendar import hour_at
from exporter.analysis.unit_cost.billing_modes import BillingModes
from exporter.core.cost_cells import CostCells, Line
from exporter.core.meters import USAGE_TABLE, BillingMode, UsageMeter, explaining
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.queries import HourlyUsage, UsageView
from exporter.metrics.live_usage import read_billing_modes

LIVE_HISTORY = timedelta(days=15)
"""Live usage compared with the bill: the rate of a SKU is learnt from two weeks."""

LivePerLine = Mapping[Line, Mapping[int, float]]

_Part = tuple[str, str, BillingMode | None]
"""Resource, dimension and billing mode."""


def live_per_line(
    view: LedgerView,
    usage: UsageView,
    history: CostCells,
    now: datetime,
    *,
    span: timedelta = LIVE_HISTORY,
) -> LivePerLine:
    """Return live usage of the last `span`, by the SKUs of each project that it explains, and by hour.

    Usage of a Cloud Run service goes to the SKUs of its own billing mode.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    by_mode = {row.name for row in USAGE_TABLE if row.skus and row.skus.by_mode}
    modes = read_billing_modes(view, usage, now)
    used: dict[tuple[str, str], dict[_Part, dict[int, float]]] = {}
    for each in usage.hourly(hour - span, hour, [row.name for row in USAGE_TABLE if row.skus]):
        parts = used.setdefault((each.project_id, each.meter), {})
        for mode, share in _shares(each, modes) if each.meter in by_mode else ((None, 1.0),):
            amounts = parts.setdefault((each.resource, each.dimension, mode), {})
            _add_amounts(amounts, {hour_at(each.hour): share * each.amount})
    lines = set(history.lines)
    found: dict[Line, Mapping[int, float]] = {}
    for account, project, service_id, service, sku_id, sku in view.skus():
        line = Line(account, project, service, sku_id)
        meters = explaining(service_id, service, sku_id, sku) if line in lines else []
        if len(meters) == 1:
            amounts = _priced_by(meters[0], sku, used.get((project, meters[0].name), {}))
            if amounts:
                found[line] = amounts
    return found


def _shares(each: HourlyUsage, modes: BillingModes) -> Iterator[tuple[BillingMode | None, float]]:
    """The billing modes of a service, each with its share of the usage."""
    instance = modes.instance_share(each.project_id, each.region_id, each.resource)
    if instance < 1.0:
        yield "request", 1.0 - instance
    if instance > 0.0:
        yield "instance", instance


def _priced_by(row: UsageMeter, sku: str, parts: Mapping[_Part, Mapping[int, float]]) -> dict[int, float]:
    """Return the amounts by hour of the resources, dimensions and modes that the SKU is the price of."""
    found: dict[int, float] = {}
    for (resource, dimension, mode), amounts in parts.items():
        if row.skus is not None and mode == row.skus.mode(sku) and row.skus.prices(sku, resource, dimension):
            _add_amounts(found, amounts)
    return found


def _add_amounts(found: dict[int, float], more: Mapping[int, float]) -> None:
    for hour, amount in more.items():
        found[hour] = found.get(hour, 0.0) + amount
