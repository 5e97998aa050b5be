"""The models of the summary; its JSON and its published JSON Schema are both made from them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema

from exporter.analysis.budgets.budget_state import Period

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ID: Final = "urn:spend-exporter:summary:v1"
_Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def moment_text(moment: datetime) -> str:
    """Return a time as the summary has it: in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class _Covered(_Part):
    partial: bool | None
    """Whether a bill begins after the period does: its figures then have only what the bill has. Null without
    a bill."""
    covered_from: _Moment | None
    """Where the period is partial: from when on it is known of all bills."""


class Day(_Covered):
    """The billing day so far, as in by_service: usage, purchases and their credits, not tax.

    Until the bill is long enough for estimates, only billed_usd is known, as in spend_today_usd.
    """

    billed_usd: float | None
    """Billed already."""
    estimated_usd: float | None
    """Estimated cost up to `time` that is not billed yet."""
    total_usd: float | None
    """billed_usd plus estimated_usd."""
    whole_day_usd: float | None
    """Expected cost of the whole billing day."""


class _Provider(_Part):
    provider: str


class _Service(_Provider):
    service_name: str


class _DayAndRate(_Part):
    billed_usd: float
    """Billed already."""
    estimated_usd: float
    """Estimated cost up to `time` that is not billed yet."""
    total_usd: float
    """billed_usd plus estimated_usd."""
    whole_day_usd: float
    """Expected cost of the whole billing day."""
    burn_rate_usd_per_hour: float
    """Estimated cost per hour at `time`."""


class ProviderDay(_DayAndRate, _Provider):
    """Today of one provider."""


class ServiceDay(_DayAndRate, _Service):
    """Today of one service."""


class PartDay(_DayAndRate):
    """Today of one of three parts."""

    part: Literal["llm", "google", "other"]
    """`llm`: language models of all providers, also those on Google's bill; `google`: the rest of that bill.
    What is not billed yet of a service that also sells other things is divided as its bill of the last two
    weeks."""


class MonthEnd(_Part):
    """Cost of the whole month by quantile, without tax; summed over providers."""

    low: float = Field(alias="0.1")
    """The cost will be lower with a probability of 0.1."""
    median: float = Field(alias="0.5")
    """The best estimate."""
    high: float = Field(alias="0.9")
    """The cost will be lower with a probability of 0.9."""


class Month(_Covered):
    """This billing month. Where it is partial, the forecast is from covered_from on, too."""

    to_date_billed_usd: float | None
    """Billed this month, with tax."""
    forecast_end_usd: MonthEnd | None


class Yesterday(_Covered):
    """The previous billing day."""

    billed_usd: float | None
    """Billed so far for yesterday, with tax."""


class LastMonth(_Covered):
    """The previous billing month."""

    billed_usd: float | None
    """Billed so far for last month, with tax."""


class CloudRun(_Part):
    """All Cloud Run services together, over the trailing hour."""

    cost_per_request_usd: float | None
    """Estimated cost of a request; null without requests or where a rate is missing."""
    requests_per_hour: float | None
    """Requests in the trailing hour."""
    usd_per_hour: float | None
    """Estimated cost of the trailing hour; null where a rate is missing."""
    cost_per_cpu_second_usd: float | None
    """Estimated cost of a vCPU second; null without any, or where a rate is missing."""
    cpu_seconds_per_request: float | None
    """vCPU seconds allocated per request: the fewer, the more efficient."""
    cold_start_ratio: float | None
    """Instances started per request."""


class BudgetUse(_Covered):
    """One budget and its current period."""

    budget: str
    """Its name."""
    period: Period | Literal["custom"]
    """`custom` is a provider's budget with its own dates."""
    limit_usd: float | None
    """Limit for the period; null where it follows from a bill that is not known."""
    used_usd: float | None
    """Cost of the period so far, billed and estimated."""
    used_ratio: float | None
    """used_usd over limit_usd; 1 means that the limit is reached."""
    forecast_usd: float | None
    """Best estimate of the cost of the whole period; where it is partial, from the bill's beginning on."""


class BillState(_Part):
    """The bill of one billing account."""

    provider: str
    billing_account_id: str
    """Empty where the provider does not name any."""
    billed_since: _Moment
    """Start of the first usage hour that the bill has; what was used before is not known."""


class SourceState(_Part):
    """One source and its last refresh."""

    name: str
    up: bool | None
    """Whether the last refresh succeeded; null before the first has ended."""
    read_whole: bool
    """Whether it was ever read to its end. If not, it is missing from all amounts; while `up` of a bill is
    null as well, so are sums over sources."""
    last_success: _Moment | None
    """End of its last refresh that succeeded."""
    last_error: str | None
    """What failed last and what to do; null where nothing did."""
    update_interval_seconds: float | None
    """How often it is read."""


class Insight(_Part):
    """Something that people should know of now."""

    kind: Literal["spike", "budget", "saving"]
    severity: Literal["critical", "warning", "info"]
    text: str
    """One sentence."""
    usd: float | None
    """Dollars above normal of a spike, above the limit of a budget so far or by its end; per month of a
    saving."""
    at: _Moment | None
    """Start of the hour of a spike."""


class Summary(_Part):
    """Amounts are net, in US dollars. Unknown values are null, never 0. Later versions may add members, but
    keep these.
    """

    time: _Moment
    """The time of the figures."""
    as_of: _Moment
    """When the exporter last built its figures from the sources' data."""
    currency: Literal["USD"]
    today: Day
    burn_rate_usd_per_hour: float | None
    """Estimated cost per hour at `time`."""
    month: Month
    yesterday: Yesterday
    last_month: LastMonth
    by_provider: list[ProviderDay]
    """Today by provider; adds up to `today`. Empty without an estimate."""
    by_service: list[ServiceDay]
    """Today by service; adds up to `by_provider`. Empty without an estimate."""
    by_part: list[PartDay]
    """Today of language models, of Google's other services, and of all others; adds up to `today`. Empty
    without an estimate."""
    cloud_run: CloudRun
    budgets: list[BudgetUse]
    """Empty without budgets."""
    insights: list[Insight]
    """Budgets that are or will be above their limits, spikes above the configured floors, and the largest
    savings; the most severe first."""
    bills: list[BillState]
    sources: list[SourceState]


class _WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Leave out titles, which only repeat the members' names."""
        return False


def summary_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of /api/v1/summary and of each event of /stream."""
    made = Summary.model_json_schema(schema_generator=_WithoutTitles)
    return {"$schema": _DIALECT, "$id": _ID, **made, "title": "Summary of spending"}


@cache
def schema_json() -> str:
    """Return the schema as it is served and kept in the docs; made once, as it takes milliseconds."""
    return json.dumps(summary_schema(), indent=2) + "\n"
