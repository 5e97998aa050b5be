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
from exporter.sources.llm.pages import Report, Result, SetAside, SetAsideError
from exporter.sources.llm.token_prices import CACHE_WRITE, INPUT, TokenPrices, Tokens
from exporter.sources.spool import write_usage_csv

HOUR: Final = timedelta(hours=1)
TRAILING_HOURS: Final = 2
"""Hours before the last reading that are read again: reports are late by minutes, sometimes more."""
_HOURS_AT_ONCE: Final = 168

METERS: Final[Mapping[str, str]] = {
    llm_meters.TOKENS: "tokens",
    llm_meters.REQUESTS: "requests",
    llm_meters.LIST_USD: "usd",
    llm_meters.UNPRICED_TOKENS: "tokens",
    "llm_web_searches": "searches",
    "llm_file_searches": "searches",
    "llm_images": "images",
    "llm_characters": "characters",
    "llm_audio_seconds": "seconds",
    "llm_sessions": "sessions",
    "llm_vector_store_byte_seconds": "byte-seconds",
}
"""Units of all meters that LLM sources tell."""

_HALF: Final = Decimal("0.5")
LIST_PRICE_OF_TIER: Final[Mapping[str, Decimal | None]] = {
    "batch": _HALF,
    "flex": _HALF,
    "flex_discount": _HALF,
    "scale": None,
    "priority": None,
}
"""What a service tier costs of the list price, where it is not the whole; None where there is no list price:
committed capacity is paid for whether it is used or not, and prices of priority are not among the price data.
https://openai.com/api/pricing and https://platform.claude.com/docs/en/about-claude/pricing"""

_HOUR_LONG_CACHE: Final = 2
"""Writing to Anthropic's cache for an hour costs so many times what input costs, with every model:
https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one result of a report says."""

    project_id: str
    model: str
    tokens: Tokens = field(default_factory=Tokens)
    requests: int = 0
    requests_for_price: int = 0
    """Calls that the tokens are priced as; 0 where nobody knows, and none of them counts as long then."""
    hour_long_cache_write: int = 0
    """Of the tokens written to a cache, those that stay there for an hour."""
    of_list_price: Decimal | None = Decimal(1)
    """Part of the list price that holds; None where none does."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Amounts by METERS."""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """A report, and how one of its results is read; reading raises SetAsideError."""

    report: Report
    usage: Callable[[Result], Usage]


def usage_hours(
    context: RefreshContext,
    provider: str,
    reports: Sequence[UsageReport],
    prices: TokenPrices,
    first_days: int,
) -> Iterator[UsageChange]:
    """Yield what was used since the last reading, and in some hours before it; at first, in the last days.

    Hours come once all reports of them were read, since several tell of the same meters. Raises SourceError.
    """
    since, end = _span(context, first_days)
    # What a project had and no longer has is replaced by nothing.
    seen = {("", llm_meters.TOKENS), *_known(context)}
    while since < end and not context.stopping():
        until = min(since + _HOURS_AT_ONCE * HOUR, end)
        hours = UsageHours(provider, prices)
        missing: list[SourceError] = []
        for each in reports:
            try:
                yield from _read(each, since, until, hours)
            except SourceError as error:
                # Reports come and go; one that does not exist tells of nothing.
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

        def told(meter: str, dimension: str, value: Decimal | int) -> None:
            if value:
                self._sums[hour, usage.project_id, usage.model, meter, dimension] += value

        for token_type, count in usage.tokens.by_type().items():
            told(llm_meters.TOKENS, token_type, count)
        told(llm_meters.REQUESTS, "", usage.requests)
        for meter, value in usage.others.items():
            told(meter, "", value)
        usd = self._usd(hour, usage)
        if usd is None:
            for token_type, count in usage.tokens.by_type().items():
                told(llm_meters.UNPRICED_TOKENS, token_type, count)
        else:
            for token_type, part in usd.items():
                told(llm_meters.LIST_USD, token_type, part)

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

    def _usd(self, hour: datetime, usage: Usage) -> Mapping[str, Decimal] | None:
        """What the tokens cost by token type; None where nobody knows."""
        if usage.of_list_price == 0:
            return {}
        if usage.of_list_price is None:
            return None
        calls = usage.requests_for_price
        priced = self._prices.price(self._provider, usage.model, usage.tokens, hour, requests=calls)
        if priced is None:
            return None
        parts = dict(priced.by_token_type) or {"": priced.usd}
        if usage.hour_long_cache_write:
            # Priced as input of as many tokens in all, so that the same prices for a long context hold.
            everything = usage.tokens.all_input
            plain = self._prices.price(self._provider, usage.model, Tokens(everything), hour, requests=calls)
            if plain is None or CACHE_WRITE not in parts:
                return None
            usd_per_input = plain.by_token_type[INPUT] / everything
            short = usage.tokens.cache_write - usage.hour_long_cache_write
            parts[CACHE_WRITE] = (
                parts[CACHE_WRITE] * short / usage.tokens.cache_write
                + _HOUR_LONG_CACHE * usd_per_input * usage.hour_long_cache_write
            )
        return {token_type: part * usage.of_list_price for token_type, part in parts.items()}
