"""Which invoice a row lands on, and what an invoice adds of its own: tax, rounding, goodwill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from exporter.simulator.chance import stream, uniform
from exporter.simulator.google.company import Account
from exporter.simulator.google.usage import MICROS, Usage
from exporter.simulator.moment import MICROSECONDS_PER_HOUR, month_first_hour, next_month

CLOSING_HOURS: Final = 60
"""So long after the end of a Pacific month its invoice still takes rows; later ones go to the next."""

_CENT: Final = MICROS // 100
_ISSUED_AFTER_HOURS: Final = 80.0
_GOODWILL_USAGE_HOURS: Final = 11 * 24 + 20
_GOODWILL_EXPORT_HOURS: Final = 18 * 24 + 9.4


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount that belongs to no project, dated at one hour and exported on its own."""

    kind: Literal["tax", "rounding_error", "adjustment"]
    account: Account
    hour: int
    invoice_month: str
    exported_microseconds: int
    micros: Callable[[], int]
    """Millionths of the billing currency; computed on demand, because tax needs the whole month."""


def invoice_month(usage_month: str, export_hour: int, month_of: Callable[[int], str]) -> str:
    """Invoice of a row: that of the usage, unless it was closed before the export."""
    return max(usage_month, month_of(export_hour - CLOSING_HOURS))


class Invoices:
    """The postings of each account and month; it remembers the month totals that tax is taken from."""

    def __init__(self, seed: int, usage: Usage) -> None:
        self._seed = seed
        self._usage = usage
        self._nets: dict[tuple[str, str], int] = {}

    def postings(self, account: Account, month: str) -> list[Posting]:
        """Everything an account is charged for a Pacific month (YYYYMM) in addition to its usage."""
        begin, end = month_first_hour(month), month_first_hour(next_month(month))
        key = stream(self._seed, "invoice", account.id, month)
        issued = int((end + _ISSUED_AFTER_HOURS + 10.0 * uniform(key, 0)) * MICROSECONDS_PER_HOUR)
        given = int((begin + _GOODWILL_EXPORT_HOURS + uniform(key, 1)) * MICROSECONDS_PER_HOUR)
        goodwill = -_CENT * (1500 + int(6000 * uniform(key, 2)))
        found = [
            Posting("tax", account, end - 1, month, issued, lambda: self._tax(account, month)),
            Posting(
                "rounding_error", account, end - 1, month, issued, lambda: self._rounding(account, month)
            ),
        ]
        if account.usd_rate == 1.0:
            hour = begin + _GOODWILL_USAGE_HOURS
            found.append(Posting("adjustment", account, hour, month, given, lambda: goodwill))
        return [posting for posting in found if posting.hour >= self._usage.first_hour]

    def _tax(self, account: Account, month: str) -> int:
        return round(self._net(account, month) * account.tax_rate / _CENT) * _CENT

    def _rounding(self, account: Account, month: str) -> int:
        """What brings the month's usage as at first billed to whole cents."""
        net = self._net(account, month)
        return round(net / _CENT) * _CENT - net

    def _net(self, account: Account, month: str) -> int:
        """Usage of a month as at first billed, in millionths."""
        if (account.id, month) not in self._nets:
            hours = range(month_first_hour(month), month_first_hour(next_month(month)))
            uses = (found for hour in hours for found in self._usage.uses(hour))
            totals: dict[str, int] = {}
            for meter, use in uses:
                totals[meter.account.id] = totals.get(meter.account.id, 0) + use.net_micros
            self._nets.update({(id_, month): total for id_, total in totals.items()})
        return self._nets.get((account.id, month), 0)
