"""Says why a cost changed, as a person would."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from exporter.analysis.explain.change import Change, Kind, PartName

PART_WORDS: Final[Mapping[PartName, str]] = {
    "new": "new",
    "gone": "gone",
    "more_use": "more use",
    "less_use": "less use",
    "dearer": "dearer",
    "cheaper": "cheaper",
    "unmeasured": "fees and others without a quantity",
    "credits_and_commitments": "credits and commitments",
    "corrections": "corrections",
    "taxes": "taxes",
}
"""How the parts of a change are called, in the order in which they are shown."""

_UNCHANGED: Final = 0.005
"""Below half a percent a price or a quantity is called unchanged."""

_MOST_OF_IT: Final = Decimal("0.8")


class Line(NamedTuple):
    """What is billed: one SKU of one project."""

    provider: str
    service: str
    project: str
    sku: str
    what: str
    """The SKU as it is called in a sentence: `output tokens of gemini-2.5-pro`."""
    unit: str
    kind: Kind


def signed_dollars(usd: Decimal) -> str:
    """Return an amount with its sign: whole dollars, or cents below ten dollars."""
    sign = "-" if usd < 0 else "+"
    return f"{sign}{dollars(usd)}"


def money(usd: Decimal) -> str:
    """Return an amount to the cent."""
    cents = usd.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{'-' if cents < 0 else ''}${abs(cents):,}"


def dollars(usd: Decimal) -> str:
    """Return an amount without its sign."""
    size = abs(usd)
    places = Decimal(1) if size >= 10 else Decimal("0.01")
    return f"${size.quantize(places, ROUND_HALF_UP):,}"


def sentence(service: str, lines: Mapping[Line, Change]) -> str:
    """Return why the cost of a service changed in a project; `lines` are its lines, largest change first."""
    change = sum((each.usd for each in lines.values()), Decimal(0))
    same = {line: each for line, each in lines.items() if each.usd * change > 0}
    line, largest = next(iter((same or lines).items()))
    reason = _reason(line, largest)
    others = len({other.what for other in same} - {line.what})
    if others and abs(largest.usd) < _MOST_OF_IT * abs(change):
        reason += f", and {others} more {'SKU' if others == 1 else 'SKUs'}"
    return f"{service or 'No service'} {signed_dollars(change)}: {reason}"


def _reason(line: Line, change: Change) -> str:
    if line.kind == "credits_and_commitments":
        return _of_credits(line, change)
    if line.kind != "use":
        return f"{line.kind} of {signed_dollars(change.usd)}{_place(line)}"
    part = max(change.parts, key=lambda name: abs(change.parts[name]), default="unmeasured")
    before, now = change.before, change.now
    if part in ("more_use", "less_use", "dearer", "cheaper"):
        return _of_use(line, change, mostly_use=part.endswith("use"))
    word = "costs more" if change.usd > 0 else "costs less"
    return {
        "new": f"{line.what}{_place(line)}, new",
        "gone": f"no more {line.what}{_place(line)}",
    }.get(part, f"{line.what}{_place(line)} {word} ({dollars(before.usd)} before, {dollars(now.usd)} now)")


def _of_use(line: Line, change: Change, *, mostly_use: bool) -> str:
    use = change.now.quantity / change.before.quantity
    price = float(change.now.usd / change.before.usd) / use
    if mostly_use:
        return f"{_times(use, line.what)} {line.what}{_place(line)}, price {_moved(price)}"
    word = "dearer" if price > 1 else "cheaper"
    return f"{line.what}{_place(line)} {_percent(abs(price - 1))} {word} per unit, use {_moved(use)}"


def _of_credits(line: Line, change: Change) -> str:
    credits_given = change.before.usd <= 0 and change.now.usd <= 0
    if not credits_given:
        return f"commitments{_place(line)} {signed_dollars(change.usd)} ({line.what})"
    word = "less" if change.usd > 0 else "more"
    return f"{dollars(change.usd)} {word} in credits for {line.what}{_place(line)}"


def _times(ratio: float, what: str) -> str:
    """Return how much there is now of something, whose name follows."""
    if ratio >= 2:
        return f"{ratio:,.1f} times the"
    less = "fewer" if "tokens of " in what else "less"
    return f"{_percent(abs(ratio - 1))} {'more' if ratio >= 1 else less}"


def _moved(ratio: float) -> str:
    if abs(ratio - 1) < _UNCHANGED:
        return "unchanged"
    if ratio >= 2:
        return f"{ratio:,.1f} times as high"
    return f"{_percent(abs(ratio - 1))} {'up' if ratio > 1 else 'down'}"


def _percent(ratio: float) -> str:
    return f"{ratio:.0%}" if ratio >= 0.1 else f"{ratio:.1%}"


def _place(line: Line) -> str:
    return f" in {line.project}" if line.project else ""
