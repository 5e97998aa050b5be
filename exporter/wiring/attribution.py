"""From the configured categories, labels and units to rules, kept tags and queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.config.attribution import ChargeMatch, UnitCost
from exporter.core.kept_tags import kept_name
from exporter.metrics.attribution import BusinessUnit
from exporter.sources.prometheus_units import UnitQuery

Categories = Mapping[str, tuple[ChargeMatch, ...]]


@dataclass(frozen=True, slots=True)
class ConfiguredAttribution:
    """The settings of the keys cost_attribution, label_costs and unit_costs."""

    attribution: Attribution
    label_costs: tuple[str, ...]
    units: tuple[BusinessUnit, ...]
    unit_queries: tuple[UnitQuery, ...]
    kept_tags: tuple[str, ...]
    """The labels and tags that sources keep with charges, such as `label:team`."""


def configured_attribution(
    of_gcp: Categories | None,
    of_all: Categories | None,
    label_costs: Sequence[str] = (),
    unit_costs: Mapping[str, UnitCost] | None = None,
) -> ConfiguredAttribution:
    """Return the settings: `of_gcp` are those below `gcp`, `of_all` those at the top level.

    Rules below `gcp` apply only to charges of Google Cloud, and come first.
    """
    rules = [
        *(_of_gcp(rule) for rule in _rules("gcp.cost_attribution", of_gcp)),
        *_rules("cost_attribution", of_all),
    ]
    units = tuple(
        BusinessUnit(name, match_of(unit.match), unit.match.category or ())
        for name, unit in (unit_costs or {}).items()
    )
    labels = tuple(dict.fromkeys(label_costs))
    kept = {kept_name(label) for label in labels}
    for match in (*(rule.match for rule in rules), *(unit.match for unit in units)):
        kept |= {f"label:{key}" for key in match.labels} | {f"tag:{key}" for key in match.tags}
    return ConfiguredAttribution(
        Attribution(rules),
        labels,
        units,
        tuple(UnitQuery(name, unit.promql, unit.prometheus) for name, unit in (unit_costs or {}).items()),
        tuple(sorted(kept)),
    )


def _rules(place: str, categories: Categories | None) -> Iterator[Rule]:
    for category, matches in (categories or {}).items():
        for number, match in enumerate(matches):
            which = f"[{number}]" if len(matches) > 1 else ""
            yield Rule(category, match_of(match), f"{place}.{category}{which}")


def _of_gcp(rule: Rule) -> Rule:
    return replace(rule, match=replace(rule.match, providers=rule.match.providers or ("gcp",)))


def match_of(match: ChargeMatch) -> Match:
    """Return the conditions of a rule, without its category."""
    return Match(
        words=match.words,
        providers=match.providers,
        projects=match.projects,
        labels=match.labels,
        tags=match.tags,
        services=match.services,
        skus=match.skus,
        models=match.models,
    )
