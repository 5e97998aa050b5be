"""From an LLM provider's hourly usage report to usage points: tokens, requests, list prices.

The last hours are read again each time and replaced, in every meter of every project that was seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.core.errors import SourceError
from exporter.sources.base import HoursRead, RefreshContext, Unreadable, UsageBatch, UsageChange
from exporter.sources.llm.pages import Report, Result, SetAside, SetAsideError, unknown_counts
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.llm.tokens import STANDARD, Terms, Tokens
from exporter.sources.spool import write_usage_csv

HOUR: Final = timedelta(hours=1)
TRAILING_HOURS: Final = 2
"""Hours before the last reading that are read again: reports come minutes late, sometimes later."""
_HOURS_AT_ONCE: Final = 168

METERS: Final[Mapping[str, str]] = {
    llm_meters.TOKENS: "tokens",
    llm_meters.REQUESTS: "requests",
    llm_meters.LIST_USD: "usd",
    llm_meters.UNPRICED_TOKENS: "tokens",
    **llm_meters.FEES,
}
"""Units of all meters that LLM sources write."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one result of a report contains."""

    project_id: str
    model: str
    tokens: Tokens = field(default_factory=Tokens)
    requests: int = 0
    requests_for_price: int = 0
    """Calls that the tokens are priced as; 0 where their number is unknown, and none counts as long then."""
    longest_call: int | None = None
    """Input tokens that no single call had more of, where only that is known."""
    terms: Terms = STANDARD
    free: bool = False
    """Whether nothing is charged for it."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Amounts by METERS."""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """A report, and how one of its results is read; reading raises SetAsideError."""

    report: Report
    usage: Callable[[Result], Usage]
    known_counts: frozenset[str] = frozenset()
    """Fields with cached, audio, image or reasoning tokens that `usage` reads, or that it may ignore."""

    def report_unknown_counts(self, result: Result, set_aside: SetAside) -> None:
        """Note the fields of a result that may have their own price and are not known."""
        for name in unknown_counts(result, self.known_counts):
            detail = f"`{name}` is not known; if such tokens have their own price, it is not used"
            set_aside.add("unknown_token_key", detail)


def usage_hours(
    context: RefreshContext,
    provider: str,
    reports: Sequence[UsageReport],
    prices: TokenPrices,
    first_days: int,
) -> Iterator[UsageChange]:
    """Yield what was used since the last reading, and in some hours before it; at first, in the last days.

    Hours come once all reports of them were read, since several have the same meters. Raises SourceError.
    """
    since, end = _span(context, first_days)
    # What a project had and no longer has is removed.
    seen = {("", llm_meters.TOKENS), *_known(context)}
    while since < end and not context.stopping():
        until = min(since + _HOURS_AT_ONCE * HOUR, end)
        hours = UsageHours(provider, prices)
        missing: list[SourceError] = []
        for each in reports:
            try:
                yield from _read(each, since, until, hours)
            except SourceError as error:
                # Reports come and go; one that does not exist has no usage.
                if error.reason != "not_found":
                    raise
                missing.append(error)
            if context.stopping():
                return
        if len(missing) == len(reports):
            raise missing[0]
        through = min(until, context.now)
        seen |= hours.seen()
        reads = tuple(
            HoursRead(project_id, meter, since, until, through, through.isoformat())
            for project_id, meter in sorted(seen)
        )
        spool = context.spool / f"{provider}-usage-{since:%Y%m%d%H}.csv"
        write_usage_csv(spool, hours.points())
        context.tally.progress(f"usage up to {until:%Y-%m-%d %H:%M} read")
        yield UsageBatch(reads, spool, len(hours))
        since = until


def _read(each: UsageReport, since: datetime, until: datetime, hours: UsageHours) -> Iterator[Unreadable]:
    set_aside = SetAside(each.report.path)
    for bucket in each.report.read(since, until, set_aside):
        for result in bucket.results:
            try:
                hours.add(bucket.start, each.usage(result))
            except SetAsideError as error:
                set_aside.add(error.reason, str(error))
                continue
            each.report_unknown_counts(result, set_aside)
    for rejected in set_aside.rejected():
        yield Unreadable(each.report.path, rejected)


def _span(context: RefreshContext, first_days: int) -> tuple[datetime, datetime]:
    now = _hour_of(context.now)
    cursors = []
    for pair in _known(context):
        try:
            cursors.append(datetime.fromisoformat(context.known["/".join(pair)]))
        except ValueError:
            cursors.append(now - timedelta(days=first_days))
    since = _hour_of(min(cursors)) - TRAILING_HOURS * HOUR if cursors else now - timedelta(days=first_days)
    # A clock that was ahead must not leave out what it has yet to come to.
    since = min(since, now - TRAILING_HOURS * HOUR)
    return max(since, _hour_of(context.oldest_kept) + HOUR), now + HOUR


def _known(context: RefreshContext) -> list[tuple[str, str]]:
    pairs = (key.rpartition("/")[::2] for key in context.known)
    return [(project_id, meter) for project_id, meter in pairs if meter in METERS]


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class UsageHours:
    """Sums usage by hour, project, model, meter and dimension."""

    def __init__(self, provider: str, prices: TokenPrices) -> None:
        self._provider = provider
        self._prices = prices
        self._sums: defaultdict[tuple[datetime, str, str, str, str], Decimal] = defaultdict(Decimal)

    def __len__(self) -> int:
        """Points that there are."""
        return len(self._sums)

    def add(self, hour: datetime, usage: Usage) -> None:
        """Count one result of a report."""

        def count(meter: str, dimension: str, value: Decimal | int) -> None:
            if value:
                self._sums[hour, usage.project_id, usage.model, meter, dimension] += value

        for token_type, tokens in usage.tokens.by_type().items():
            count(llm_meters.TOKENS, token_type, tokens)
        count(llm_meters.REQUESTS, "", usage.requests)
        for meter, value in usage.others.items():
            count(meter, "", value)
        if usage.free:
            return
        priced = self._prices.price(
            self._provider,
            usage.model,
            usage.tokens,
            hour,
            requests=usage.requests_for_price,
            longest_call=usage.longest_call,
            terms=usage.terms,
        )
        for token_type, part in (priced.by_token_type if priced else {}).items():
            count(llm_meters.LIST_USD, token_type, part)
        for token_type, tokens in (priced.unpriced if priced else usage.tokens.by_type()).items():
            count(llm_meters.UNPRICED_TOKENS, token_type, tokens)

    def seen(self) -> set[tuple[str, str]]:
        """Return project and meter of all points."""
        return {(project_id, meter) for _, project_id, _, meter, _ in self._sums}

    def points(self) -> Iterator[UsagePoint]:
        """Yield one point for each sum, of the whole hour."""
        for (hour, project_id, model, meter, dimension), value in sorted(self._sums.items()):
            yield UsagePoint(
                provider=self._provider,
                project_id=project_id,
                region_id="",
                service_id="",
                resource=model,
                revision="",
                meter=meter,
                dimension=dimension,
                start=hour,
                end=hour + HOUR,
                value=float(value),
                unit=METERS[meter],
            )
