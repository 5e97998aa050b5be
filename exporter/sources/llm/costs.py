"""From an LLM provider's daily cost report to charges: one partition for each UTC day.

The last days are read again each time, because providers correct them; a day that changed is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from exporter.core.charges import Charge
from exporter.sources.base import Batch, Change, RefreshContext, Rejected, Unreadable
from exporter.sources.llm.pages import EXACT, Report, Result, SetAside, SetAsideError
from exporter.sources.spool import write_spool_csv

DAY: Final = timedelta(days=1)
TRAILING_DAYS: Final = 3
"""Days before today that are read again at each refresh."""
_DAYS_AT_ONCE: Final = 31
_READING_VERSION: Final = "1"
"""Raised when the same report would be read to other charges, so that ledgers read it again."""


@dataclass(frozen=True, slots=True, order=True)
class CostLine:
    """One line of a day's bill."""

    project_id: str
    sku_id: str
    sku: str
    """The provider's own wording."""
    unit: str
    usd: Decimal
    quantity: float


@dataclass(frozen=True, slots=True)
class Biller:
    """Whose bill it is."""

    provider: str
    service_id: str
    service_name: str
    billing_account_id: str = ""
    """The organization, where several are read."""


def cost_days(
    context: RefreshContext,
    biller: Biller,
    report: Report,
    line: Callable[[Result], CostLine],
    history_days: int,
) -> Iterator[Change]:
    """Yield each day whose report differs from what the ledger has.

    `line` raises SetAsideError for a result that cannot be used. A day comes once all of its report was read;
    one that the report leaves out stays as it is. Raises SourceError.
    """
    today = context.now.astimezone(UTC).date()
    oldest = max(today - history_days * DAY, (context.oldest_kept.astimezone(UTC) + DAY).date())
    days = [oldest + number * DAY for number in range((today - oldest).days + 1)]
    missing = next((day for day in days if partition(day) not in context.known), today)
    wanted = [day for day in days if day >= min(missing, today - TRAILING_DAYS * DAY)]
    for first in range(0, len(wanted), _DAYS_AT_ONCE):
        yield from _window(context, biller, report, line, wanted[first : first + _DAYS_AT_ONCE])


def partition(day: date) -> str:
    """Key of a day's charges in the ledger."""
    return f"cost/{day.isoformat()}"


def _window(
    context: RefreshContext,
    biller: Biller,
    report: Report,
    line: Callable[[Result], CostLine],
    days: list[date],
) -> Iterator[Change]:
    if context.stopping():
        return
    strays = SetAside(report.path)
    buckets = {
        bucket.start.date(): bucket.results
        for bucket in report.read(_midnight(days[0]), _midnight(days[-1]) + DAY, strays)
    }
    context.tally.progress(f"costs up to {days[-1]} read")
    for each in strays.rejected():
        yield Unreadable(report.path, each)
    changed: list[tuple[date, list[CostLine], tuple[Rejected, ...], str]] = []
    for day in days:
        # A day that was never reported counts as empty, but not where part of the answer was unusable.
        if day not in buckets and (partition(day) in context.known or strays):
            continue
        lines, rejected = _lines_of(buckets.get(day, ()), line, f"{report.path} {day}")
        cursor = _cursor(lines, rejected)
        if context.known.get(partition(day)) != cursor:
            changed.append((day, lines, rejected, cursor))
    for number, (day, lines, rejected, cursor) in enumerate(changed, start=1):
        spool = context.spool / f"{biller.provider}-{day}.csv"
        write_spool_csv(spool, _charges(biller, day, lines, context.now))
        more = number < len(changed)
        yield Batch(partition(day), cursor, spool, len(lines), rejected, more_follow=more)


def has_same_days(context: RefreshContext, report: Report, line: Callable[[Result], CostLine]) -> bool:
    """Return whether the report has one of the last settled days exactly as `context.known` has it.

    Days without cost are the same in every organization, so they say nothing. Raises SourceError.
    """
    settled = context.now.astimezone(UTC).date() - TRAILING_DAYS * DAY
    nothing = _cursor([], ())
    known = {
        day: context.known[partition(day)]
        for day in (settled - number * DAY for number in range(_DAYS_AT_ONCE))
        if context.known.get(partition(day), nothing) != nothing
    }
    if not known:
        return False
    first, last = min(known), max(known)
    for bucket in report.read(_midnight(first), _midnight(last) + DAY, SetAside(report.path)):
        day = bucket.start.date()
        if _cursor(*_lines_of(bucket.results, line, f"{report.path} {day}")) == known.get(day):
            return True
    return False


def _lines_of(
    results: Sequence[Result], line: Callable[[Result], CostLine], place: str
) -> tuple[list[CostLine], tuple[Rejected, ...]]:
    set_aside = SetAside(place)
    lines = []
    for result in results:
        try:
            lines.append(line(result))
        except SetAsideError as error:
            set_aside.add(error.reason, str(error))
    return lines, set_aside.rejected()


def _charges(biller: Biller, day: date, lines: list[CostLine], read_at: datetime) -> Iterator[Charge]:
    """Sum the lines that agree in all but their amounts."""
    sums: dict[tuple[str, str, str, str, bool], tuple[Decimal, float]] = {}
    for each in lines:
        key = (each.project_id, each.sku_id, each.sku, each.unit, each.usd < 0)
        usd, quantity = sums.get(key, (Decimal(0), 0.0))
        sums[key] = EXACT.add(usd, each.usd), quantity + each.quantity
    for (project_id, sku_id, sku, unit, is_credit), (usd, quantity) in sums.items():
        yield Charge(
            provider=biller.provider,
            billing_account_id=biller.billing_account_id,
            project_id=project_id,
            service_id=biller.service_id,
            service_name=biller.service_name,
            sku_id=sku_id,
            sku=sku,
            region_id="",
            charge_category="credit" if is_credit else "usage",
            charge_period_start=_midnight(day),
            export_hour=read_at.replace(minute=0, second=0, microsecond=0),
            exported_at=read_at,
            invoice_month="",
            billing_currency="USD",
            billed_cost=usd,
            billed_cost_usd=usd,
            consumed_quantity=quantity,
            consumed_unit=unit,
        )


def _cursor(lines: list[CostLine], rejected: tuple[Rejected, ...]) -> str:
    """Return the same text for the same content, in whichever order it came."""
    content = repr((sorted(map(astuple, lines)), sorted(map(astuple, rejected))))
    return f"{_READING_VERSION}:{blake2b(content.encode(), digest_size=16).hexdigest()}"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
