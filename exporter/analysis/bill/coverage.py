"""Which periods the bill covers: one that began before the bill does is partial.

Whether nothing was used before, or the bill lacks its earlier part, cannot be told; no text claims either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from exporter.analysis.bill.windows import Window

Bill = tuple[str, str]
"""Provider and billing account; the account is empty where the provider does not name any."""

BEGINS_ON_TIME: Final = timedelta(hours=3)
"""A bill that begins so soon after a period covers it: at night a small account has hours without usage, and
three hours are less of a month than what corrections change."""

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
"""In English, whatever the locale."""


@dataclass(frozen=True, slots=True)
class BillCoverage:
    """Where each bill begins, and the periods that are compared with that."""

    begins: Mapping[Bill, datetime] = field(default_factory=dict)
    """The first hour of usage of each bill."""
    windows: Mapping[str, Mapping[str, Window]] = field(default_factory=dict)
    """Of each provider, by name."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """The billing zone of each provider."""

    def partial(self) -> Iterator[tuple[str, str, bool]]:
        """Yield provider, name of the window, and whether the window began before a bill of the provider."""
        for provider, windows in sorted(self.windows.items()):
            for name in windows:
                yield provider, name, self._latest(name, provider) is not None

    def is_partial(self, name: str) -> bool | None:
        """Return whether any bill begins after the window does; None without a bill."""
        return self.covered_from(name) is not None if self.windows else None

    def covered_from(self, name: str) -> datetime | None:
        """Return from when on the window is known of every bill; None where that is from its start on."""
        found = self._latest_of_all(name)
        return found[0] if found else None

    def covered_from_text(self, name: str) -> str | None:
        """Return the same as the provider's billing day, in words."""
        found = self._latest_of_all(name)
        return day_text(found[0], self.zones[found[1]]) if found else None

    def sentences(self) -> list[str]:
        """Return a sentence on each bill that begins after a window does."""
        return [
            beginning_text(bill, begin, self.zones[bill[0]])
            for bill, begin in sorted(self.begins.items())
            if covered_from({bill: begin}, self._earliest(bill[0])) is not None
        ]

    def _earliest(self, provider: str) -> dict[str, datetime]:
        starts = [start for start, _ in self.windows.get(provider, {}).values()]
        return {provider: min(starts)} if starts else {}

    def _latest_of_all(self, name: str) -> tuple[datetime, str] | None:
        found = [(self._latest(name, provider), provider) for provider in self.windows]
        return max(((begin, provider) for begin, provider in found if begin), default=None)

    def _latest(self, name: str, provider: str) -> datetime | None:
        return covered_from(self.begins, {provider: self.windows[provider][name][0]})


def covered_from(begins: Mapping[Bill, datetime], starts: Mapping[str, datetime]) -> datetime | None:
    """Return the latest beginning of a bill that is well after the start of the period; None without any.

    `starts` has the period's start of each provider; bills of others do not count. Of every figure that is
    called partial, this decides.
    """
    late = [
        begin
        for (provider, _), begin in begins.items()
        if provider in starts and begin > starts[provider] + BEGINS_ON_TIME
    ]
    return max(late, default=None)


def beginning_text(bill: Bill, begin: datetime, zone: str) -> str:
    """Return a sentence that is true whether the bill lacks its earlier part or nothing was used before."""
    return f"The bill of {bill_name(bill)} begins on {day_text(begin, zone)}; costs before are not known."


def bill_name(bill: Bill) -> str:
    """Return how a bill is called in a text."""
    return " ".join(part for part in bill if part)


def day_text(moment: datetime, zone: str) -> str:
    """Return the day of a moment in a zone, in words."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
