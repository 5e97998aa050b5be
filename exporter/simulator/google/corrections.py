"""What Google takes back: hours that are billed once, and restated days later by appended rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from exporter.simulator.chance import stream, uniform
from exporter.simulator.google.credits import Credit
from exporter.simulator.google.usage import Meter, Use
from exporter.simulator.moment import MICROSECONDS_PER_HOUR

Kind = Literal["USAGE_CORRECTION", "PRICE_CORRECTION"]
Mode = Literal["PARTIAL_CORRECTION", "COMPLETE_NEGATION", "COMPLETE_NEGATION_WITH_REMONETIZATION"]

EARLIEST_DAYS: Final = 5
LATEST_DAYS: Final = 12
"""A correction is exported this many days after the end of the UTC day that it corrects."""

_SHARE_OF_DAYS: Final = 0.015
"""Share of a meter's days that get corrected."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A restatement of some hours of one day of one meter."""

    id: str
    kind: Kind
    mode: Mode
    factor: float
    """Final cost as a share of the cost at first billed."""
    first_hour: int
    end_hour: int
    exported_microseconds: int

    def rows(self, use: Use) -> tuple[Use, ...]:
        """What is appended for one hour; with the first bill it sums to the final cost."""
        final = self.final(use)
        if self.mode == "PARTIAL_CORRECTION":
            return (_sum(final, _negated(use)),)
        if self.mode == "COMPLETE_NEGATION":
            return (_negated(use),)
        return (_negated(use), final)

    def final(self, use: Use) -> Use:
        """The hour as it stands after the correction."""
        return Use(
            amount=round(use.amount * self.factor, 9) if self.kind == "USAGE_CORRECTION" else use.amount,
            price=round(use.price * self.factor, 9) if self.kind == "PRICE_CORRECTION" else use.price,
            cost_micros=round(use.cost_micros * self.factor),
            credits=tuple(c._replace(micros=round(c.micros * self.factor)) for c in use.credits),
        )


class Corrections:
    """Which hours of which meters are corrected: a pure function of the seed."""

    def __init__(self, seed: int, meters: tuple[Meter, ...]) -> None:
        self._keys = tuple(stream(seed, "correction", *meter.name) for meter in meters)

    def of_day(self, meter: Meter, day: int) -> Correction | None:
        """The correction of one UTC day, counted since the epoch, if there is one."""
        key = self._keys[meter.index]
        if uniform(key, day * 8) >= _SHARE_OF_DAYS:
            return None
        factor, kind, mode, whole, delay, minute = (uniform(key, day * 8 + n) for n in range(1, 7))
        chosen_mode, chosen_factor = _mode(mode, factor)
        hours = (EARLIEST_DAYS + delay * (LATEST_DAYS - EARLIEST_DAYS)) * 24.0
        first = day * 24 + (0 if whole < 0.6 else 8)
        return Correction(
            id=f"{meter.sku.id}/{day}",
            kind="PRICE_CORRECTION" if kind < 0.25 and chosen_factor > 0.0 else "USAGE_CORRECTION",
            mode=chosen_mode,
            factor=chosen_factor,
            first_hour=first,
            end_hour=day * 24 + (24 if whole < 0.8 else 18),
            exported_microseconds=int((day * 24 + 24 + hours + minute) * MICROSECONDS_PER_HOUR),
        )

    def of_hour(self, meter: Meter, hour: int) -> Correction | None:
        """The correction of one hour, if there is one."""
        found = self.of_day(meter, hour // 24)
        if found is None or not found.first_hour <= hour < found.end_hour:
            return None
        return found


def _mode(draw: float, factor: float) -> tuple[Mode, float]:
    if draw < 0.1:
        return "COMPLETE_NEGATION", 0.0
    lowered = round(0.35 + 0.6 * factor, 4)
    raised = round(1.02 + 0.3 * factor, 4)
    chosen = lowered if draw < 0.75 else raised
    return ("PARTIAL_CORRECTION" if draw < 0.3 else "COMPLETE_NEGATION_WITH_REMONETIZATION"), chosen


def _negated(use: Use) -> Use:
    return use._replace(
        amount=-use.amount,
        cost_micros=-use.cost_micros,
        credits=tuple(credit._replace(micros=-credit.micros) for credit in use.credits),
    )


def _sum(one: Use, other: Use) -> Use:
    credits = tuple(
        Credit(a.scheme, a.micros + b.micros) for a, b in zip(one.credits, other.credits, strict=True)
    )
    return Use(round(one.amount + other.amount, 9), one.price, one.cost_micros + other.cost_micros, credits)
