"""The shape of the summary: one set of models from which its JSON and its published JSON Schema both come."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema

from exporter.analysis.budgets.budget_state import Period

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ID: Final = "urn:spend-exporter:summary:v1"
_Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Day(_Part):
    """The billing day so far, as in by_service: usage, purchases and their credits, not tax.

    Until there is enough of a bill to estimate from, only billed_usd is known, as in spend_today_usd.
    """

    billed_usd: float | None
    """In the bill already."""
    estimated_usd: float | None
    """Spent up to `time` and not in the bill yet."""
    total_usd: float | None
    """billed_usd plus estimated_usd."""
    whole_day_usd: float | None
    """What the whole billing day is expected to cost."""


class _Provider(_Part):
    provider: str


class _Service(_Provider):
    service_name: str


class _DayAndRate(_Part):
    billed_usd: float
    """In the bill already."""
    estimated_usd: float
    """Spent up to `time` and not in the bill yet."""
    total_usd: float
    """billed_usd plus estimated_usd."""
    whole_day_usd: float
    """What the whole billing day is expected to cost."""
    burn_rate_usd_per_hour: float
    """What is being spent per hour at `time`."""


class ProviderDay(_DayAndRate, _Provider):
    """Today of one provider."""


class ServiceDay(_DayAndRate, _Service):
    """Today of one service."""


class MonthEnd(_Part):
    """Cost of the whole month by quantile, without tax; summed over providers."""

    low: float = Field(alias="0.1")
    """With a probability of 0.1 it will be less."""
    median: float = Field(alias="0.5")
    """The best estimate."""
    high: float = Field(alias="0.9")
    """With a probability of 0.9 it will be less."""


class Month(_Part):
    """This billing month."""

    to_date_billed_usd: float | None
    """Billed this month, with tax."""
    forecast_end_usd: MonthEnd | None


class Yesterday(_Part):
    """The billing day before."""

    billed_usd: float | None
    """Billed so far for yesterday, with tax."""


class LastMonth(_Part):
    """The billing month before."""

    billed_usd: float | None
    """Billed so far for last month, with tax."""


class CloudRun(_Part):
    """All Cloud Run services together, over the trailing hour."""

    cost_per_request_usd: float | None
    """Estimated cost of a request; null without requests or where a rate is missing."""
    requests_per_hour: float | None
    """Requests in the trailing hour."""


class BudgetUse(_Part):
    """One budget and its present period."""

    budget: str
    """Its name."""
    period: Period | Literal["custom"]
    """`custom` is a budget of the provider's with dates of its own."""
    limit_usd: float | None
    """What may be spent in the period; null where it follows from a bill that is not known."""
    used_usd: float | None
    """Cost of the period so far, billed and estimated."""
    used_ratio: float | None
    """used_usd over limit_usd; 1 is all of it."""
    forecast_usd: float | None
    """Best estimate of what the whole period will cost."""


class SourceState(_Part):
    """One source and its last refresh."""

    name: str
    up: bool | None
    """Whether the last refresh succeeded; null before the first has ended."""
    last_success: _Moment | None
    """End of its last refresh that succeeded."""


class Summary(_Part):
    """Amounts are net, in US dollars. What is not known is null, never 0. Members may be added; those that
    are here stay.
    """

    time: _Moment
    """Moment that the figures are for."""
    as_of: _Moment
    """When the exporter last took up what its sources had."""
    currency: Literal["USD"]
    today: Day
    burn_rate_usd_per_hour: float | None
    """What is being spent per hour at `time`."""
    month: Month
    yesterday: Yesterday
    last_month: LastMonth
    by_provider: list[ProviderDay]
    """Today by provider; adds up to `today`. Empty without an estimate."""
    by_service: list[ServiceDay]
    """Today by service; adds up to `by_provider`. Empty without an estimate."""
    cloud_run: CloudRun
    budgets: list[BudgetUse]
    """Empty where there is none."""
    sources: list[SourceState]


class _WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """A title that repeats a member's name helps nobody."""
        return False


def summary_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of what /api/v1/summary and each event of /stream hold."""
    made = Summary.model_json_schema(schema_generator=_WithoutTitles)
    return {"$schema": _DIALECT, "$id": _ID, **made, "title": "Summary of spending"}


def schema_json() -> str:
    """Return the schema as it is served and kept in the docs."""
    return json.dumps(summary_schema(), indent=2) + "\n"
