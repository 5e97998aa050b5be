"""Reads the ledger for budgets: the cost of some kinds of charges in a period, by hour and by service.

All sums are exact decimals, net of credits and gross. Kinds of charges are chosen first, each once, so that
the many rows of the ledger are summed where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.attribution import ATTRIBUTION_COLUMNS, Values
from exporter.ledger.charges.windows import LedgerView, Window

_SERIES_COLUMNS: Final = ", ".join(column for column in ATTRIBUTION_COLUMNS if column != "tags")
_BY_USE: Final = "charge_category IN ('usage', 'purchase', 'credit')"
"""Cost that follows usage, hour by hour; taxes and corrections belong to no hour."""

_ROWS_AT_ONCE: Final = 1024


class Kind(NamedTuple):
    """Charges of one series with the same tags."""

    series_id: int
    tags: str
    values: Values
    """Of ATTRIBUTION_COLUMNS."""


class Choice(NamedTuple):
    """Charges that are counted: those of a series, with these tags or (None) with any."""

    series_id: int
    tags: str | None


@dataclass(frozen=True, slots=True)
class Dollars:
    """US dollars with credits, and without."""

    net: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)

    def __add__(self, other: Dollars) -> Dollars:
        """Return the sum."""
        return Dollars(self.net + other.net, self.gross + other.gross)


NOTHING: Final = Dollars()


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The charges of a view, chosen by kind."""

    view: LedgerView

    def kinds(self, provider: str, since: datetime) -> list[Kind]:
        """Return every kind of a provider's charges since a moment of usage."""
        rows = self._rows(
            f"""SELECT DISTINCT series_id, coalesce(tags, ''), {_SERIES_COLUMNS}
                FROM charge JOIN series USING (series_id)
                WHERE provider = $provider AND charge_period_start >= $since AND {self._known()}""",
            provider=provider,
            since=naive_utc(since),
        )
        return [Kind(series_id, tags, (*values, tags)) for series_id, tags, *values in rows]

    def billed(
        self, choices: Mapping[int, Sequence[Choice]], windows: Mapping[int, Mapping[str, Window]]
    ) -> dict[int, dict[tuple[str, str], Dollars]]:
        """Return everything billed of each number's choice, by provider and service name.

        `windows` has, for each number, the window of each provider.
        """
        spans = [
            (number, provider, begin, end)
            for number, of_providers in windows.items()
            for provider, (begin, end) in of_providers.items()
        ]
        if not spans:
            return {}
        numbers, series, tags = _columns(choices)
        rows = self._rows(
            f"""WITH chosen AS (SELECT unnest($numbers::INTEGER[]) AS number,
                       unnest($series::INTEGER[]) AS series_id, unnest($tags::VARCHAR[]) AS chosen_tags),
                span AS (SELECT unnest($known_numbers::INTEGER[]) AS number,
                       unnest($providers::VARCHAR[]) AS provider,
                       unnest($begins::TIMESTAMP[]) AS begins, unnest($ends::TIMESTAMP[]) AS ends)
                SELECT number, provider, service_name, sum(billed_cost_usd),
                  coalesce(sum(billed_cost_usd) FILTER (charge_category <> 'credit'), 0)
                FROM charge JOIN series USING (series_id) JOIN chosen USING (series_id)
                  JOIN span USING (number, provider)
                WHERE (chosen_tags IS NULL OR chosen_tags = coalesce(tags, ''))
                  AND charge_period_start >= begins AND charge_period_start < ends
                  AND charge_period_start >= $first AND {self._known()}
                GROUP BY ALL""",
            numbers=numbers,
            series=series,
            tags=tags,
            known_numbers=[number for number, *_ in spans],
            providers=[provider for _, provider, *_ in spans],
            begins=[naive_utc(begin) for *_, begin, _ in spans],
            ends=[naive_utc(end) for *_, end in spans],
            first=naive_utc(min(begin for *_, begin, _ in spans)),
        )
        found: dict[int, dict[tuple[str, str], Dollars]] = {}
        for number, provider, service, net, gross in rows:
            found.setdefault(number, {})[provider, service] = Dollars(net, gross)
        return found

    def hourly(
        self, choices: Mapping[int, Sequence[Choice]], since: datetime
    ) -> dict[int, dict[str, dict[int, Dollars]]]:
        """Return what each number's choice cost since a moment, by provider and hour of usage.

        Of usage, purchases and their credits. Hours are counted since 1970-01-01 00:00 UTC.
        """
        found: dict[int, dict[str, dict[int, Dollars]]] = {}
        for number, provider, hour, net, gross in self._by_use(
            choices, "epoch(charge_period_start)::BIGINT // 3600", since
        ):
            found.setdefault(number, {}).setdefault(provider, {})[hour] = Dollars(net, gross)
        return found

    def by_service(
        self, choices: Mapping[int, Sequence[Choice]], since: datetime
    ) -> dict[int, dict[tuple[str, str], Dollars]]:
        """Return the same by provider and service name."""
        found: dict[int, dict[tuple[str, str], Dollars]] = {}
        for number, provider, service, net, gross in self._by_use(choices, "service_name", since):
            found.setdefault(number, {})[provider, service] = Dollars(net, gross)
        return found

    def usd_per(self, currencies: Collection[str], since: datetime) -> dict[str, Decimal]:
        """Return US dollars for one unit of each currency, from the usage billed in it since a moment."""
        if not currencies:
            return {}
        rows = self._rows(
            f"""SELECT billing_currency, sum(billed_cost_usd), sum(billed_cost)
                FROM charge JOIN series USING (series_id)
                WHERE billing_currency IN (SELECT unnest($currencies)) AND charge_category = 'usage'
                  AND charge_period_start >= $since AND {self._known()}
                GROUP BY ALL HAVING sum(billed_cost) > 0""",
            currencies=sorted(currencies),
            since=naive_utc(since),
        )
        return {currency: round(usd / cost, 9) for currency, usd, cost in rows}

    def _by_use(
        self, choices: Mapping[int, Sequence[Choice]], key: str, since: datetime
    ) -> Iterator[tuple[Any, ...]]:
        numbers, series, tags = _columns(choices)
        return self._rows(
            f"""WITH chosen AS (SELECT unnest($numbers::INTEGER[]) AS number,
                       unnest($series::INTEGER[]) AS series_id, unnest($tags::VARCHAR[]) AS chosen_tags)
                SELECT number, provider, {key}, sum(billed_cost_usd),
                  coalesce(sum(billed_cost_usd) FILTER (charge_category <> 'credit'), 0)
                FROM charge JOIN series USING (series_id) JOIN chosen USING (series_id)
                WHERE (chosen_tags IS NULL OR chosen_tags = coalesce(tags, ''))
                  AND charge_period_start >= $since AND {_BY_USE} AND {self._known()}
                GROUP BY ALL""",
            numbers=numbers,
            series=series,
            tags=tags,
            since=naive_utc(since),
        )

    def _known(self) -> str:
        known = self.view.exported_before
        limit = "" if known is None else f" AND export_hour < TIMESTAMP '{naive_utc(known)}'"
        return f"source IN (SELECT unnest($sources)){limit}"

    def _rows(self, sql: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        result = self.view.connection.execute(sql, {"sources": list(self.view.sources), **parameters})
        while rows := result.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def chosen(kinds: Sequence[Kind], wanted: Sequence[bool]) -> list[Choice]:
    """Return the choice of some kinds: a series whose tags all count is named once."""
    left_out = {kind.series_id for kind, counts in zip(kinds, wanted, strict=True) if not counts}
    choices: dict[Choice, None] = {}
    for kind, counts in zip(kinds, wanted, strict=True):
        if counts:
            tags = kind.tags if kind.series_id in left_out else None
            choices[Choice(kind.series_id, tags)] = None
    return list(choices)


def _columns(
    choices: Mapping[int, Sequence[Choice]],
) -> tuple[list[int], list[int], list[str | None]]:
    pairs = [(number, choice) for number, each in choices.items() for choice in each]
    return (
        [number for number, _ in pairs],
        [choice.series_id for _, choice in pairs],
        [choice.tags for _, choice in pairs],
    )
