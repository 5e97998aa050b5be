"""What `spend-exporter check` reports on cost attribution: how the rules split the bill, and the units.

The rules are tried on the charges in the ledger, which stays unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from exporter.analysis.bill.attribution import Assessment, Attribution, Combination
from exporter.cli.commands.check_ledger import charges_of
from exporter.core.charges import tags_of
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics.attribution import recent_costs
from exporter.sources.base import Finding
from exporter.sources.prometheus_units import UnitCounts, UnitFailure
from exporter.wiring.attribution import ConfiguredAttribution

LOOKED_AT: Final = timedelta(days=31)
"""The rules are tried on the usage of this time."""

_CONFLICTS_SHOWN: Final = 5

Costs = Sequence[tuple[Combination, Decimal]]


def attribution_findings(
    configured: ConfiguredAttribution,
    ledger: Path,
    sources: Sequence[str],
    timezones: Mapping[str, str],
    now: datetime,
) -> Iterator[Finding]:
    """Report how the rules split the recent charges in the ledger; nothing where nothing is configured.

    `sources` are the names of those that are on, `timezones` the billing zone of each provider.
    """
    if not configured.attribution.rules and not configured.kept_tags:
        return
    costs = _recent_costs(ledger, sources, timezones, now)
    if isinstance(costs, str):
        yield Finding(True, "categories", f"not tried: {costs}")
        return
    if configured.attribution.rules:
        yield from _of_rules(configured.attribution.assess(costs), configured.attribution)
    yield from _of_tags(configured.kept_tags, costs)


def unit_findings(units: UnitCounts, now: datetime) -> Iterator[Finding]:
    """Query the number of each unit and report the result."""
    for name, found in units.read(now).items():
        if isinstance(found, UnitFailure):
            yield Finding(False, f"unit {name}", found.text)
        else:
            yield Finding(True, f"unit {name}", f"{found:g} yesterday", warning=found == 0)


def _recent_costs(
    ledger: Path, sources: Sequence[str], timezones: Mapping[str, str], now: datetime
) -> Costs | str:
    """Net cost of the recent charges, or the reason why the rules cannot be tried."""
    connection = charges_of(ledger)
    if isinstance(connection, str):
        return connection
    with connection:
        costs = recent_costs(LedgerView(connection, sources), timezones, now - LOOKED_AT)
    return costs or f"{ledger} has no charges of the last {LOOKED_AT.days} days"


def _of_rules(found: Assessment, attribution: Attribution) -> Iterator[Finding]:
    amounts = ", ".join(
        f"{category} {_dollars(found.usd_by_category.get(category, Decimal(0)))}"
        for category in attribution.categories
    )
    yield Finding(True, "categories", f"net cost of the last {LOOKED_AT.days} days: {amounts}")
    for rule in found.never_matched:
        detail = f"{rule.place} matches no charge of the last {LOOKED_AT.days} days"
        yield Finding(True, "rule without effect", detail, warning=True)
    for rule in found.shadowed:
        detail = f"everything that {rule.place} matches goes to rules above it: move it up, or remove it"
        yield Finding(True, "rule without effect", detail, warning=True)
    for conflict in found.conflicts[:_CONFLICTS_SHOWN]:
        detail = (
            f"{conflict.winner.place} and {conflict.loser.place} both match {_dollars(conflict.usd)}; "
            "the first one wins"
        )
        yield Finding(True, "rules in conflict", detail, warning=True)
    more = len(found.conflicts) - _CONFLICTS_SHOWN
    if more > 0:
        yield Finding(True, "rules in conflict", f"and {more} smaller ones", warning=True)


def _of_tags(kept: Sequence[str], costs: Costs) -> Iterator[Finding]:
    seen = {name for text in {charge.tags for charge, _ in costs} for name in tags_of(text)}
    missing = [name for name in kept if name not in seen]
    if missing:
        detail = (
            f"no charge of the last {LOOKED_AT.days} days has {', '.join(missing)}: check the spelling; "
            "keys that are new in the configuration are read from the next start on"
        )
        yield Finding(True, "labels", detail, warning=True)


def _dollars(usd: Decimal) -> str:
    return f"{'-' if usd < 0 else ''}${abs(usd):,.2f}"
