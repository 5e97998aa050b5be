"""Chooses the charges that a question is about and puts each kind of them into a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.ledger.charges.cost_sums import ChargeSeries, ChosenKind, CostSums
from exporter.ledger.charges.windows import Window
from exporter.metrics.attribution import BusinessUnit
from exporter.questions.bills import Bills
from exporter.questions.conditions import Conditions, holds
from exporter.questions.dimensions import UNIT, Dimensions
from exporter.questions.problem import QuestionError

MOST_GROUPS: Final = 10_000
MOST_KINDS: Final = 200_000
"""With labels a series has as many kinds as combinations of their values."""

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen kinds of charges, in groups."""

    kinds: Sequence[ChosenKind]
    groups: Sequence[Keys]
    """The values of each group, by its number."""
    providers: Sequence[str]
    tags: bool
    units: bool


def choose(
    sums: CostSums,
    dimensions: Dimensions,
    bills: Bills,
    *,
    by: Sequence[str],
    where: Conditions,
    span: Window,
    wanted: Callable[[ChargeSeries], bool] = lambda _series: True,
    per: BusinessUnit | None = None,
) -> Choice:
    """Return the charges of wanted series for which the conditions hold, with `per` those that it costs.

    Raises QuestionError.
    """
    needed = [*by, *where]
    tags, units = dimensions.needs_tags(needed), UNIT in needed
    tags |= per is not None and dimensions.unit_needs_tags(per)
    late = [name for name in where if name == UNIT or dimensions.needs_tags([name])]
    early = [name for name in where if name not in late]
    series = {
        series_id: each
        for series_id, each in sums.series().items()
        if each.provider in bills.by_provider
        and wanted(each)
        and all(holds(name, dimensions.value(name, each, "", ""), where[name]) for name in early)
    }
    groups: dict[Keys, int] = {}
    chosen: list[ChosenKind] = []
    for kind in sums.kinds(list(series), span, tags=tags, units=units):
        each = series[kind.series_id]
        if per is not None and not dimensions.is_cost_of(per, each, kind.tags):
            continue
        if all(holds(name, dimensions.value(name, each, kind.tags, kind.unit), where[name]) for name in late):
            keys = tuple(dimensions.value(name, each, kind.tags, kind.unit) for name in by)
            number = groups.setdefault(keys, len(groups))
            chosen.append(ChosenKind(kind, number, bills.by_provider[each.provider].timezone))
            if len(groups) > MOST_GROUPS or len(chosen) > MOST_KINDS:
                raise _too_many(by, len(groups))
    providers = sorted({series[each.kind.series_id].provider for each in chosen})
    return Choice(chosen, list(groups), providers, tags, units)


def _too_many(by: Sequence[str], groups: int) -> QuestionError:
    what = f"{MOST_GROUPS:,} groups" if groups > MOST_GROUPS else f"{MOST_KINDS:,} combinations of labels"
    return QuestionError(
        "by",
        f"{','.join(by) or 'the whole bill'} has more than {what}; leave one out, or narrow it with where",
    )
