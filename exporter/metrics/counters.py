"""How counters begin: one that starts is not one that grew, and one that grew from nothing starts at zero.

Prometheus counts what a counter rises by between two scrapes, and nothing for the first. So what was counted
before the first scrape must be in its first value, and what is counted after it must not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from exporter.metrics.families import Family, FamilySamples

ZERO_FOR: Final = timedelta(minutes=2)
"""How long a counter that begins now is exposed as zero, so that a scrape sees it. If scrapes are rarer, its
first value is not in `increase`, unless Prometheus reads when counters were created."""

Labels = tuple[str, ...]
Start = tuple[Labels, float | None, bool]
"""Labels, and of one part of the counter: when it was zero, and whether it begins now."""
Counted = tuple[Labels, float, float | None, bool]
"""Labels, and of one part of the counter: its value, when it was zero, and whether it begins now."""


class Counters:
    """Begins counters; for one process, and one snapshot after the other."""

    def __init__(self, began: datetime) -> None:
        """`began`: when the counters of the process were zero."""
        self._began = began.timestamp()
        self._zero_for = timedelta(0)
        self._known: dict[str, set[Labels]] = {}
        self._zero_until: dict[tuple[str, Labels], datetime] = {}
        self._begun: set[tuple[str, Labels]] = set()
        """Those that have been zero long enough: never again, also where the ledger could not remember it."""

    def show_zero_first(self, zero_for: timedelta) -> None:
        """From now on expose counters that begin as zero for a while: this process is scraped repeatedly."""
        self._zero_for = zero_for

    def due(self, now: datetime) -> bool:
        """Whether a counter that was exposed as zero has a value to show by now."""
        return any(until <= now for until in self._zero_until.values())

    def begin(self, families: Iterable[FamilySamples], now: datetime) -> list[FamilySamples]:
        """Return the families to expose: each counter with its time of creation, and zero while it begins."""
        shown = [self._begin(each, now) if each.family.type == "counter" else each for each in families]
        over = {key for key, until in self._zero_until.items() if until <= now}
        self._begun |= over
        for key in over:
            del self._zero_until[key]
        return shown

    def _begin(self, each: FamilySamples, now: datetime) -> FamilySamples:
        name = each.family.name
        samples = list(each.samples)
        created = each.created if each.created is not None else {}
        beginning = each.beginning
        if each.created is None:
            known = self._known.setdefault(name, set())
            beginning = {labels for labels, _ in samples} - known
            known |= beginning
        if self._zero_for:
            for key in {(name, labels) for labels in beginning} - self._begun:
                self._zero_until.setdefault(key, now + self._zero_for)
        if self._zero_until:
            samples = [
                (labels, 0.0 if self._is_zero(name, labels, now) else value) for labels, value in samples
            ]
        times = {labels: created.get(labels, self._began) for labels, _ in samples}
        return replace(each, samples=samples, created=times, beginning=frozenset())

    def _is_zero(self, name: str, labels: Labels, now: datetime) -> bool:
        until = self._zero_until.get((name, labels))
        return until is not None and now < until


def starts(parts: Iterable[Start]) -> tuple[dict[Labels, float], frozenset[Labels]]:
    """Return when each counter was zero, where that is known, and which counters begin now.

    A counter is as old as its oldest part, and begins now if all its parts do.
    """
    created: dict[Labels, float] = {}
    beginning: dict[Labels, bool] = {}
    for labels, since, begins in parts:
        if since is not None:
            created[labels] = min(since, created.get(labels, since))
        beginning[labels] = begins and beginning.get(labels, True)
    return created, frozenset(labels for labels, begins in beginning.items() if begins)


def summed(family: Family, parts: Sequence[Counted]) -> FamilySamples:
    """Return the family with the exact sums of the parts: no order of adding makes a counter fall."""
    values: dict[Labels, list[float]] = {}
    for labels, value, _, _ in parts:
        values.setdefault(labels, []).append(value)
    created, beginning = starts((labels, since, begins) for labels, _, since, begins in parts)
    samples = sorted((labels, math.fsum(each)) for labels, each in values.items())
    return FamilySamples(family, samples, created, beginning)
