"""The dimensions by which cost can be asked for, and the value of each for a kind of charge.

A charge without a value has the empty text.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.analysis.bill.attribution import Attribution, Combination
from exporter.core.charges import tags_of
from exporter.ledger.charges.cost_sums import ChargeSeries
from exporter.metrics.attribution import BusinessUnit
from exporter.metrics.model_names import ModelNames
from exporter.questions.problem import QuestionError, quoted, suggestion

NO_ONE_MODEL: Final = "(no one model)"
"""Value of `model` for cost of language models that belongs to none alone."""

UNIT: Final = "unit"

_OF_SERIES: Final[Mapping[str, Callable[[ChargeSeries], str]]] = {
    "provider": lambda series: series.provider,
    "billing_account": lambda series: series.billing_account_id,
    "project": lambda series: series.project_id,
    "service": lambda series: series.service_name or series.service_id,
    "service_id": lambda series: series.service_id,
    "sku": lambda series: series.sku or series.sku_id,
    "sku_id": lambda series: series.sku_id,
    "region": lambda series: series.region_id,
    "charge_category": lambda series: series.charge_category,
}
_ALIASES: Final = {
    "billing_account_id": "billing_account",
    "project_id": "project",
    "service_name": "service",
    "region_id": "region",
}
"""Labels of the metrics that have another name here."""

_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The dimensions that a configuration has."""

    kept_tags: tuple[str, ...]
    """The labels and tags that the ledger keeps, such as `label:team`."""
    rules: Attribution
    models: ModelNames
    units: tuple[BusinessUnit, ...] = ()
    """The units of the user's business, such as orders."""

    @property
    def names(self) -> list[str]:
        """Every dimension, in the order of the documentation."""
        return [*_OF_SERIES, "category", "model", UNIT, *map(_dotted, self.kept_tags)]

    def named(self, text: str, parameter: str = "by") -> list[str]:
        """Return the dimensions that a list separated by commas names. Raises QuestionError."""
        found = [self._name(part, parameter) for part in listed(text, parameter)]
        if len(found) > _MOST_NAMED:
            raise QuestionError(parameter, f"has {len(found)} dimensions; the most is {_MOST_NAMED}")
        return list(dict.fromkeys(found))

    def condition(self, text: str) -> tuple[str, str]:
        """Return the dimension and the pattern of `project:shop-*`. Raises QuestionError."""
        # The key of a label may contain colons itself.
        begins = [name for name in (*self.names, *_ALIASES) if text.startswith(f"{name}:")]
        name = max(begins, key=len, default=text.partition(":")[0])
        if not text.startswith(f"{name}:"):
            raise QuestionError(
                "where", f"{quoted(text)} is no condition; write a dimension and a pattern: project:shop-*"
            )
        return self._name(name, "where"), text[len(name) + 1 :]

    def unit(self, text: str) -> BusinessUnit:
        """Return the unit of a name. Raises QuestionError."""
        named = {unit.name: unit for unit in self.units}
        if text not in named:
            advice = suggestion(text, named) if named else "the configuration has no unit_costs"
            raise QuestionError("per", f"{quoted(text)} is no unit; {advice}")
        return named[text]

    def unit_needs_tags(self, unit: BusinessUnit) -> bool:
        """Whether it depends on labels or tags which charges a unit costs."""
        return bool(unit.match.labels or unit.match.tags or (unit.categories and self._rules_use_tags))

    def is_cost_of(self, unit: BusinessUnit, series: ChargeSeries, tags: str) -> bool:
        """Whether a kind of charge is a part of what the unit costs, as in spend_unit_cost_usd."""
        model = self.models.model(series.provider, series.service_id, series.sku_id, series.sku)
        charge = _combination(series, model or "", tags)
        return (not unit.categories or self.rules.category(charge) in unit.categories) and unit.match.matches(
            charge
        )

    def needs_tags(self, names: Sequence[str]) -> bool:
        """Whether the value of one of the dimensions depends on labels or tags."""
        return any(
            name.startswith(("label.", "tag.")) or (name == "category" and self._rules_use_tags)
            for name in names
        )

    def value(self, name: str, series: ChargeSeries, tags: str, unit: str) -> str:
        """Return the value of a dimension for a kind of charge."""
        if name in _OF_SERIES:
            return _OF_SERIES[name](series)
        if name == UNIT:
            return unit
        if name in ("category", "model"):
            model = self.models.model(series.provider, series.service_id, series.sku_id, series.sku)
            if name == "model":
                return "" if model is None else model or NO_ONE_MODEL
            return self.rules.category(_combination(series, model or "", tags))
        origin, _, key = name.partition(".")
        return tags_of(tags).get(f"{origin}:{key}", "")

    @property
    def _rules_use_tags(self) -> bool:
        return any(rule.match.labels or rule.match.tags for rule in self.rules.rules)

    def _name(self, text: str, parameter: str) -> str:
        name = _ALIASES.get(text, text)
        if name in self.names:
            return name
        if text.startswith(("label.", "tag.")):
            kept = ", ".join(map(_dotted, self.kept_tags)) or "none"
            raise QuestionError(
                parameter,
                f"{quoted(text)} is not kept in the ledger (kept: {kept}); add the key to label_costs, "
                "and the next refresh reads it",
            )
        raise QuestionError(parameter, f"{quoted(text)} is no dimension; {suggestion(text, self.names)}")


def listed(text: str, parameter: str) -> list[str]:
    """Return the parts of a list separated by commas; a part with a comma is in double quotes."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise QuestionError(parameter, f"{quoted(text)} is no list separated by commas: {error}") from None
    parts = [part.strip() for row in rows for part in row]
    if len(rows) != 1 or not all(parts):
        raise QuestionError(parameter, f"{quoted(text)} has an empty part; remove the comma")
    return parts


def _dotted(tag: str) -> str:
    return tag.replace(":", ".", 1)


def _combination(series: ChargeSeries, model: str, tags: str) -> Combination:
    return Combination(
        series.provider,
        series.billing_account_id,
        series.project_id,
        series.service_id,
        series.service_name,
        series.sku_id,
        series.sku,
        model,
        tags,
    )
