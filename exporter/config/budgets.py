"""The configuration of budgets, and of the thresholds of alerts.

A budget is what some charges may cost in a period; its thresholds are where alerts fire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictStr, ValidationError
from pydantic_core import InitErrorDetails

from exporter.config.attribution import RESERVED_CATEGORIES, UnitMatch, section
from exporter.config.problems import Section, explained
from exporter.config.types import zone_name

DAILY_LIMIT_NAME: Final = "gcp daily limit"
"""Name of the budget that `gcp.budget_alerts.daily_limit_usd` makes."""

OPENAI_LIMIT_NAME: Final = "openai spend limit"
"""Name of the budget that OpenAI's own limit makes."""

_LONGEST_NAME: Final = 100


def _name(value: str) -> str:
    if not value.strip() or len(value) > _LONGEST_NAME or min(value) < " ":
        raise ValueError
    return value


_Ratio = Annotated[
    float | None,
    Field(
        strict=True,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="a share of the limit above 0, up to 100 (1 is all of it), or null for none",
        examples=[0.8],
    ),
]


class ActualThresholds(Section):
    """Shares of the limit that are used, by severity of the alert."""

    info: _Ratio = 0.5
    warning: _Ratio = 0.9
    critical: _Ratio = 1.0


class ForecastThresholds(Section):
    """Shares of the limit that the period is forecast to reach, by severity of the alert."""

    info: _Ratio = None
    warning: _Ratio = 1.0
    critical: _Ratio = None


class Thresholds(Section):
    """The thresholds at which alerts about a budget fire."""

    actual: Annotated[
        ActualThresholds,
        Field(description="info, warning and critical, each a share of the limit", examples=[{"info": 0.6}]),
    ] = ActualThresholds()
    forecast: Annotated[
        ForecastThresholds,
        Field(
            description="info, warning and critical, each a share of the limit", examples=[{"warning": 1.1}]
        ),
    ] = ForecastThresholds()


class Budget(Section):
    """What some charges may cost in a period."""

    name: Annotated[
        StrictStr,
        AfterValidator(_name),
        Field(description=f"a name of 1 to {_LONGEST_NAME} characters on one line", examples=["ml"]),
    ]
    period: Annotated[
        Literal["day", "week", "month", "quarter", "year"],
        Field(description="day, week, month, quarter or year", examples=["month"]),
    ] = "month"
    limit_usd: Annotated[
        float,
        Field(
            strict=True,
            gt=0,
            allow_inf_nan=False,
            description="a number of dollars above 0",
            examples=[2000],
        ),
    ]
    match: Annotated[
        UnitMatch | None, Field(description="the conditions on its charges", examples=[{"category": "ml"}])
    ] = None
    """None: every charge."""
    credits: Annotated[StrictBool, Field(description="true or false", examples=[True])] = True
    """Whether credits lower what is used."""
    thresholds: Annotated[
        Thresholds,
        Field(description="a section with actual and forecast", examples=[{"actual": {"info": 0.6}}]),
    ] = Thresholds()
    timezone: Annotated[
        StrictStr | None,
        AfterValidator(lambda value: value if value is None else zone_name(value)),
        Field(description="a time zone by its IANA name", examples=["America/Los_Angeles"]),
    ] = None
    """None: the billing zone of the one provider it is about, else UTC."""


def _budgets(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value
    problems: list[InitErrorDetails] = []
    found = [
        each if isinstance(each, Budget) else section(Budget, (at,), each, problems)
        for at, each in enumerate(value)
    ]
    problems += _taken_names([each.name if each else None for each in found])
    if problems:
        raise ValidationError.from_exception_data("budgets", problems, hide_input=True)
    return tuple(found)


def _taken_names(names: list[str | None]) -> Iterator[InitErrorDetails]:
    seen = {DAILY_LIMIT_NAME, OPENAI_LIMIT_NAME}
    for at, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            of = "an earlier budget" if name in names[:at] else "a budget that the exporter makes itself"
            text = f"is the name of {of}; give each budget its own, for example {name} 2"
            yield explained((at, "name"), text)
        seen.add(name)


Budgets = Annotated[
    tuple[Budget, ...] | None,
    BeforeValidator(_budgets),
    Field(
        description="a list of budgets, each with name, limit_usd and the charges that it covers",
        examples=[
            [
                {"name": "everything", "period": "month", "limit_usd": 5000},
                {"name": "openai", "period": "week", "limit_usd": 200, "match": {"providers": ["openai"]}},
            ]
        ],
    ),
]
"""Budgets in order; None where the key is not set."""


def unknown_budget_categories(
    budgets: tuple[Budget, ...] | None, *attributions: Mapping[str, object] | None
) -> Iterator[tuple[int, str]]:
    """Yield (position, category) for each budget of a category that no attribution has."""
    known = {category for each in attributions for category in each or ()} | {RESERVED_CATEGORIES[0]}
    for at, budget in enumerate(budgets or ()):
        for category in (budget.match.category or ()) if budget.match else ():
            if category not in known:
                yield at, category


def _threshold(default: float, description: str) -> float:
    field: float = Field(
        default,
        strict=True,
        ge=0,
        allow_inf_nan=False,
        description=f"a number, 0 or more: {description}",
        examples=[default],
    )
    return field


class Alerts(Section):
    """The thresholds of the alert rules, exposed as spend_alert_threshold."""

    hourly_spike_usd: float = _threshold(10.0, "dollars above normal in an hour")
    spike_score: float = _threshold(6.0, "a distance from normal in deviations")
    day_jump_usd: float = _threshold(20.0, "dollars between two days")
    day_jump_ratio: float = _threshold(0.5, "a share of the day before")
    unattributed_ratio: float = _threshold(0.2, "a share of the month's cost")
    unattributed_usd: float = _threshold(10.0, "dollars of the month's cost")
    llm_model_usd_per_hour: float = _threshold(10.0, "dollars per hour of one model")
    llm_key_usd_per_hour: float = _threshold(10.0, "dollars per hour of one key of a proxy")
    llm_increase_ratio: float = _threshold(2.0, "times the usual cost")
    llm_unpriced_tokens_in_6h: float = _threshold(10_000.0, "tokens in six hours")
    nowcast_drift_ratio: float = _threshold(0.1, "a share of the final bill")
    nowcast_drift_usd_per_day: float = _threshold(5.0, "dollars a day")
    cost_per_request_increase_ratio: float = _threshold(0.5, "a share of the earlier cost per request")
    cost_per_request_increase_usd_per_hour: float = _threshold(0.1, "dollars per hour")
    cold_start_ratio: float = _threshold(0.05, "a share of the requests")
    cold_start_requests_per_hour: float = _threshold(100.0, "requests per hour")
    bill_stale_seconds: float = _threshold(129_600.0, "seconds since the bill last grew")
    source_stale_seconds: float = _threshold(7200.0, "seconds since a source was last read")
    remote_write_difference_usd: float = _threshold(1.0, "dollars over the last seven days")
    exporter_cost_usd_per_month: float = _threshold(20.0, "dollars a month")
    idle_instances: float = _threshold(1.0, "a number of instances")
    savings_usd_per_month: float = _threshold(10.0, "dollars a month")
    pacing_ratio: float = _threshold(1.2, "times the usual spending by now")
    pacing_lead_ratio: float = _threshold(0.05, "a share of the limit above the usual spending")
    quiet_period_ratio: float = _threshold(0.15, "a share of the period, from its start")
    burn_ratio_6h: float = _threshold(6.0, "times the pace that uses the whole limit in the period")
    burn_ratio_1d: float = _threshold(3.0, "times the pace that uses the whole limit in the period")
    burn_ratio_3d: float = _threshold(1.5, "times the pace that uses the whole limit in the period")
