"""A report as figures: the answer of /api/v1/report, and what is rendered. Amounts are exact, as text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from exporter.questions.cost_answer import Amount, Part, Point, ProviderBill
from exporter.questions.explain_answer import Cause, ExplainParts, OtherChanges


class Days(Part):
    """Billing days that a cost is about."""

    title: str
    """For people: `October 2026`."""
    from_: str = Field(alias="from")
    to: str
    """Excluded."""


class Earlier(Days):
    """The cost of other days, to compare with."""

    total: Amount
    change: Amount
    """The report's total minus this one."""
    partial: bool
    """Whether a bill begins later than these days do; the change is then too large."""


class Row(Part):
    """The cost of one value of a dimension."""

    name: str
    """Empty where charges have no value."""
    total: Amount | None
    """Null where nothing was billed."""
    previous: Amount | None
    change: Amount


class OtherRows(Part):
    """What is not shown on its own, added up."""

    count: int
    total: Amount | None
    previous: Amount | None
    change: Amount


class Breakdown(Part):
    """The cost by one dimension; rows and `other` add up to the total exactly."""

    dimension: str
    rows: list[Row]
    """Largest first."""
    other: OtherRows | None


class BudgetLine(Part):
    """A budget in the period."""

    budget: str
    limit_usd: Amount
    used_usd: Amount
    """Billed; while the period runs also estimated."""
    used_ratio: float
    forecast_usd: float | None
    """Best estimate of the whole period while it runs."""
    partial: bool
    """Whether the bill begins later than the period does."""


class Forecast(Part):
    """What the whole period will cost, without tax."""

    low: float
    """The cost will be lower with a probability of 0.1."""
    median: float
    high: float
    """The cost will be lower with a probability of 0.9."""


class UnitPrice(Part):
    """What one unit of a SKU has cost, before credits."""

    service: str
    sku: str
    unit: str
    quantity: float
    usd_per_unit: float
    previous_usd_per_unit: float | None


class UnitOfBusiness(Part):
    """What one unit of the user's business has cost."""

    unit: str
    days: int
    """Days that were counted."""
    count: float
    total: Amount
    usd_per_unit: float


class SavingLine(Part):
    """A resource that costs more than necessary."""

    provider: str
    project: str
    resource: str
    advice: str
    usd_per_month: float | None
    """Null where it is not known."""


class Report(Part):
    """What a month, a week or a day has cost."""

    kind: Literal["day", "week", "month"]
    name: str
    """The period: 2026-10, 2026-W43 or 2026-10-12."""
    title: str
    made_at: str
    where: str | None
    """The conditions of a report on a part of the cost."""
    days: Days
    """What the figures are about; of a period that runs, the days so far."""
    running: bool
    """Whether the period is not over yet."""
    partial: bool
    """Whether a bill begins later than the period does; cost before is not known."""
    settled: bool
    """Whether nearly all cost has arrived; if not, the total will grow."""
    total: Amount | None
    """Null where nothing was billed."""
    previous: Earlier | None
    """The period just before; of one that runs, as many days just before."""
    last_year: Earlier | None
    """The same days a year earlier; null where the ledger does not have them."""
    forecast: Forecast | None
    budgets: list[BudgetLine]
    """Those with the same period; none in a report on a part of the cost."""
    step: Literal["hour", "day"]
    points: list[Point]
    """The cost of each day, of a day's report of each hour; they add up to the total."""
    breakdowns: list[Breakdown]
    sentence: str
    """The whole change in one sentence."""
    causes: list[Cause]
    """What moved and why, largest first."""
    other_causes: OtherChanges | None
    parts: ExplainParts
    """The change, split exactly."""
    unit_prices: list[UnitPrice]
    """Of the SKUs that cost most."""
    units: list[UnitOfBusiness]
    savings: list[SavingLine]
    """As of now, not of the period."""
    providers: list[ProviderBill]
    missing_sources: list[str]
    """Sources that were never read to their end; nothing of them is in the report."""
