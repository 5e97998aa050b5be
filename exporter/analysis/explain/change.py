"""Splits the change of each line of a bill between two periods into its parts, which add up to it exactly.

A line is one SKU of one project. With a quantity in both periods, what the change of the quantity cost at the
price of before is use, and the rest is price.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final, Literal, TypeVar, get_args

PartName = Literal[
    "new",
    "gone",
    "more_use",
    "less_use",
    "dearer",
    "cheaper",
    "unmeasured",
    "credits_and_commitments",
    "corrections",
    "taxes",
]
PARTS: Final[tuple[PartName, ...]] = get_args(PartName)
"""`unmeasured` is the change of a line that both periods have, but without a quantity to compare."""

Kind = Literal["use", "credits_and_commitments", "corrections", "taxes"]

_PLACES: Final = Decimal(10) ** -18
EXACT: Final = Context(prec=60)
"""Python's own 28 digits are too few for ten billion dollars with 18 places."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Side:
    """A line in one of the periods."""

    usd: Decimal = Decimal(0)
    quantity: float = 0.0
    known: bool = False
    """Whether the bill has any charge of the line."""

    def __add__(self, other: Side) -> Side:
        """Return the sum."""
        return Side(EXACT.add(self.usd, other.usd), self.quantity + other.quantity, self.known or other.known)


@dataclass(frozen=True, slots=True)
class Change:
    """A line, or several, in both periods."""

    before: Side
    now: Side
    parts: Mapping[PartName, Decimal]
    """Adds up to `usd`; parts of zero are left out."""

    @property
    def usd(self) -> Decimal:
        """The change."""
        return EXACT.subtract(self.now.usd, self.before.usd)

    def __add__(self, other: Change) -> Change:
        """Return the change of both together."""
        return Change(self.before + other.before, self.now + other.now, _merged((self.parts, other.parts)))


NO_CHANGE: Final = Change(Side(), Side(), {})


def change_of(kind: Kind, before: Side, now: Side) -> Change:
    """Return the change of one line with its parts."""
    return Change(before, now, {name: usd for name, usd in _parts(kind, before, now).items() if usd})


def summed(changes: Iterable[tuple[Key, Change]]) -> dict[Key, Change]:
    """Add up changes with the same key, the largest first."""
    found: dict[Key, Change] = {}
    for key, change in changes:
        found[key] = found[key] + change if key in found else change
    return dict(sorted(found.items(), key=lambda item: (-abs(item[1].usd), str(item[0]))))


def _parts(kind: Kind, before: Side, now: Side) -> dict[PartName, Decimal]:
    whole = EXACT.subtract(now.usd, before.usd)
    if kind != "use":
        return {kind: whole}
    if not before.known:
        return {"new": whole}
    if not now.known:
        return {"gone": whole}
    if before.quantity <= 0 or now.quantity <= 0 or not before.usd:
        return {"unmeasured": whole}
    ratio = EXACT.divide(Decimal(now.quantity), Decimal(before.quantity))
    use = EXACT.subtract(EXACT.multiply(before.usd, ratio), before.usd).quantize(_PLACES, context=EXACT)
    price = EXACT.subtract(whole, use)
    return {
        "more_use" if now.quantity > before.quantity else "less_use": use,
        "dearer" if price > 0 else "cheaper": price,
    }


def _merged(all_parts: Iterable[Mapping[PartName, Decimal]]) -> dict[PartName, Decimal]:
    sums: dict[PartName, Decimal] = {}
    for parts in all_parts:
        for name, usd in parts.items():
            sums[name] = EXACT.add(sums.get(name, Decimal(0)), usd)
    return {name: sums[name] for name in PARTS if sums.get(name)}
