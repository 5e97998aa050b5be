"""Reads the ledger for history: net cost of each billing day by parts that rules make, such as categories.

All sums are exact decimals, and the parts of a day sum to what was divided: beyond the MOST_PARTS largest of
a day a part is added to the one that it is folded into. A day without a charge is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from exporter.core.sql_times import sql_time
from exporter.ledger.charges.attribution import ATTRIBUTION_COLUMNS, Values
from exporter.ledger.charges.billing_days import BILLING_DAY, SHIFTS, shifts
from exporter.ledger.charges.windows import LedgerView, Window

MOST_PARTS: Final = 100
"""The most parts of one day and provider that have a series of their own; the same as for labels now."""

_COLUMNS: Final = ", ".join(column for column in ATTRIBUTION_COLUMNS if column != "tags")


class Part(NamedTuple):
    """What a charge counts in: values of the labels after `provider`."""

    labels: tuple[str, ...]
    folded_into: tuple[str, ...] | None
    """The part that it is added to where it is small; None where it always has its own series."""


@dataclass(frozen=True, slots=True)
class Division:
    """A way to divide the cost of days."""

    name: str
    labels: tuple[str, ...]
    """Names of the labels after `provider`; at most three."""
    parts: Callable[[Values], Sequence[Part]]
    """Returns the parts that a charge counts in, given its values of ATTRIBUTION_COLUMNS; or nothing."""


class DailyPart(NamedTuple):
    """Net cost of a part on one billing day."""

    labels: tuple[str, ...]
    day: datetime
    """Midnight UTC of the day's date."""
    usd: Decimal | None
    """None where only sources have charges of it that do not count."""


def daily_parts(
    view: LedgerView,
    division: Division,
    zones: Mapping[str, str],
    window: Window,
    *,
    provider: str | None = None,
    most: int = MOST_PARTS,
) -> list[DailyPart]:
    """Return the parts of the billing days of usage in the window, one series after the other, by day.

    `zones` are the billing zones by provider; others have days of UTC. A day that the window cuts is there
    with a part of its cost. Charges of other sources than the view's count as unknown.
    """
    used = f"charge_period_start >= {sql_time(window[0])} AND charge_period_start < {sql_time(window[1])}"
    known = f"export_hour < {sql_time(view.exported_before)}" if view.exported_before else "true"
    chosen = "true" if provider is None else "provider = $provider"
    parameters: dict[str, object] = {} if provider is None else {"provider": provider}
    kinds = view.connection.execute(
        f"""SELECT series_id, tags, {_COLUMNS}
            FROM (SELECT DISTINCT series_id, coalesce(tags, '') AS tags FROM charge WHERE {used} AND {known})
            JOIN series USING (series_id) WHERE {chosen}""",
        parameters,
    )
    parted = _parted(kinds.fetchall(), division)
    if not parted["series"]:
        return []
    rows = view.connection.execute(
        f"""WITH parted AS (
              SELECT unnest($series::INTEGER[]) AS series_id, unnest($tags::VARCHAR[]) AS part_tags,
                unnest($own::VARCHAR[][]) AS own, unnest($folded::VARCHAR[][]) AS folded
            ), daily AS (
              SELECT provider, own, folded, {BILLING_DAY} AS day,
                sum(billed_cost_usd) FILTER (source IN (SELECT unnest($sources))) AS usd
              FROM charge JOIN series USING (series_id)
              JOIN parted ON charge.series_id = parted.series_id AND coalesce(charge.tags, '') = part_tags
              LEFT JOIN {SHIFTS} ON shifted_provider = provider
                AND charge_period_start >= shifted_from AND charge_period_start < shifted_until
              WHERE {used} AND {known} GROUP BY ALL
            ), ranked AS (
              SELECT *, row_number() OVER (
                PARTITION BY provider, day, folded ORDER BY abs(usd) DESC NULLS LAST, own
              ) AS place FROM daily
            )
            SELECT provider,
              CASE WHEN folded IS NULL OR usd IS NULL OR place <= $most THEN own ELSE folded END AS labels,
              epoch(day)::BIGINT, sum(usd)
            FROM ranked GROUP BY ALL ORDER BY ALL""",
        {
            **parted,
            "sources": list(view.sources),
            "most": most,
            **shifts(zones, window),
        },
    ).fetchall()
    return [
        DailyPart((of, *labels), datetime.fromtimestamp(seconds, UTC), usd)
        for of, labels, seconds, usd in rows
    ]


def _parted(kinds: Sequence[tuple[Any, ...]], division: Division) -> dict[str, list[object]]:
    """Return the parts of each kind of charge, as columns."""
    found: dict[str, list[object]] = {"series": [], "tags": [], "own": [], "folded": []}
    for series_id, tags, *values in kinds:
        for part in division.parts((*values, tags)):
            found["series"].append(series_id)
            found["tags"].append(tags)
            found["own"].append(list(part.labels))
            found["folded"].append(None if part.folded_into is None else list(part.folded_into))
    return found
