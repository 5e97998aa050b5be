"""Possible savings: the shape of a finding, and the rule that no finding is counted twice.

Pure. Dollars are of an average month; a finding with an unknown amount has None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

MONTH_DAYS: Final = 30.4375
"""An average month, so that a finding is worth the same in February and in March."""

LEAST_USD_PER_MONTH: Final = 1.0
"""Smaller findings are not shown: reading one costs more than that."""

OWN: Final = "spend_exporter/"
"""Start of the `recommender` of our own findings."""

Kind = Literal["instance", "run_service", "disk", "address", "other"]
Remedy = Literal["remove", "change"]


@dataclass(frozen=True, slots=True)
class Saving:
    """One resource that costs more than necessary."""

    project_id: str
    region_id: str
    kind: Kind
    resource: str
    """Its name; empty where the finding is about all resources of its kind in the project and region."""
    recommender: str
    """Who found it: Google's recommender, or `spend_exporter/…`."""
    advice: str
    """The text for people: what, where, since when, how expensive, and what to do."""
    usd_per_month: float | None
    """US dollars in an average month; None where unknown."""
    remedy: Remedy = "change"
    """Whether the resource should be removed; then other changes to it are pointless."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """The figures behind the advice, by name with unit."""
    provider: str = "gcp"

    @property
    def own(self) -> bool:
        """Whether it is our own finding, not the provider's."""
        return self.recommender.startswith(OWN)


def counted_once(findings: Iterable[Saving]) -> list[Saving]:
    """Leave out findings whose dollars another finding already has; return the others in a fixed order.

    The provider wins over our own finding about the same resource, because it knows the price. A resource
    that should be removed needs no other change. Findings without dollars all stay.
    """
    priced = [each for each in findings if each.usd_per_month is not None]
    priced = _best(priced)
    unpriced = [each for each in findings if each.usd_per_month is None]
    return sorted(
        [*priced, *unpriced],
        key=lambda one: (one.project_id, one.region_id, one.kind, one.resource, one.recommender),
    )


def _best(priced: list[Saving]) -> list[Saving]:
    about: dict[tuple[str, str, Kind, str], list[Saving]] = {}
    for each in priced:
        about.setdefault((each.project_id, each.region_id, each.kind, each.resource), []).append(each)
    kept = []
    named_by_provider = set()
    for (project_id, region_id, kind, resource), found in about.items():
        removals = [each for each in found if each.remedy == "remove"]
        rest = removals or found
        theirs = [each for each in rest if not each.own]
        kept += theirs or rest
        if theirs and resource:
            named_by_provider.add((project_id, region_id, kind))
    return [
        each
        for each in kept
        if each.resource or (each.project_id, each.region_id, each.kind) not in named_by_provider
    ]


def dollars(usd: float) -> str:
    """Dollars for the text of an estimate: two significant digits.

    The text is a label value, and should not change every hour.
    """
    if usd < 10:
        return f"${usd:.1f}0" if usd >= 1 else f"${usd:.2f}"
    size = 10 ** (len(str(int(usd))) - 2)
    return f"${round(usd / size) * size:,.0f}"
