"""Billed cost by the user's own categories, labels and units: from one state of the ledger to families.

Each family here divides the same charges in a different way, so the sum of each is the billed total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from exporter.analysis.bill.attribution import Attribution, Combination, Match
from exporter.analysis.bill.windows import billing_windows
from exporter.core import llm_meters
from exporter.core.charges import tags_of
from exporter.core.kept_tags import kept_name
from exporter.ledger.charges.attribution import AttributionView, Values
from exporter.ledger.charges.windows import LedgerView
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples

UNLABELLED: Final = "unlabelled"
OTHER: Final = "other"

MOST_VALUES: Final = 100
"""The most values of one label that are shown on their own."""

_WINDOWS: Final = ("today", "yesterday", "month_to_date")
_LLM_SERVICES: Final = (llm_meters.OPENAI_SERVICE[0], llm_meters.ANTHROPIC_SERVICE[0])

ModelOf = Callable[[Combination], str]
"""Returns the language model of a charge, given the charge with an empty model."""


@dataclass(frozen=True, slots=True)
class AttributedCost:
    """Net US dollars of charges with equal dimensions, by window of billing days; None without a charge."""

    charge: Combination
    category: str
    today_usd: Decimal | None
    yesterday_usd: Decimal | None
    month_to_date_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class BusinessUnit:
    """A unit of the user's business, and the charges that it costs."""

    name: str
    match: Match = field(default_factory=Match)
    categories: tuple[str, ...] = ()
    """A charge must match one of these, if there are any."""


def model_by_contract(charge: Combination) -> str:
    """Return the model in a SKU id `<model>/<what>`, for the services that are billed by model."""
    return charge.sku_id.rpartition("/")[0] if charge.service_id in _LLM_SERVICES else ""


def attributed_costs(
    view: LedgerView,
    now: datetime,
    timezones: Mapping[str, str],
    attribution: Attribution,
    model_of: ModelOf = model_by_contract,
) -> list[AttributedCost]:
    """Return the cost of everything billed since the start of the month or of yesterday, the earlier of them.

    `timezones` has the billing zone of each provider.
    """
    found = []
    for provider, timezone in timezones.items():
        every = billing_windows(now, timezone)
        windows = {name: every[name] for name in _WINDOWS}
        for values, sums in AttributionView(view).window_sums(provider, windows):
            charge = combination(values, model_of)
            found.append(AttributedCost(charge, attribution.category(charge), *sums))
    return found


def recent_costs(
    view: LedgerView, providers: Iterable[str], since: datetime, model_of: ModelOf = model_by_contract
) -> list[tuple[Combination, Decimal]]:
    """Return the net cost in US dollars of all usage since a time, by the dimensions that rules use."""
    until = datetime.max.replace(tzinfo=UTC)
    return [
        (combination(values, model_of), usd)
        for provider in providers
        for values, (usd,) in AttributionView(view).window_sums(provider, {"since": (since, until)})
        if usd is not None
    ]


def category_families(costs: Iterable[AttributedCost], attribution: Attribution) -> list[FamilySamples]:
    """Return cost by category. Once a window has any charge, each category has a figure in it."""
    today = dict.fromkeys(attribution.categories, Decimal(0))
    month = dict(today)
    known_today = known_month = False
    for cost in costs:
        if cost.today_usd is not None:
            known_today = True
            today[cost.category] += cost.today_usd
        if cost.month_to_date_usd is not None:
            known_month = True
            month[cost.category] += cost.month_to_date_usd
    return [
        FamilySamples(metrics.SPEND_CATEGORY_TODAY_USD, _samples(today) if known_today else []),
        FamilySamples(metrics.SPEND_CATEGORY_MONTH_TO_DATE_USD, _samples(month) if known_month else []),
    ]


def label_families(costs: Sequence[AttributedCost], labels: Iterable[str]) -> list[FamilySamples]:
    """Return this month's cost by value of each label: `team` for a label, `tag:env` for a tag.

    `resource:name` is the resource.
    """
    samples = []
    for label in dict.fromkeys(labels):
        by_value = _by_value(costs, kept_name(label))
        samples += [((label, value), _shown(usd)) for value, usd in sorted(_capped(by_value).items())]
    return [FamilySamples(metrics.SPEND_LABEL_MONTH_TO_DATE_USD, samples)]


def unit_families(
    costs: Sequence[AttributedCost], units: Iterable[BusinessUnit], counts: Mapping[str, float]
) -> list[FamilySamples]:
    """Return yesterday's billed cost per unit, and the number of units, for the units that were counted.

    A unit without billed cost, or with a number of zero, has no cost per unit.
    """
    shown, each_usd = [], []
    for unit in units:
        count = counts.get(unit.name)
        if count is None:
            continue
        shown.append(((unit.name,), count))
        usd = _yesterday(costs, unit)
        if usd is not None and count > 0:
            each_usd.append(((unit.name,), float(usd) / count))
    return [
        FamilySamples(metrics.SPEND_UNIT_COST_USD, each_usd),
        FamilySamples(metrics.SPEND_UNITS, shown),
    ]


def combination(values: Values, model_of: ModelOf) -> Combination:
    """Return the ledger's dimensions in the form that rules are applied to."""
    charge = Combination._make((*values[:-1], "", values[-1]))
    model = model_of(charge)
    return charge._replace(model=model) if model else charge


def _by_value(costs: Iterable[AttributedCost], name: str) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for cost in costs:
        if cost.month_to_date_usd is not None:
            value = tags_of(cost.charge.tags).get(name) or UNLABELLED
            sums[value] = sums.get(value, Decimal(0)) + cost.month_to_date_usd
    return sums


def _capped(by_value: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Fold the values beyond MOST_VALUES into `other`, exactly; a value of that name is counted there too."""
    ranked = sorted(by_value.keys() - {UNLABELLED, OTHER}, key=lambda value: (-abs(by_value[value]), value))
    own = {UNLABELLED, *ranked[:MOST_VALUES]}
    found: dict[str, Decimal] = {}
    for value, usd in by_value.items():
        shown = value if value in own else OTHER
        found[shown] = found.get(shown, Decimal(0)) + usd
    return found


def _yesterday(costs: Iterable[AttributedCost], unit: BusinessUnit) -> Decimal | None:
    matched = [
        cost.yesterday_usd
        for cost in costs
        if cost.yesterday_usd is not None
        and (not unit.categories or cost.category in unit.categories)
        and unit.match.matches(cost.charge)
    ]
    return sum(matched, Decimal(0)) if matched else None


def _samples(sums: Mapping[str, Decimal]) -> list[tuple[tuple[str, ...], float]]:
    return [((name,), _shown(usd)) for name, usd in sums.items()]


def _shown(amount: Decimal) -> float:
    """Convert an exact decimal to the nearest float, at the 15 digits that a float keeps of any decimal."""
    return float(f"{amount:.15g}")
