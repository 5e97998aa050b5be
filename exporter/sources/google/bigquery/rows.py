"""Turns the result rows of a charges query into charges, and counts what was set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, Final

from exporter.core.charges import Charge, tags_text
from exporter.core.kept_tags import KeptTag, cursor_mark
from exporter.sources.base import Rejected
from exporter.sources.google.bigquery.sql import DIMENSIONS, tag_column
from exporter.sources.google.bigquery.unreadable import UNREADABLE, unreadable
from exporter.sources.google.export.sql import INVOICE_ONLY, REASONS

_READING_VERSION: Final = "3"
"""Raised when the same rows would be read to other charges, so that ledgers read them again."""

_EIGHTEEN_DECIMALS: Final = Decimal("1e-18")
_MONEY: Final = Context(prec=60)


@dataclass(slots=True)
class PartitionCharges:
    """The charges of one partition, and the counts that are known once all were taken."""

    place: str
    """Table and partition, for people."""
    kept: tuple[KeptTag, ...] = ()
    """The labels and tags that the query keeps."""
    charges: int = 0
    rows: int = 0
    """Export rows that the charges were made from."""
    refused_rows: int = 0
    latest_export: datetime | None = None
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def cursor(self) -> str:
        """State of the partition as it was read; a later query of its state gives the same when unchanged."""
        return cursor_of(self.latest_export, self.rows + self.refused_rows, self.kept)

    def take(self, groups: Iterable[Mapping[str, Any]]) -> Iterator[Charge]:
        """Yield a charge for each group of rows that count, at least on their invoice. Raises SourceError."""
        for group in groups:
            try:
                if group["part"] == "cost":
                    self._count(group)
                counts = group["reason"] is None or group["reason"] in INVOICE_ONLY
                charge = _charge(group, self.kept) if counts else None
            except UNREADABLE as error:
                raise unreadable(error, f"reading the charges of {self.place}") from error
            if charge is not None:
                self.charges += 1
                yield charge

    def _count(self, group: Mapping[str, Any]) -> None:
        exported_at: datetime | None = group["exported_at"]
        if exported_at is not None:
            self.latest_export = max(self.latest_export or exported_at, exported_at)
        reason, count = group["reason"], int(group["export_rows"])
        if reason is None:
            self.rows += count
            return
        self.refused_rows += count
        detail = f"{REASONS.get(reason, 'the row was left out')}; for example {group['example']}"
        for number, known in enumerate(self.rejected):
            if known.reason == reason:
                self.rejected[number] = replace(known, count=known.count + count)
                return
        self.rejected.append(Rejected(reason, count, self.place, detail))


def cursor_of(latest_export: datetime | None, rows: int, kept: tuple[KeptTag, ...] = ()) -> str:
    """Return the state of a partition: its latest export time, how many rows it has, what is kept of them."""
    latest = "" if latest_export is None else latest_export.astimezone(UTC).isoformat()
    return f"{latest}/{rows}/{_READING_VERSION}{cursor_mark(kept)}"


def _charge(group: Mapping[str, Any], kept: tuple[KeptTag, ...]) -> Charge:
    values = {tag.name: group[tag_column(number)] for number, tag in enumerate(kept)}
    cost = Decimal(group["billed_cost"])
    usd = list_usd = None
    if group["reason"] is None:
        rate = Decimal(repr(float(group["conversion_rate"])))
        usd = _in_usd(cost, rate)
        list_usd = None if group["list_cost"] is None else _in_usd(Decimal(group["list_cost"]), rate)
    return Charge(
        provider="gcp",
        **{name: group[name] for name in DIMENSIONS},
        charge_category=group["charge_category"],
        charge_period_start=group["charge_period_start"],
        export_hour=group["export_hour"],
        exported_at=group["exported_at"],
        billed_cost=cost.quantize(_EIGHTEEN_DECIMALS, context=_MONEY),
        billed_cost_usd=usd,
        consumed_quantity=float(group["consumed_quantity"] or 0.0),
        consumed_unit=group["consumed_unit"],
        charge_period_end=group.get("charge_period_end"),
        corrects=group["corrects"] if group["part"] == "cost" else None,
        tags=tags_text({name: value for name, value in values.items() if value is not None}),
        list_cost_usd=list_usd,
    )


def _in_usd(amount: Decimal, rate: Decimal) -> Decimal:
    return _MONEY.divide(amount, rate).quantize(_EIGHTEEN_DECIMALS, context=_MONEY)
