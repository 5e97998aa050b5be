"""One owner per dollar: which source's money counts for a provider, and the part of every other source.

The table follows from what each source claims; totals, documentation and `spend-exporter check` use it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from exporter.core.source_names import kind_of

ANY_OTHER: Final = "*"
"""Stands for every provider that no source names."""


class Claims(Protocol):
    """What one source reports about the dollars of providers."""

    @property
    def name(self) -> str:
        """Label value of `source`."""
        ...

    @property
    def bills(self) -> Mapping[str, str]:
        """Providers whose dollars it reports, each with the usual name of that money."""
        ...

    @property
    def estimates(self) -> Sequence[str]:
        """Providers whose usage it reports before it is billed."""
        ...

    @property
    def attributes(self) -> Sequence[str]:
        """Providers whose users it names; its dollars are never added."""
        ...


@dataclass(frozen=True, slots=True)
class OwnershipRow:
    """Whose money counts for a provider, and what other sources report about the same money."""

    provider: str
    """Label value of `provider`, or ANY_OTHER."""
    money: str
    """The usual name of this money."""
    billed_by: tuple[str, ...]
    """Sources that bill it; the first that is configured owns it, the others are left out."""
    estimated_by: tuple[str, ...]
    """Sources whose usage estimates what is not billed yet; the first that is configured."""
    attribution: tuple[str, ...]
    """Sources that report who used it; never added."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """A row per provider. The last row is for all providers without their own."""

    rows: tuple[OwnershipRow, ...]
    hourly_bills: frozenset[str] = field(default=frozenset())
    """Providers whose bill gives the hour of a cost and when it became known; others bill by the day."""

    def of(self, provider: str) -> OwnershipRow:
        """Return the row of a provider."""
        return next((row for row in self.rows if row.provider == provider), self.rows[-1])

    def counted_usage(self, provider: str, reported_by: Collection[str]) -> str | None:
        """Return which kind of the sources that report a provider's LLM usage counts; a proxy's never does.

        All sources of that kind count: several accounts of a provider share nothing.
        """
        order = (*self.of(provider).estimated_by, *self.rows[-1].estimated_by)
        kinds = {kind_of(name) for name in reported_by}
        return next((name for name in order if name in kinds), None)


def ownership_of(claims: Iterable[Claims], hourly_bills: Iterable[str] = ()) -> Ownership:
    """Return the table that follows from what sources claim, in their order.

    A source that names a provider comes before one that takes any provider. A usage log estimates only what
    it names: live usage from the provider itself is better than logged calls.
    """
    claims = tuple(claims)
    money: dict[str, str] = {}
    for claim in claims:
        for provider, name in claim.bills.items():
            money.setdefault(provider, name)
    other = money.pop(ANY_OTHER, "any other provider")

    def naming(provider: str, of: Mapping[str, Collection[str]]) -> list[str]:
        return [name for name, providers in of.items() if provider in providers]

    bills = {claim.name: claim.bills for claim in claims}
    estimates = {claim.name: claim.estimates for claim in claims}
    attributes = {claim.name: claim.attributes for claim in claims}

    def row(provider: str, name: str) -> OwnershipRow:
        wild = [] if provider == ANY_OTHER else naming(ANY_OTHER, bills)
        also = [] if provider == ANY_OTHER else naming(ANY_OTHER, attributes)
        return OwnershipRow(
            provider,
            name,
            tuple(dict.fromkeys([*naming(provider, bills), *wild])),
            tuple(naming(provider, estimates)),
            tuple(dict.fromkeys([*naming(provider, attributes), *also])),
        )

    rows = [row(provider, name) for provider, name in money.items()]
    return Ownership((*rows, row(ANY_OTHER, other)), frozenset(hourly_bills))
