"""Whether each part of a snapshot could be computed, and how long it took.

A failed part is reported and affects no other part. Its last good result stays until the end of its hour:
billing days, months and budget periods end on the hour, so until then it still describes the same period.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar, cast

from exporter.ledger.engine_failures import concerns_ledger, is_interrupted
from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples

logger = logging.getLogger(__name__)

BILL: Final = "bill"
"""The part that every snapshot needs."""

_Computed = TypeVar("_Computed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of the last computation of one part."""

    success: bool
    seconds: float


class Outcomes:
    """Keeps the outcome of each part of the last snapshot. For one thread at a time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._latest: dict[str, Outcome] = {}
        self._last_good: dict[str, tuple[datetime, object]] = {}

    @property
    def latest(self) -> dict[str, Outcome]:
        """How each part ended the last time."""
        return dict(self._latest)

    @property
    def failed(self) -> tuple[str, ...]:
        """Parts that could not be computed the last time."""
        return tuple(sorted(name for name, outcome in self._latest.items() if not outcome.success))

    def seconds(self, figure: str) -> float:
        """Return how long the part took the last time; 0 if it was never computed."""
        outcome = self._latest.get(figure)
        return outcome.seconds if outcome else 0.0

    def compute(
        self,
        figure: str,
        compute: Callable[[], _Computed],
        otherwise: _Computed,
        *,
        hour: datetime | None = None,
    ) -> _Computed:
        """Return what `compute` returns; where it fails, its last good result of the hour, or `otherwise`.

        `hour` is the full hour of the snapshot; without it no earlier result is used.
        """
        started = self._monotonic()
        try:
            computed = compute()
        except Exception as error:
            if concerns_ledger(error) or is_interrupted(error):
                # No figure can be computed then: whoever opened the ledger hears of it.
                raise
            self._latest[figure] = Outcome(False, self._monotonic() - started)
            logger.exception("the figure %s could not be computed; see spend_figure_success", figure)
            kept_hour, kept = self._last_good.get(figure, (None, otherwise))
            return cast(_Computed, kept) if hour is not None and kept_hour == hour else otherwise
        self._latest[figure] = Outcome(True, self._monotonic() - started)
        if hour is not None:
            self._last_good[figure] = (hour, computed)
        return computed

    def note(self, figure: str, *, success: bool, seconds: float) -> None:
        """Record the outcome of a part that was computed elsewhere."""
        self._latest[figure] = Outcome(success, seconds)

    def families(self) -> list[FamilySamples]:
        """Return the outcome and the duration of each part."""
        latest = sorted(self._latest.items())
        return [
            FamilySamples(
                metrics.SPEND_FIGURE_SUCCESS, [((name,), float(each.success)) for name, each in latest]
            ),
            FamilySamples(metrics.SPEND_FIGURE_DURATION, [((name,), each.seconds) for name, each in latest]),
        ]
