"""What Google's Recommender says, as it is read from its answers: one saving of one resource.

Pure. Money comes as whole units and billionths, negative where it would be saved, over a stated duration.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from exporter.sources.base import Rejected
from exporter.sources.recommendations import Recommendation

MONTH_SECONDS: Final = Decimal("2629800")
"""A mean month, 30.4375 days."""

_NANOS: Final = Decimal(10) ** 9

Scope = Literal["zone", "region"]


@dataclass(frozen=True, slots=True)
class Recommender:
    """One of Google's recommenders, and where its recommendations are kept."""

    id: str
    scope: Scope
    remove: bool
    """Whether it says that the resource is to go, rather than to change."""
    in_global: bool = False
    """Whether resources of no region are looked at as well."""


RECOMMENDERS: Final = (
    Recommender("google.compute.instance.IdleResourceRecommender", "zone", remove=True),
    Recommender("google.compute.instance.MachineTypeRecommender", "zone", remove=False),
    Recommender("google.compute.disk.IdleResourceRecommender", "zone", remove=True),
    Recommender("google.compute.address.IdleResourceRecommender", "region", remove=True, in_global=True),
    Recommender("google.run.service.CostRecommender", "region", remove=False),
)
"""Those that save money on a resource. Zones and regions as in
https://cloud.google.com/recommender/docs/recommenders."""


def is_region(location: str) -> bool:
    """Whether a location is a region (`us-central1`), not a zone, a multi-region or `global`."""
    return location.count("-") == 1 and location[-1].isdigit()


def recommendation_of(
    found: object, recommender: Recommender, project_id: str, location: str
) -> Recommendation | Rejected | None:
    """Read one element of an answer: None where it is not active or saves nothing.

    Rejected where it is active and its saving is not in US dollars.
    """
    place = f"{project_id}/{recommender.id}"
    if not isinstance(found, dict):
        return Rejected("bad_recommendation", 1, place, "an entry is not a JSON object")
    if _at(found, "stateInfo", "state") != "ACTIVE":
        return None
    projection = _at(found, "primaryImpact", "costProjection")
    if not isinstance(projection, dict):
        # Performance, security or manageability: nothing is saved.
        return None
    currency = _at(projection, "cost", "currencyCode")
    if currency not in ("USD", None, ""):
        detail = f"savings in {currency} are not converted here; the console shows them"
        return Rejected("other_currency", 1, place, detail)
    try:
        usd = -_money(_at(projection, "cost")) * MONTH_SECONDS / _seconds(projection.get("duration"))
    except ValueError as error:
        return Rejected("bad_recommendation", 1, place, f"a cost projection has {error}")
    return _made(found, recommender, project_id, location, usd) if usd > 0 else None


def _made(
    found: dict[str, object], recommender: Recommender, project_id: str, location: str, usd: Decimal
) -> Recommendation:
    collection, resource = _resource(found)
    advice = " ".join(str(found.get("description") or recommender.id).split())
    return Recommendation(
        project_id, location, recommender.id, collection, resource, advice, usd, recommender.remove
    )


def _money(cost: object) -> Decimal:
    if not isinstance(cost, dict):
        raise ValueError("no cost")  # noqa: TRY004 (the answer is wrong, not the call)
    amount = _number(cost.get("units")) + _number(cost.get("nanos")) / _NANOS
    if not amount.is_finite():
        raise ValueError("an amount that is not a number")
    return amount


def _number(value: object) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        raise ValueError(f"{str(value)[:20]!r} for a number") from None


def _seconds(duration: object) -> Decimal:
    """Seconds of a JSON duration such as `2592000s`."""
    text = str(duration or "")
    if not text.endswith("s"):
        raise ValueError(f"no duration but {text[:20]!r}")
    seconds = _number(text[:-1])
    if not seconds.is_finite() or seconds <= 0:
        raise ValueError(f"no duration but {text[:20]!r}")
    return seconds


def _resource(found: dict[str, object]) -> tuple[str, str]:
    """Kind and name of what it is about, as its first operation or its target names it."""
    groups = _at(found, "content", "operationGroups")
    operations = [
        operation.get("resource")
        for group in (groups if isinstance(groups, list) else [])
        if isinstance(group, dict)
        for operation in (group.get("operations") or [])
        if isinstance(operation, dict)
    ]
    targets = found.get("targetResources")
    wanted = [each for each in (*(targets if isinstance(targets, list) else []), *operations) if each]
    # A disk is first copied to a snapshot: the operation on what is to be deleted comes later.
    for name in sorted(map(str, wanted), key=lambda one: "/snapshots/" in one):
        parts = name.strip("/").split("/")
        if len(parts) >= 2:
            return parts[-2], parts[-1]
    return "", str(found.get("name") or "").rpartition("/")[2]


def _at(found: object, *names: str) -> object:
    for name in names:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found
