"""Which services the plain estimate would have served better of late, by the bill that has become final."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from exporter.analysis.nowcast.known_costs import Floats
from exporter.analysis.nowcast.replay import Replay
from exporter.core.cost_cells import NANO

JUDGED_DAYS: Final = 21
FINAL_AFTER_HOURS: Final = 120
"""A day's bill counts as final so long after its end: by then all but rare stragglers and restatements of it
have arrived."""

JUDGED_HOURS: Final = (2, 8, 14, 20)
"""Hours after the start of a billing day at which both estimates of it are noted."""

_LEAST_DAYS: Final = 10
_BETTER: Final = 0.95
"""The plain estimate has to be better by so much: a draw changes nothing."""

_WORST: Final = 2.0


class Referee:
    """Notes both estimates of whole days, and compares them with the bill once it is final."""

    def __init__(self) -> None:
        self._noted: dict[int, list[tuple[Floats, Floats]]] = {}

    def note(self, replay: Replay, as_of: int) -> None:
        """Note what both say at an hour of its billing day; US dollars by service."""
        day = replay.calendar.day(as_of)
        low, high = replay.calendar.day_hours(day)
        own = replay.by_service(replay.estimate(as_of, low, high).to_come).sum(axis=1)
        plain = replay.plain_to_come(as_of, low, high).sum(axis=1)
        billed = replay.billed(low, high).sum(axis=1) / NANO
        self._noted.setdefault(day, []).append((billed + own, billed + plain))

    def plain(self, replay: Replay, as_of: int) -> frozenset[str]:
        """Return the services for which the plain estimate was better, by what is known at `as_of`."""
        own, plain = np.zeros(1), np.zeros(1)
        finals = self._finals(replay, as_of)
        if len(finals) < _LEAST_DAYS:
            return frozenset()
        for day, final in finals.items():
            own = own + sum(np.abs(one - final) for one, _ in self._noted[day])
            plain = plain + sum(np.abs(other - final) for _, other in self._noted[day])
        names = replay.known.services
        return frozenset(names[number] for number in np.flatnonzero(plain < _BETTER * own))

    def errors(
        self, replay: Replay, as_of: int, plain: AbstractSet[str] = frozenset()
    ) -> tuple[tuple[float, ...], ...]:
        """Return relative errors of the estimates of whole days, by JUDGED_HOURS.

        `plain`: the services for which the plain estimate is taken.
        """
        found: list[list[float]] = [[] for _ in JUDGED_HOURS]
        plainly = np.array([name in plain for name in replay.known.services], np.bool_)
        for day, final in self._finals(replay, as_of).items():
            for errors, (own, other) in zip(found, self._noted[day], strict=False):
                if final.sum() > 0.0:
                    said = float(np.where(plainly, other, own).sum())
                    errors.append(float(np.clip(said / final.sum() - 1.0, -_WORST, _WORST)))
        return tuple(map(tuple, found))

    def _finals(self, replay: Replay, as_of: int) -> dict[int, Floats]:
        """Final cost by service of the last days that are final at an hour."""
        calendar = replay.calendar
        days = [day for day in sorted(self._noted) if calendar.day_hours(day)[1] + FINAL_AFTER_HOURS <= as_of]
        replay.known.advance(as_of)
        return {
            day: replay.billed(*calendar.day_hours(day)).sum(axis=1) / NANO for day in days[-JUDGED_DAYS:]
        }
