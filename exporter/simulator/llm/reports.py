"""What OpenAI's and Anthropic's reports have in common: time buckets, limits, pages, filters and grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter.simulator.llm.company import Workload
from exporter.simulator.llm.prices import INPUT_TOKENS, Amount
from exporter.simulator.llm.usage import LlmUse

Params = Mapping[str, Sequence[str]]
"""Query parameters, each with all its values."""
Dimensions = Mapping[str, Hashable]
"""What a report can be grouped by, and a workload's value of it."""

WIDTHS: Final = {"1m": 60, "1h": 3600, "1d": 86_400}
"""Seconds in a bucket."""
USAGE_LIMITS: Final = {"1m": (60, 1440), "1h": (24, 168), "1d": (7, 31)}
"""Buckets on a page, by width: the default and the most."""


class BadRequestError(ValueError):
    """A request that the API refuses; `param` is the parameter that is to blame."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a report. Times are seconds since the epoch."""

    start: int
    """Start of the first bucket."""
    end: int
    """No bucket begins at or after it."""
    width: int
    limit: int
    group_by: frozenset[str]
    filters: Mapping[str, frozenset[str]]
    """Wanted values as text, by dimension."""

    def page(self, first: int) -> tuple[list[int], int | None]:
        """Return the starts of a page's buckets from `first` on, and where the next page begins if any."""
        stop = min(self.end, first + self.limit * self.width)
        return list(range(first, stop, self.width)), stop if stop < self.end else None


@dataclass(slots=True)
class Totals:
    """Sums of uses."""

    requests: int = 0
    amounts: Counter[Amount] = field(default_factory=Counter)

    def add(self, use: LlmUse) -> None:
        """Add a use."""
        self.requests += use.requests
        self.amounts.update(use.amounts)

    @property
    def input_tokens(self) -> int:
        """All that was sent, cached or not."""
        return sum(self.amounts[kind] for kind in INPUT_TOKENS)


def one(params: Params, name: str, default: str | None = None) -> str | None:
    """Return the value of a parameter that may be given once."""
    values = params.get(name, ())
    if len(values) > 1:
        raise BadRequestError(f"'{name}' is given {len(values)} times; it takes one value.", name)
    return values[0] if values else default


def several(params: Params, name: str) -> frozenset[str]:
    """Return all values of a parameter, which is written with or without brackets."""
    return frozenset([*params.get(name, ()), *params.get(f"{name}[]", ())])


def whole_number(text: str, name: str, low: int, high: int) -> int:
    """Parse a number within bounds."""
    try:
        number = int(text)
    except ValueError:
        raise BadRequestError(f"Invalid type for '{name}': expected an integer.", name) from None
    if not low <= number <= high:
        raise BadRequestError(f"Invalid '{name}': expected {low} to {high}, got {number}.", name)
    return number


def choice(value: str, name: str, known: Iterable[str]) -> str:
    """Return a value if it is one of the known ones."""
    if value not in known:
        raise BadRequestError(f"Invalid value '{value}' for '{name}': expected one of {sorted(known)}.", name)
    return value


def grouped(
    uses: Iterable[LlmUse], dimensions: Callable[[Workload], Dimensions], query: Query
) -> Iterator[tuple[dict[str, Hashable], list[LlmUse]]]:
    """Yield each group of uses under its values of the dimensions; those not grouped by are None.

    Groups without a use do not exist. Without grouping there is at most one.
    """
    groups: dict[tuple[Hashable, ...], list[LlmUse]] = {}
    names: tuple[str, ...] = ()
    for use in uses:
        values = dimensions(use.workload)
        if any(_text(values[name]) not in wanted for name, wanted in query.filters.items()):
            continue
        names = tuple(values)
        key = tuple(values[name] if name in query.group_by else None for name in names)
        groups.setdefault(key, []).append(use)
    for key, members in groups.items():
        yield dict(zip(names, key, strict=True)), members


def total(uses: Iterable[LlmUse]) -> Totals:
    """Add uses up."""
    totals = Totals()
    for use in uses:
        totals.add(use)
    return totals


def _text(value: Hashable) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
