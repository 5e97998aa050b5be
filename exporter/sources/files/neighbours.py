"""Which units of files have rows of the same days of an account, so that they may repeat each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from exporter.sources.files.layouts import Unit


@dataclass(slots=True)
class Neighbours:
    """The days of files and of the units that they belong to."""

    units: dict[str, Unit] = field(default_factory=dict, init=False)
    """The units that may count, by key: of a period with runs, the chosen one."""
    _unit_of: dict[str, str] = field(default_factory=dict, init=False)
    _days_of_file: dict[str, set[int]] = field(default_factory=dict, init=False)
    """Days that a file has, or had."""
    _days_of_unit: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set), init=False)
    _keys: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set), init=False)
    """Units by day."""

    def add_file(self, name: str, days: set[int]) -> None:
        """Say what days a file has; those that were said before stay."""
        self._days_of_file[name] = self._days_of_file.get(name, set()) | days
        if (key := self._unit_of.get(name)) is not None:
            self._add_days(key, days)

    def add_unit(self, unit: Unit) -> None:
        """Say what unit files belong to from now on."""
        self.units[unit.key] = unit
        for name in map(str, unit.files):
            self._unit_of[name] = unit.key
            self._add_days(unit.key, self._days_of_file.get(name, set()))

    def of(self, unit: Unit) -> list[Unit]:
        """Return the other units that have rows of a day of the unit, by key."""
        keys = set[str]().union(*(self._keys[day] for day in self._days_of_unit[unit.key]))
        return [self.units[key] for key in sorted(keys - {unit.key})]

    def among(self, names: Collection[str], unit: Unit) -> set[str]:
        """Return which of some files have, or had, rows of a day of the unit."""
        if not names:
            return set()
        days = self._days_of_unit[unit.key]
        return {name for name in names if not days.isdisjoint(self._days_of_file.get(name, ()))}

    def groups(self) -> Iterable[list[Unit]]:
        """Yield the units that are connected by days in common, such as those of a month of an account."""
        seen: set[str] = set()
        for key in sorted(self.units):
            group, reached = [], [] if key in seen else [self.units[key]]
            seen.add(key)
            while reached:
                group.append(reached.pop())
                near = [each for each in self.of(group[-1]) if each.key not in seen]
                seen |= {each.key for each in near}
                reached += near
            if len(group) > 1:
                yield group

    def _add_days(self, key: str, days: set[int]) -> None:
        self._days_of_unit[key] |= days
        for day in days:
            self._keys[day].add(key)
