"""What Cloud Billing says of a budget, in the terms of charges; what the bill cannot tell apart is set aside.

Fields as in https://cloud.google.com/billing/docs/reference/budget/rest/v1/billingAccounts.budgets
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, Literal
from zoneinfo import ZoneInfo

from exporter.sources.provider_budgets import ProviderBudget

BILLING_ZONE: Final = "America/Los_Angeles"

_PERIODS: Final[Mapping[str, Literal["month", "quarter", "year"]]] = {
    "CALENDAR_PERIOD_UNSPECIFIED": "month",
    "MONTH": "month",
    "QUARTER": "quarter",
    "YEAR": "year",
}
_BASES: Final[Mapping[str, Literal["actual", "forecast"]]] = {
    "BASIS_UNSPECIFIED": "actual",
    "CURRENT_SPEND": "actual",
    "FORECASTED_SPEND": "forecast",
}
_KNOWN_FILTERS: Final = frozenset(
    {
        "projects",
        "services",
        "labels",
        "creditTypesTreatment",
        "creditTypes",
        "calendarPeriod",
        "customPeriod",
        "resourceAncestors",
        "subaccounts",
    }
)


class UnknownBudgetError(Exception):
    """A budget that cannot be followed; the text says why, as the end of a sentence."""


def cloud_budget(found: Mapping[str, object], project_id: Callable[[str], str]) -> ProviderBudget:
    """Read one budget; `project_id` returns a project's id by its number.

    Raises UnknownBudgetError, and what `project_id` raises.
    """
    filters = _mapping(found.get("budgetFilter", {}))
    amount = _mapping(found.get("amount", {}))
    _refuse_unknown(filters)
    period, custom = _period(filters)
    projects = [_last(each) for each in _texts(filters.get("projects", []))]
    return ProviderBudget(
        provider="gcp",
        budget_id=_last(str(found.get("name", ""))),
        name=str(found.get("displayName", "")).strip() or _last(str(found.get("name", ""))),
        period=period,
        limit=_limit(amount, custom is not None),
        currency=_currency(amount),
        projects=tuple(project_id(each) if each.isdigit() else each for each in projects),
        services=tuple(_last(each) for each in _texts(filters.get("services", []))),
        labels=_labels(_mapping(filters.get("labels", {}))),
        with_credits=_with_credits(filters.get("creditTypesTreatment", "INCLUDE_ALL_CREDITS")),
        thresholds=tuple(map(_threshold, _list(found.get("thresholdRules", [])))),
        custom_period=custom,
    )


def _refuse_unknown(filters: Mapping[str, object]) -> None:
    unknown = sorted(name for name, value in filters.items() if name not in _KNOWN_FILTERS and value)
    if unknown:
        raise UnknownBudgetError(f"it has a filter that this version does not know: {', '.join(unknown)}")
    for name, what in (("resourceAncestors", "folders or organizations"), ("subaccounts", "subaccounts")):
        if filters.get(name):
            raise UnknownBudgetError(f"it is for some {what} only, which the bill does not name")


def _limit(amount: Mapping[str, object], custom: bool) -> Decimal | None:
    if "lastPeriodAmount" in amount:
        if custom:
            raise UnknownBudgetError("its limit is that of the previous period, and a custom period has none")
        return None
    money = _mapping(amount.get("specifiedAmount", {}))
    try:
        limit = Decimal(str(money.get("units", 0))) + Decimal(str(money.get("nanos", 0))) / 10**9
    except InvalidOperation:
        raise UnknownBudgetError("its limit is not a number") from None
    if not limit.is_finite() or limit <= 0:
        raise UnknownBudgetError("its limit is not above 0")
    return limit


def _currency(amount: Mapping[str, object]) -> str:
    return str(_mapping(amount.get("specifiedAmount", {})).get("currencyCode") or "USD")


def _period(
    filters: Mapping[str, object],
) -> tuple[Literal["month", "quarter", "year", "custom"], tuple[datetime, datetime] | None]:
    custom = filters.get("customPeriod")
    if custom is not None:
        given = _mapping(custom)
        if not given.get("endDate"):
            raise UnknownBudgetError("its period has no end, so no expected cost can be computed")
        begin, last = (_date(_mapping(given.get(key, {}))) for key in ("startDate", "endDate"))
        span = (_midnight(begin), _midnight(last + timedelta(days=1)))
        return ("custom", span)
    name = str(filters.get("calendarPeriod", "MONTH"))
    if name not in _PERIODS:
        raise UnknownBudgetError(f"its period is {name}, which this version does not know")
    return _PERIODS[name], None


def _date(given: Mapping[str, object]) -> date:
    try:
        return date(*(int(str(given[key])) for key in ("year", "month", "day")))
    except (KeyError, ValueError):
        raise UnknownBudgetError("its period has a date that is not valid") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(BILLING_ZONE)).astimezone(UTC)


def _with_credits(treatment: object) -> bool:
    if treatment in ("INCLUDE_ALL_CREDITS", "CREDIT_TYPES_TREATMENT_UNSPECIFIED"):
        return True
    if treatment == "EXCLUDE_ALL_CREDITS":
        return False
    raise UnknownBudgetError("it counts only some credits, which cannot be separated here")


def _labels(given: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    found = {}
    for key, values in given.items():
        # A list; in some clients' words one in an object.
        inner = values.get("values", []) if isinstance(values, Mapping) else values
        found[key] = tuple(_texts(inner))
    return found


def _threshold(rule: object) -> tuple[Literal["actual", "forecast"], float]:
    given = _mapping(rule)
    basis = str(given.get("spendBasis", "CURRENT_SPEND"))
    try:
        ratio = float(str(given["thresholdPercent"]))
    except (KeyError, ValueError):
        raise UnknownBudgetError("one of its thresholds is not a number") from None
    if basis not in _BASES:
        raise UnknownBudgetError(
            f"one of its thresholds has the basis {basis}, which this version does not know"
        )
    return _BASES[basis], ratio


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise UnknownBudgetError("it does not have the form that the API's reference describes")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise UnknownBudgetError("it does not have the form that the API's reference describes")
    return value


def _texts(value: object) -> list[str]:
    return [str(each) for each in _list(value)]


def _last(name: str) -> str:
    return name.rpartition("/")[2]
