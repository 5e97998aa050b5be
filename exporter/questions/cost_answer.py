"""The answer of /api/v1/costs as it is sent. The models are also its documentation."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Measure = Literal["net", "gross", "credits", "list", "usage"]

Amount = Annotated[
    str,
    Field(pattern=r"^-?\d+(\.\d+)?$", examples=["1360.25"]),
]
"""An exact decimal number as text, so that no reader rounds it."""


def amount_text(amount: Decimal | None) -> str | None:
    """Return all digits of an amount, without zeros at its end."""
    if amount is None:
        return None
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _none(value: object) -> bool:
    return value is None


Unlisted = Annotated[Amount | None, Field(exclude_if=_none)]
"""For `list`, the billed cost of charges without a list price: what the sum beside it lacks. Left out where
every charge has one."""


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


class Point(Part):
    """One period."""

    start: str
    """A billing day (2026-11-01) for steps of days and longer, else a time in UTC (2026-11-01T08:00:00Z)."""
    end: str
    """Excluded."""
    value: Amount | None
    """Null where nothing was billed, which is not the same as 0."""
    settled: bool
    """Whether nearly all of the cost has arrived."""
    without_list_price: Unlisted = None
    """For `list`: what was billed, without credits, for charges of the period that have no list price. It is
    not in `value`. Left out where there are none."""


class CostGroup(Part):
    """Charges with the same value in each dimension of `by`."""

    keys: dict[str, str]
    """Value by dimension; empty where charges have none."""
    total: Amount | None
    """Sum of the points; null where nothing was billed."""
    previous: Amount | None
    """Sum over the span of `compared_with`; null without a comparison, and where nothing was billed."""
    points: list[Point]
    """One for each period, in order; the same periods in all groups."""
    without_list_price: Unlisted = None
    """As in the points: it is not in `total`."""


class OtherGroups(Part):
    """All groups that are not among the largest, added up."""

    groups: int
    """How many."""
    total: Amount | None
    previous: Amount | None
    points: list[Point]
    without_list_price: Unlisted = None


class ComparedSpan(Part):
    """What `previous` is about."""

    from_: str = Field(alias="from")
    to: str
    """Excluded."""
    without_list_price: Unlisted = None
    """As in the points: it is not in `previous`."""


class ProviderBill(Part):
    """How far the bill of a provider reaches."""

    provider: str
    timezone: str
    """The zone of its billing days."""
    billed_from: str
    """Begin of the first usage hour that the ledger has; what is earlier is not known."""
    billed_to: str
    """End of the last usage hour that the ledger has."""
    settled_to: str
    """Before this nearly all cost has arrived. How late a bill is, is learnt from it; until that is known,
    and for bills by the day, it is a week before the end of the bill."""


class UnitPoint(Part):
    """What a unit cost in one period."""

    start: str
    end: str
    """Excluded."""
    count: float | None
    """Number of units on the counted days; null where no day is counted."""
    cost: Amount | None
    """Billed on the counted days; where a day is not counted, less than the `value` of the answer's point."""
    usd_per_unit: float | None
    """Cost over number; null where no day is counted, or the number is 0."""
    counted_days: int
    """Days with a number of units and with billed cost. Today is none of them."""
    days: int
    settled: bool
    """Whether nearly all of the cost has arrived; if not, the cost of a unit will grow."""


class CostPerUnit(Part):
    """What one unit of the user's business has cost: the cost of the counted days over their units."""

    unit: str
    count: float | None
    """Sum of the points."""
    cost: Amount | None
    """Sum of the points, exactly."""
    usd_per_unit: float | None
    counted_days: int
    days: int
    points: list[UnitPoint]
    """The same periods as in the answer's `points`."""


class CostAnswer(Part):
    """What was billed. The groups and `other` add up to `total` exactly, in each period too."""

    from_: str = Field(alias="from")
    """A billing day, or a time in UTC."""
    to: str
    """Excluded."""
    step: Literal["hour", "day", "week", "month", "total"]
    measure: Measure
    currency: Literal["USD"] | None
    """Null for `usage`."""
    unit: str | None
    """The unit of `usage`; null for money, and where there is more than one."""
    by: list[str]
    where: dict[str, list[str]]
    """Patterns by dimension."""
    compared_with: ComparedSpan | None
    groups: list[CostGroup]
    """Largest first; in a comparison, largest change first."""
    other: OtherGroups | None
    """Null where all groups are in `groups`."""
    total: Amount | None
    """Null where nothing was billed, and where units cannot be added."""
    previous: Amount | None
    points: list[Point]
    """The sum of all groups."""
    per_unit: Annotated[CostPerUnit | None, Field(exclude_if=_none)] = None
    """For `per`: what one unit has cost. Left out without `per`."""
    without_list_price: Unlisted = None
    """For `list`: what was billed, without credits, for charges that have no list price, because their bill
    does not give one or was read before list prices were kept. It is not in `total`. Left out where there are
    none."""
    truncated: bool
    """Whether some groups are only in `other`."""
    settled: bool
    """Whether all periods are settled."""
    partial: bool
    """Whether the span, or the one it is compared with, begins before the bill of a provider in it does."""
    providers: list[ProviderBill]
    """All bills that the answer can be about."""
    missing_sources: list[str]
    """Sources that were never read to their end; nothing of them is in the answer."""


class Problem(Part):
    """Why a question was not answered."""

    error: str
    """What is wrong and what to do."""
    parameter: str | None
    """The parameter that is wrong; null where none is."""
