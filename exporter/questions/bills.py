"""How far the bill of each provider reaches, and up to when it is settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from exporter.analysis.bill.coverage import covered_from
from exporter.analysis.bill.settlement import LEARNT_UNTIL
from exporter.ledger.charges.bill_begins import bill_begins
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics.billed import settled_times
from exporter.questions.cost_answer import ProviderBill
from exporter.questions.times import Slot, Span, utc_text
from exporter.sources.registry import HOURLY_BILLS

_REST_OF_DAY: Final = timedelta(hours=23)
"""A bill by the day has its cost at the day's first hour."""


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of one provider."""

    provider: str
    timezone: str
    since: datetime
    """Begin of its first usage hour, of its oldest billing account."""
    through: datetime
    """End of its last usage hour, without usage that was billed ahead."""
    last_usage: datetime
    """Begin of its last usage hour, with usage that was billed ahead."""
    settled_to: datetime
    """Where lateness is not known, what is a week older than the end of the bill is taken for settled."""


@dataclass(frozen=True, slots=True)
class Bills:
    """What answers are made from."""

    by_provider: Mapping[str, Bill]
    begins: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """Begin of the first usage hour by provider and billing account, as in the summary and the metrics."""
    missing_sources: tuple[str, ...] = ()
    """Sources that were never read to their end."""

    @property
    def zones(self) -> set[str]:
        """The zones of all billing days."""
        return {bill.timezone for bill in self.by_provider.values()}

    def settled(self, slot: Slot, providers: Sequence[str]) -> bool:
        """Whether nearly all cost of a period has arrived from these providers, or from all for none."""
        bills = [self.by_provider[provider] for provider in providers or self.by_provider]
        return bool(bills) and all(slot.ends[bill.timezone] <= bill.settled_to for bill in bills)

    def partial(self, span: Span, providers: Sequence[str]) -> bool:
        """Whether the span begins before a bill of one of these providers does, as in the summary."""
        bills = [self.by_provider[provider] for provider in providers]
        starts = {bill.provider: span.windows[bill.timezone][0] for bill in bills}
        return covered_from(self.begins, starts) is not None

    def described(self) -> list[ProviderBill]:
        """Return the bills for an answer."""
        return [
            ProviderBill(
                provider=bill.provider,
                timezone=bill.timezone,
                billed_from=utc_text(bill.since),
                billed_to=utc_text(bill.through),
                settled_to=utc_text(bill.settled_to),
            )
            for _, bill in sorted(self.by_provider.items())
        ]


def bills_of(
    view: LedgerView, zones: Mapping[str, str], now: datetime, missing_sources: Sequence[str] = ()
) -> Bills:
    """Read the bills of a view; a provider without a zone has days of UTC."""
    settled: dict[str, datetime] = {}
    for (provider, _), until in settled_times(view, now).items():
        settled[provider] = min(until, settled.get(provider, until))
    begins = bill_begins(view)
    since: dict[str, datetime] = {}
    for (provider, _), begin in begins.items():
        since[provider] = min(begin, since.get(provider, begin))
    rows = view.connection.execute(
        """SELECT provider, min(first), least(max(last), max(export)) + INTERVAL 1 HOUR, max(last) FROM (
             SELECT series_id, min(charge_period_start) AS first, max(charge_period_start) AS last,
               max(export_hour) AS export
             FROM charge GROUP BY series_id
           ) JOIN series USING (series_id) WHERE source IN (SELECT unnest($sources)) GROUP BY provider""",
        {"sources": list(view.sources)},
    ).fetchall()
    found = {
        provider: Bill(
            provider,
            zones.get(provider, "UTC"),
            # A bill without usage begins with its first charge.
            since.get(provider, _aware(first)),
            _aware(through) + (timedelta() if provider in HOURLY_BILLS else _REST_OF_DAY),
            _aware(last),
            settled.get(provider) or min(now, _aware(through)) - LEARNT_UNTIL,
        )
        for provider, first, through, last in rows
    }
    return Bills(found, begins, tuple(missing_sources))


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
