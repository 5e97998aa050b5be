"""How history divides the cost of billing days: by the user's categories and labels, and by model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from exporter.analysis.bill.attribution import Attribution
from exporter.core.charges import tags_of
from exporter.core.kept_tags import kept_name
from exporter.ledger.charges.attribution import Values
from exporter.ledger.charges.daily_parts import Division, Part
from exporter.metrics import families as metrics
from exporter.metrics.attribution import OTHER, UNLABELLED, combination
from exporter.metrics.model_names import ModelNames

FAMILIES: Final = {
    "hour": metrics.SPEND_HOURLY_USD,
    "day": metrics.SPEND_DAILY_USD,
    "category": metrics.SPEND_CATEGORY_DAILY_USD,
    "label": metrics.SPEND_LABEL_DAILY_USD,
    "model": metrics.SPEND_LLM_DAILY_USD,
}
"""The families of history: by the period, or by the name of the division of days."""


def divisions(attribution: Attribution | None, labels: Sequence[str], models: ModelNames) -> list[Division]:
    """Return the divisions that the configuration has; language models are always divided.

    `attribution` has the categories, `labels` the keys of `label_costs`.
    """
    found = [_division("model", partial(_by_model, models))]
    if attribution is not None:
        found.append(_division("category", partial(_by_category, attribution, models)))
    if labels:
        names = {label: kept_name(label) for label in dict.fromkeys(labels)}
        found.append(_division("label", lambda values: list(_by_label(names, values))))
    return found


def _division(name: str, parts: Callable[[Values], Sequence[Part]]) -> Division:
    return Division(name, FAMILIES[name].labels[1:], parts)


def _by_model(models: ModelNames, values: Values) -> Sequence[Part]:
    """Project and model; nothing of a charge that is not LLM spend."""
    charge = combination(values, models.of_charge)
    model = models.model(charge.provider, charge.service_id, charge.sku_id, charge.sku)
    return () if model is None else (Part((charge.project_id, model), (OTHER, OTHER)),)


def _by_category(attribution: Attribution, models: ModelNames, values: Values) -> Sequence[Part]:
    return (Part((attribution.category(combination(values, models.of_charge)),), None),)


def _by_label(names: Mapping[str, str], values: Values) -> Iterator[Part]:
    """Each label divides the whole cost once more."""
    tags = tags_of(values[-1])
    for label, name in names.items():
        value = tags.get(name)
        yield Part((label, value), (label, OTHER)) if value else Part((label, UNLABELLED), None)
