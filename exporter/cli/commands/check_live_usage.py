"""What `spend-exporter check` reports on live usage: which SKUs of the recent bill it does not cover.

Their cost is in no live figure, so it is named with its dollars. The ledger stays unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from exporter.analysis.unit_cost.coverage import ServiceCoverage, coverage
from exporter.cli.commands.check_ledger import charges_of
from exporter.core.meters import BILLED_ALONE, SERVICE_NAMES, USAGE_TABLE
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.usage.queries import SkuDay, sku_days
from exporter.sources.base import Finding

LOOKED_AT: Final = timedelta(days=7)
"""Usage of this time is looked at."""

_SHOWN: Final = 6
_LEAST_USD: Final = 0.005


def live_usage_findings(ledger: Path, sources: Sequence[str], now: datetime) -> Iterator[Finding]:
    """Report what live usage does not cover of the recent bill, service by service.

    `sources` are the names of those that are on and read a bill.
    """
    billed = _recent(ledger, sources, now)
    if isinstance(billed, str):
        yield Finding(True, "coverage", f"not looked at: {billed}")
        return
    for service in coverage(billed):
        for sku, meters in service.disputed:
            detail = (
                f"{sku} of {service.service_name} is claimed by the usage meters {' and '.join(meters)}, so "
                "none of them prices it: please report it"
            )
            yield Finding(False, "coverage", detail)
        yield _of_service(service)


def _of_service(service: ServiceCoverage) -> Finding:
    within = f"in the last {LOOKED_AT.days} days"
    named = [(sku, usd) for sku, usd in service.uncovered_usd if usd >= _LEAST_USD]
    if not named:
        detail = f"all of ${service.usd:,.2f} {within} has live usage"
        return Finding(True, service.service_name, detail)
    skus = [f"{sku} ${usd:,.2f}" for sku, usd in named[:_SHOWN]]
    if len(named) > _SHOWN:
        skus.append(f"{len(named) - _SHOWN} more ${sum(usd for _, usd in named[_SHOWN:]):,.2f}")
    left = sum(usd for _, usd in named)
    detail = (
        f"${left:,.2f} of ${service.usd:,.2f} {within} is in SKUs without live usage, "
        f"known from the bill alone: {'; '.join(skus)}"
    )
    return Finding(True, service.service_name, detail)


def _recent(ledger: Path, sources: Sequence[str], now: datetime) -> list[SkuDay] | str:
    connection = charges_of(ledger)
    if isinstance(connection, str):
        return connection
    metered = {SERVICE_NAMES.get(row.service_id, row.service_id) for row in USAGE_TABLE if row.skus}
    with connection:
        billed = sku_days(
            LedgerView(connection, sources), now - LOOKED_AT, now, sorted(metered | BILLED_ALONE)
        )
    return billed or f"{ledger} has no charges of services with live usage in the last {LOOKED_AT.days} days"
