"""What could be saved: the shape of a finding, and how findings about the same thing are not counted twice.

Pure. Dollars are of a mean month; a finding whose dollars nobody can tell has none, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

MONTH_DAYS: Final = 30.4375
"""A mean month, so that a finding is worth the same in February and in March."""

LEAST_USD_PER_MONTH: Final = 1.0
"""Findings about less are not told: reading one costs more than that."""

OWN: Final = "spend_exporter/"
"""Begins the `recommender` of findings of our own."""

Kind = Literal["instance", "run_service", "disk", "address", "other"]
Remedy = Literal["remove", "change"]


@dataclass(frozen=True, slots=True)
class Saving:
    """One thing that costs more than it has to."""

    project_id: str
    region_id: str
    kind: Kind
    resource: str
    """Its name; empty where the finding is about all of its kind in the project and region."""
    recommender: str
    """Who says so: Google's recommender, or `spend_exporter/…`."""
    advice: str
    """The sentence that a person needs: what, where, since when, how dear, and what to do."""
    usd_per_month: float | None
    """Mean month, US dollars; None where nobody can tell."""
    remedy: Remedy = "change"
    """Whether it is to go, after which there is nothing left to change about it."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """The figures behind the advice, by name with unit."""
    provider: str = "gcp"

    @property
    def own(self) -> bool:
        """Whether it is a finding of ours, rather than of the provider."""
        return self.recommender.startswith(OWN)


def counted_once(findings: Iterable[Saving]) -> list[Saving]:
    """Leave out what another finding already promises the dollars of; the rest in a fixed order.

    The provider wins over our own finding about the same thing, since it knows the thing's own price. What is
    to be removed needs no change as well. Findings without dollars promise none, so they all stay.
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
    """Dollars as a sentence about an estimate has them: two digits that say something.

    A sentence is a label's value, and should not be another one each hour.
    """
    if usd < 10:
        return f"${usd:.1f}0" if usd >= 1 else f"${usd:.2f}"
    size = 10 ** (len(str(int(usd))) - 2)
    return f"${round(usd / size) * size:,.0f}"
