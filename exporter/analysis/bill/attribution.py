"""Puts each charge into one of the user's own categories: the first rule that matches it decides.

A rule has conditions on projects, labels, services and so on. All its conditions must match; a condition
matches if any of its values does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final, NamedTuple

from exporter.core.charges import tags_of

UNATTRIBUTED: Final = "unattributed"
"""Category of charges that no rule matches."""

_API_NAMES: Final = {
    "artifact registry": "artifactregistry",
    "cloud build": "cloudbuild",
    "cloud pub/sub": "pubsub",
    "cloud run functions": "cloudfunctions",
    "cloud sql": "sqladmin",
    "gemini api": "generativelanguage",
    "kubernetes engine": "container",
    "secret manager": "secretmanager",
    "vertex ai": "aiplatform",
}
"""Google's name of an API by the name of its service in the bill, where the second does not contain it."""

_MOST_KNOWN: Final = 100_000
"""The most answers to keep: new label values, such as branches, keep coming."""


class Combination(NamedTuple):
    """The dimensions of a charge that rules use; a dimension that the bill leaves out is empty."""

    provider: str
    billing_account_id: str
    project_id: str
    service_id: str
    service_name: str
    sku_id: str
    sku: str
    model: str
    """The language model of the charge, by its provider's name; empty where it has none."""
    tags: str
    """As in Charge.tags."""


@dataclass(frozen=True)
class Match:
    """Conditions on a charge. An empty field is no condition; one value of a field must match.

    Projects, models and the values of labels and tags are globs (`ml-*`); a SKU is its id or a glob for its
    text; a service is its name or id. Case matters only in labels and tags.
    """

    words: tuple[str, ...] = ()
    """Parts of the service's name, of its id, or of the name of its API."""
    providers: tuple[str, ...] = ()
    billing_accounts: tuple[str, ...] = ()
    """Exactly as charges have them."""
    projects: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Globs by label; all these labels must match."""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Globs by tag; all these tags must match."""
    services: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def matches(self, charge: Combination) -> bool:
        """Return whether the charge meets the conditions."""
        service = (charge.service_name.casefold(), charge.service_id.casefold())
        named = (*service, _API_NAMES.get(service[0], ""))
        lower = self._casefolded
        return (
            (not self.words or any(word in name for word in lower.words for name in named))
            and (not self.providers or charge.provider.casefold() in lower.providers)
            and (not self.billing_accounts or charge.billing_account_id in self.billing_accounts)
            and (not self.projects or _any_glob(lower.projects, charge.project_id.casefold()))
            and (not self.services or any(name in lower.services for name in service))
            and (not self.skus or _any_sku(lower.skus, charge))
            and (not self.models or (charge.model != "" and _any_glob(lower.models, charge.model.casefold())))
            and (not self._tag_globs or self._has_tags(charge.tags))
        )

    def _has_tags(self, text: str) -> bool:
        tags = tags_of(text)
        return all(
            name in tags and any(fnmatchcase(tags[name], glob) for glob in globs)
            for name, globs in self._tag_globs.items()
        )

    @cached_property
    def _tag_globs(self) -> dict[str, tuple[str, ...]]:
        named = {f"label:{key}": globs for key, globs in self.labels.items()}
        return named | {f"tag:{key}": globs for key, globs in self.tags.items()}

    @cached_property
    def _casefolded(self) -> _Casefolded:
        return _Casefolded(
            *(
                tuple(value.casefold() for value in values)
                for values in (
                    self.words,
                    self.providers,
                    self.projects,
                    self.services,
                    self.skus,
                    self.models,
                )
            )
        )


class _Casefolded(NamedTuple):
    words: tuple[str, ...]
    providers: tuple[str, ...]
    projects: tuple[str, ...]
    services: tuple[str, ...]
    skus: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Matching charges belong to the category, unless an earlier rule matches them too."""

    category: str
    match: Match
    place: str
    """Its key in the configuration, such as `cost_attribution.ml`."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Charges that match two rules of different categories; the earlier rule wins."""

    winner: Rule
    loser: Rule
    usd: Decimal
    """Net cost of these charges."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """How the rules split some charges."""

    usd_by_category: Mapping[str, Decimal]
    """Net cost by category; the sum is exactly that of all the charges."""
    never_matched: Sequence[Rule]
    """Rules that match none of the charges."""
    shadowed: Sequence[Rule]
    """Rules that match some charges, all of which match earlier rules too."""
    conflicts: Sequence[Conflict]
    """By the size of the cost, largest first."""


class Attribution:
    """Rules in the order of the configuration, with a cache of their answers."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: Final = tuple(rules)
        self._known: dict[Combination, str] = {}

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category once, in order; the last one is UNATTRIBUTED."""
        return (*dict.fromkeys(rule.category for rule in self.rules), UNATTRIBUTED)

    def category(self, charge: Combination) -> str:
        """Return the one category of a charge."""
        found = self._known.get(charge)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            first = next(self._matching(charge), None)
            found = self._known[charge] = UNATTRIBUTED if first is None else first.category
        return found

    def assess(self, costs: Iterable[tuple[Combination, Decimal]]) -> Assessment:
        """Return how the rules split charges, given with their net cost in US dollars."""
        by_category: dict[str, Decimal] = {}
        conflicts: dict[tuple[int, int], Decimal] = {}
        place = {id(rule): number for number, rule in enumerate(self.rules)}
        winners: set[int] = set()
        matched: set[int] = set()
        for charge, usd in costs:
            numbers = [place[id(rule)] for rule in self._matching(charge)]
            matched.update(numbers)
            category = UNATTRIBUTED
            for number in numbers[:1]:
                winners.add(number)
                category = self.rules[number].category
            by_category[category] = by_category.get(category, Decimal(0)) + usd
            for number in numbers[1:]:
                if self.rules[number].category != category:
                    pair = (numbers[0], number)
                    conflicts[pair] = conflicts.get(pair, Decimal(0)) + usd
        return Assessment(
            by_category,
            [rule for number, rule in enumerate(self.rules) if number not in matched],
            [self.rules[number] for number in sorted(matched - winners)],
            sorted(
                (Conflict(self.rules[won], self.rules[lost], usd) for (won, lost), usd in conflicts.items()),
                key=lambda conflict: -abs(conflict.usd),
            ),
        )

    def _matching(self, charge: Combination) -> Iterator[Rule]:
        return (rule for rule in self.rules if rule.match.matches(charge))


def _any_glob(globs: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def _any_sku(globs: Iterable[str], charge: Combination) -> bool:
    sku_id, sku = charge.sku_id.casefold(), charge.sku.casefold()
    return any(glob == sku_id or fnmatchcase(sku, glob) for glob in globs)
