"""Cost of the latest settled billing day, of the day before it, and of the same weekday a week before.

Days that are still growing are left out, so that a rise from one day to the next is a rise in spending.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.analysis.bill.spikes import COMPARED_DAYS, recurring_usd
from exporter.analysis.bill.windows import billing_day
from exporter.ledger.charges.windows import LABEL_COLUMNS, LedgerView, Window
from exporter.metrics import families as metrics
from exporter.metrics.billed import settled_times
from exporter.metrics.families import FamilySamples

DAYS_BEFORE: Final = (0, 1, 7)

_READ_DAYS: Final = range(COMPARED_DAYS + 1)

_SERVICE: Final = LABEL_COLUMNS.index("service_name")


def settled_day_families(
    view: LedgerView, now: datetime, timezones: Mapping[str, str]
) -> list[FamilySamples]:
    """Return the days' net cost by service, and the cost that only some of the days before have.

    A service without cost on a day has 0 for it. Days before the start of the bill are left out. `timezones`
    has the billing zone of each provider.
    """
    samples: list[tuple[tuple[str, ...], float]] = []
    recurring: list[tuple[tuple[str, ...], float]] = []
    for provider, windows in settled_days(view, now, timezones).items():
        days = {str(before): window for before, window in enumerate(windows)}
        sums: dict[str, list[Decimal]] = {}
        known = [False] * len(days)
        for labels, usd in view.window_sums(provider, days):
            total = sums.setdefault(labels[_SERVICE], [Decimal(0)] * len(days))
            for at, each in enumerate(usd):
                total[at] += each or 0
                known[at] |= each is not None
        samples += [
            ((provider, service, str(at)), float(f"{total[at]:.15g}"))
            for service, total in sorted(sums.items())
            for at in DAYS_BEFORE
            if known[at]
        ]
        for service, total in sorted(sums.items()):
            reached = recurring_usd([float(total[at]) for at in _READ_DAYS[1:] if known[at]])
            if reached is not None:
                recurring.append(((provider, service), float(f"{reached:.15g}")))
    return [
        FamilySamples(metrics.SPEND_SETTLED_DAY_USD, samples),
        FamilySamples(metrics.SPEND_SETTLED_DAY_RECURRING_USD, recurring),
    ]


def settled_days(
    view: LedgerView, now: datetime, timezones: Mapping[str, str]
) -> dict[str, tuple[Window, ...]]:
    """Return the latest settled billing day of each provider, and the days before it."""
    settled: dict[str, datetime] = {}
    for (provider, _), through in settled_times(view, now).items():
        settled[provider] = min(through, settled.get(provider, through))
    found: dict[str, tuple[Window, ...]] = {}
    for provider, through in sorted(settled.items()):
        # At a midnight, the day of the moment just before is complete.
        last = through - timedelta(microseconds=1)
        ends = billing_day(last, timezones[provider], 0)[1]
        skipped = 0 if ends <= through else 1
        found[provider] = tuple(
            billing_day(last, timezones[provider], before + skipped) for before in _READ_DAYS
        )
    return found
