"""The question and the answer of /api/v1/explain. The models are also its documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from exporter.questions.cost_answer import Amount, ComparedSpan, Part, ProviderBill
from exporter.questions.cost_question import Parameters


class ExplainParameters(Parameters):
    """Parameters of /api/v1/explain. Without `day`, `from` and `to` it is about yesterday."""

    day: str | None = Field(None, examples=["2026-11-17"])
    """One billing day, in place of `from` and `to`: 2026-11-17, a time within it such as `now-1d`, or
    `tuesday`, the last one before today."""
    compare: Literal["previous", "week"] = "previous"
    """`previous`: the span of the same length just before; of whole months, as many months. `week`: the same
    span a week before."""
    top: int = Field(10, ge=1, le=1000)
    """How many causes and groups are shown on their own."""
    format: Literal["json", "text"] = "json"


class ExplainParts(Part):
    """A change split into parts, which add up to it exactly; a part that is missing is zero."""

    new: Amount | None = None
    """Cost of lines (a SKU of a project) that only the later span has."""
    gone: Amount | None = None
    """Negative: cost of lines that only the earlier span has."""
    more_use: Amount | None = None
    """What the change of the quantity cost, at the earlier price per unit."""
    less_use: Amount | None = None
    dearer: Amount | None = None
    """The rest of the change of lines with a quantity: the price per unit."""
    cheaper: Amount | None = None
    unmeasured: Amount | None = None
    """Lines in both spans without a quantity, such as fees."""
    credits_and_commitments: Amount | None = None
    corrections: Amount | None = None
    taxes: Amount | None = None


class ExplainedChange(Part):
    """A cost in both spans."""

    previous: Amount
    total: Amount
    change: Amount
    """`total` minus `previous`; positive where it became more."""
    parts: ExplainParts


class Cause(ExplainedChange):
    """The change of a service in a project."""

    sentence: str
    """Why, as a person would say it; from its largest line."""
    provider: str
    service: str
    project: str


class ExplainedGroup(ExplainedChange):
    """The change of one value of a dimension."""

    value: str


class OtherChanges(ExplainedChange):
    """What is not shown on its own, added up."""

    count: int


class ExplainedDimension(Part):
    """The change by one dimension; adds up to the whole."""

    dimension: str
    groups: list[ExplainedGroup]
    """Largest change first."""
    other: OtherChanges | None


class ExplainAnswer(ExplainedChange):
    """Why the cost of a span differs from that of the one before. Causes and `other` add up to `change`."""

    from_: str = Field(alias="from")
    to: str
    """Excluded."""
    compared_with: ComparedSpan
    currency: Literal["USD"]
    where: dict[str, list[str]]
    sentence: str
    """The whole change in one sentence."""
    causes: list[Cause]
    """Largest change first."""
    other: OtherChanges | None
    by: list[ExplainedDimension]
    """The same change by service, SKU, project, and each label that the configuration uses."""
    labels_left_out: bool
    """Whether labels have too many combinations of values to be compared."""
    settled: bool
    """Whether nearly all cost of both spans has arrived; if not, the later one will grow."""
    partial: bool
    """Whether the earlier span begins before the bill of one of its providers does: what is called new may be
    new to the bill alone."""
    providers: list[ProviderBill]
    missing_sources: list[str]
