"""Where the bill begins, and which of the shown periods are therefore partial."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from exporter.analysis.bill.coverage import BillCoverage
from exporter.analysis.bill.windows import billing_windows
from exporter.ledger.charges.bill_begins import bill_begins
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples


def bill_coverage(view: LedgerView, now: datetime, timezones: Mapping[str, str]) -> BillCoverage:
    """Return what the bill covers of the windows at `now`; `timezones` has the zone of each provider."""
    begins = bill_begins(view)
    zones = {provider: timezones[provider] for provider, _ in begins if provider in timezones}
    windows = {provider: billing_windows(now, zone) for provider, zone in zones.items()}
    return BillCoverage(begins, windows, zones)


def coverage_families(coverage: BillCoverage) -> list[FamilySamples]:
    """Return where each bill begins, and for each provider and window whether it is partial."""
    return [
        FamilySamples(
            metrics.SPEND_BILLED_SINCE,
            [(bill, begin.timestamp()) for bill, begin in sorted(coverage.begins.items())],
        ),
        FamilySamples(
            metrics.SPEND_PERIOD_PARTIAL,
            [((provider, name), float(partial)) for provider, name, partial in coverage.partial()],
        ),
    ]
