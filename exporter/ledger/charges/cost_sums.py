"""Reads the ledger for questions: sums of chosen kinds of charges, by group and by day or hour.

A kind is a series, with its tags and unit only where a question needs them: then charges are read once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from exporter.core.charges import SERIES_COLUMNS
from exporter.core.sql_times import sql_time
from exporter.ledger.charges.windows import LedgerView, Window

Amount = Literal["billed", "listed", "unlisted", "quantity"]
"""What is summed: US dollars as billed; those at list prices, of charges that have one; dollars as billed of
charges that have none; or the quantity."""

NumberedBy = Literal["hour", "day", "whole"]
"""Hours since 1970-01-01 00:00 UTC, billing days since 1970-01-01, or 0 for everything."""

Sums = tuple[int, int, Decimal | float]
"""Number of the group, number of the hour or day, amount."""

_SUMS: Final[Mapping[Amount, str]] = {
    "billed": "sum(billed_cost_usd)",
    "listed": "sum(billed_cost_usd + list_above_billed_usd)",
    "unlisted": "sum(billed_cost_usd) FILTER (list_above_billed_usd IS NULL)",
    "quantity": "sum(consumed_quantity)",
}
_ROWS_AT_ONCE: Final = 1024
_SERIES: Final = ", ".join(SERIES_COLUMNS)


class ChargeSeries(NamedTuple):
    """The dimensions of a series of charges."""

    provider: str
    billing_account_id: str
    project_id: str
    service_id: str
    service_name: str
    sku_id: str
    sku: str
    region_id: str
    charge_category: str


class ChargeKind(NamedTuple):
    """Charges of one series; `tags` and `unit` are empty where they are not kept apart."""

    series_id: int
    tags: str
    unit: str


class ChosenKind(NamedTuple):
    """A kind that is summed, and the number of its group."""

    kind: ChargeKind
    group: int
    zone: str


@dataclass(frozen=True, slots=True)
class CostSums:
    """Sums over the charges of a view."""

    view: LedgerView

    def series(self) -> dict[int, ChargeSeries]:
        """Return every series, by id."""
        rows = self._rows(
            f"SELECT series_id, {_SERIES} FROM series WHERE source IN (SELECT unnest($sources))",
            sources=list(self.view.sources),
        )
        return {series_id: ChargeSeries(*values) for series_id, *values in rows}

    def kinds(self, series: Sequence[int], span: Window, *, tags: bool, units: bool) -> Iterator[ChargeKind]:
        """Yield the kinds of some series' charges; for tags or units, of those in the span."""
        if not tags and not units:
            yield from (ChargeKind(series_id, "", "") for series_id in series)
            return
        rows = self._rows(
            f"""SELECT DISTINCT series_id, {"coalesce(tags, '')" if tags else "''"},
                  {"consumed_unit" if units else "''"}
                FROM charge SEMI JOIN (SELECT unnest($series::INTEGER[]) AS series_id) USING (series_id)
                WHERE charge_period_start >= {sql_time(span[0])}
                  AND charge_period_start < {sql_time(span[1])}""",
            series=list(series),
        )
        yield from (ChargeKind(*row) for row in rows)

    def sums(
        self,
        chosen: Sequence[ChosenKind],
        windows: Mapping[str, Window],
        by: NumberedBy,
        *,
        tags: bool,
        units: bool,
        amount: Amount = "billed",
    ) -> Iterator[Sums]:
        """Yield the sums of the chosen kinds in the window of their zone, where there is anything to sum.

        `tags` and `units` are as the kinds were read.
        """
        chosen = [each for each in chosen if each.zone in windows]
        if not chosen:
            return
        zones = sorted(windows)
        places = {zone: place for place, zone in enumerate(zones)}
        inside = " OR ".join(
            f"(zone = {place} AND charge_period_start >= {sql_time(windows[zone][0])} "
            f"AND charge_period_start < {sql_time(windows[zone][1])})"
            for zone, place in places.items()
        )
        first, end = (min(begin for begin, _ in windows.values()), max(end for _, end in windows.values()))
        yield from self._rows(
            f"""WITH chosen AS (
                  SELECT unnest($series::INTEGER[]) AS series_id, unnest($groups::INTEGER[]) AS number,
                    unnest($zones::TINYINT[]) AS zone
                    {", unnest($tags::VARCHAR[]) AS chosen_tags" if tags else ""}
                    {", unnest($units::VARCHAR[]) AS chosen_unit" if units else ""}
                )
                SELECT number, {_numbered(by, windows, places)} AS period,
                  {_SUMS[amount]} AS amount
                FROM charge JOIN chosen ON charge.series_id = chosen.series_id
                  {"AND coalesce(charge.tags, '') = chosen_tags" if tags else ""}
                  {"AND consumed_unit = chosen_unit" if units else ""}
                WHERE charge_period_start >= {sql_time(first)} AND charge_period_start < {sql_time(end)}
                  AND ({inside if len(zones) > 1 else "true"})
                GROUP BY number, period HAVING amount IS NOT NULL""",
            series=[each.kind.series_id for each in chosen],
            groups=[each.group for each in chosen],
            zones=[places[each.zone] for each in chosen],
            **({"tags": [each.kind.tags for each in chosen]} if tags else {}),
            **({"units": [each.kind.unit for each in chosen]} if units else {}),
        )

    def _rows(self, sql: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        result = self.view.connection.execute(sql, parameters)
        while rows := result.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _numbered(by: NumberedBy, windows: Mapping[str, Window], places: Mapping[str, int]) -> str:
    """Return SQL for the number of a charge's hour or billing day, in whole microseconds for speed."""
    if by == "whole":
        return "0"
    if by == "hour":
        return "epoch_us(charge_period_start) // 3600000000"
    cases = " ".join(f"WHEN {place} THEN {_shift(zone, windows[zone])}" for zone, place in places.items())
    return f"(epoch_us(charge_period_start) + CASE zone {cases} END) // 86400000000"


def _shift(zone: str, window: Window) -> str:
    """Return SQL for what a zone's clocks add to UTC, in microseconds."""
    changes = list(_changes(ZoneInfo(zone), *window))
    earlier = " ".join(
        f"WHEN charge_period_start < {sql_time(at)} THEN {shift}" for shift, at in changes[:-1]
    )
    return f"CASE {earlier} ELSE {changes[-1][0]} END" if earlier else str(changes[-1][0])


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[tuple[int, datetime]]:
    """Yield what the clocks add, and until when; they change at whole hours of UTC."""
    hour, day = timedelta(hours=1), timedelta(days=1)
    at = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    shift = _added(zone, at)
    while at < end:
        if _added(zone, at + day) != shift:
            while _added(zone, at) == shift:
                at += hour
            yield shift, at
            shift = _added(zone, at)
        else:
            at += day
    yield shift, end


def _added(zone: ZoneInfo, moment: datetime) -> int:
    return (moment.astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)
