"""How wrong past estimates were, once the bill they were about is final."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

Horizon = TypeVar("Horizon", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ErrorRatios:
    """Errors of some estimates as shares of the final amounts, positive where the estimate was too high."""

    signed: float
    """Sum of the errors over the sum of the final amounts: what stays of them in the long run."""
    absolute: float
    """Mean size of an error."""
    worst: float
    """The largest error, with its sign."""
    count: int


def error_ratios(graded: Iterable[tuple[Horizon, int, int]]) -> dict[Horizon, ErrorRatios]:
    """Grade (horizon, estimate, final) triples by horizon, money in one unit.

    A horizon distinguishes early estimates from late ones, such as the hour of the day. Estimates of
    nothing (a final amount of 0 or less) have no ratio and are left out; so is a horizon without any other.
    """
    errors: dict[Horizon, list[tuple[int, int]]] = {}
    for horizon, estimate, final in graded:
        if final > 0:
            errors.setdefault(horizon, []).append((estimate - final, final))
    return {horizon: _ratios(pairs) for horizon, pairs in errors.items()}


def _ratios(pairs: list[tuple[int, int]]) -> ErrorRatios:
    ratios = [error / final for error, final in pairs]
    return ErrorRatios(
        signed=sum(error for error, _ in pairs) / sum(final for _, final in pairs),
        absolute=sum(map(abs, ratios)) / len(ratios),
        worst=max(ratios, key=abs),
        count=len(ratios),
    )
