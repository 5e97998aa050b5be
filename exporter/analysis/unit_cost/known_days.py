"""What rates are learnt from: days of the bill and days of usage, as the ledger has them.

Recent days weigh more: prices, discounts and habits change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, Protocol, TypeVar

HALF_LIFE_DAYS: Final = 7.0
"""A day has half the weight of a day that is this much more recent."""


class BilledDay(Protocol):
    """Cost (with credits) and quantity of one SKU on one day of usage, as in the ledger."""

    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def service_id(self) -> str: ...  # noqa: D102
    @property
    def service_name(self) -> str: ...  # noqa: D102
    @property
    def sku_id(self) -> str: ...  # noqa: D102
    @property
    def sku(self) -> str: ...  # noqa: D102
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def usd(self) -> float: ...  # noqa: D102
    @property
    def quantity(self) -> float: ...  # noqa: D102


class UsedDay(Protocol):
    """Usage of one meter on one UTC day, as in the ledger."""

    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def region_id(self) -> str: ...  # noqa: D102
    @property
    def meter(self) -> str: ...  # noqa: D102
    @property
    def resource(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> str: ...  # noqa: D102
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102


_Used = TypeVar("_Used", bound=UsedDay)


def recency(day: date, newest: date, half_life_days: float = HALF_LIFE_DAYS) -> float:
    """The weight of a day, 1 for the newest."""
    return float(0.5 ** ((newest - day).days / half_life_days))


def of_whole_days(used: Sequence[_Used]) -> list[_Used]:
    """Leave out the first day of each meter and project.

    Reading began at some time within it, but the bill of that day is for all of it.
    """
    first: dict[tuple[str, str], date] = {}
    for row in used:
        reader = (row.meter, row.project_id)
        first[reader] = min(first.get(reader, row.day), row.day)
    return [row for row in used if row.day > first[row.meter, row.project_id]]
