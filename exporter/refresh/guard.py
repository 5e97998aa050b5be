"""Decides whether charges that are gone at their source may leave the ledger: shrinking needs a reason.

A folder that is not mounted, a file cut short and a table made anew look like a bill that was taken back.
What loses too much at once is withheld: the last good figures stay until a person accepts, or some time has
passed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.analysis.bill.vanished import Window, vanished
from exporter.core.errors import WithheldError
from exporter.ledger.charges.dollars_by_day import (
    dollars_of_source,
    dollars_of_spools,
    last_day,
    stored_partition,
)
from exporter.ledger.charges.store import Ledger
from exporter.ledger.withheld import Withheld, WithheldRetractions
from exporter.sources.base import Batch, Retraction

logger = logging.getLogger(__name__)

FIRST_DAYS: Final = 3
"""Of a month: so long the file of the month to date may be there without a row yet."""

_NAMES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class RetractionRules:
    """How much of a bill may leave at once."""

    largest_share: float = 0.2
    """Of a month's dollars before credits."""
    accept_after: timedelta | None = timedelta(days=1)
    """When what is withheld leaves after all; None: never by itself."""


@dataclass(frozen=True, slots=True)
class Shrinking:
    """The part of a refresh that takes something away, and all that has to change together with it."""

    gone: Sequence[Retraction] = ()
    batches: Sequence[Batch] = ()
    emptied: Mapping[str, int] = field(default_factory=dict)
    """Partitions that had rows and now have none -> how many they had."""
    ended: date | None = None
    """The last day of the bill before the refresh."""


class Guard:
    """Judges the changes of one source that take something away."""

    def __init__(
        self, ledger: Ledger, source: str, rules: RetractionRules, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._source = source
        self._rules = rules
        self._clock = clock
        self._withheld = WithheldRetractions(ledger.path)

    def last_day(self) -> date | None:
        """Return the last day that the source's bill has."""
        return last_day(self._ledger, self._source)

    def shrinks(self, batch: Batch) -> bool:
        """Return whether a batch has fewer dollars than the partition it replaces, or no row any more."""
        if batch.same_data:
            return False
        stored = stored_partition(self._ledger, self._source, batch.partition)
        if self.emptied(batch):
            return True
        return stored.usd > 0 and sum(dollars_of_spools(self._ledger, [batch.charges]).values()) < stored.usd

    def emptied(self, batch: Batch) -> int:
        """Return how many rows a partition had that has none any more; 0 where it still has some."""
        if batch.rows or batch.same_data:
            return 0
        return stored_partition(self._ledger, self._source, batch.partition).export_rows

    def awaits_month(self, batch: Batch) -> bool:
        """Return whether an emptied partition is that of a month that has just begun, without charges yet."""
        last, today = stored_partition(self._ledger, self._source, batch.partition).last_day, self._clock()
        return last is not None and today.day <= FIRST_DAYS and last < today.date().replace(day=1)

    def settle(self) -> None:
        """Forget what was withheld: nothing is any more."""
        if self._withheld.of(self._source) is not None:
            logger.info("%s: nothing is withheld any more", self._source)
            self._withheld.settle(self._source)

    def judge(self, shrinking: Shrinking) -> None:
        """Return if the changes may be stored. Raises WithheldError if not."""
        lost = self._lost(shrinking)
        if lost is None:
            self.settle()
            return
        usd, why = lost
        known, now = self._withheld.of(self._source), self._clock()
        accepted = self._withheld.accepted(self._source)
        if accepted is not None and self._no_more_than(usd, accepted):
            logger.warning("%s: $%.2f leave the bill, as was accepted: %s", self._source, usd, why)
            self._withheld.settle(self._source)
            return
        if known is None or not self._no_more_than(usd, known) or known.since > now:
            known = Withheld(now, usd, why)
            self._withheld.keep(self._source, known)
        after = self._rules.accept_after
        if after is not None and now - known.since >= after:
            logger.warning(
                "%s: $%.2f leave the bill, after %s without anyone's veto: %s", self._source, usd, after, why
            )
            self._withheld.settle(self._source)
            return
        raise WithheldError(usd, self._text(usd, why, None if after is None else known.since + after))

    def _no_more_than(self, usd: Decimal, known: Withheld) -> bool:
        """Whether it is still about the same loss: a larger one has to be accepted anew."""
        return usd <= known.usd * Decimal(1 + self._rules.largest_share) + 1

    def _lost(self, shrinking: Shrinking) -> tuple[Decimal, str] | None:
        """Return the dollars that may not leave unseen, and why not; None where all is as bills change."""
        gone = [each for each in shrinking.gone if not each.explained]
        batches = [each for each in shrinking.batches if not each.same_data]
        names = {each.partition for each in gone} | {each.partition for each in batches}
        before, of_them = dollars_of_source(self._ledger, self._source, names)
        arriving = dollars_of_spools(self._ledger, [each.charges for each in batches])
        after = {
            day: before.get(day, Decimal(0)) - of_them.get(day, Decimal(0)) + arriving.get(day, Decimal(0))
            for day in before.keys() | arriving.keys()
        }
        one_removed = len(gone) == 1 and not any(
            self.shrinks(each) for each in batches if each.partition != gone[0].partition
        )
        net = sum(before.values(), Decimal(0)) - sum(after.values(), Decimal(0))
        if doubts := sorted({each.doubt for each in gone if each.doubt}):
            return max(net, Decimal(0)), "; ".join(doubts[:_NAMES_SHOWN])
        if shrinking.emptied:
            named = _named(shrinking.emptied)
            return max(net, Decimal(0)), f"{named} had rows and has none any more"
        loss = vanished(before, after, Window(shrinking.ended, one_removed))
        if loss is None or loss.share <= self._rules.largest_share:
            return None
        what = f"{loss.share:.0%} of the dollars of {loss.month:%Y-%m}"
        return loss.usd, f"{what} are gone, with {_named(sorted(names))}"

    def _text(self, usd: Decimal, why: str, until: datetime | None) -> str:
        by_itself = f", or wait until {until:%Y-%m-%d %H:%M} UTC" if until else ""
        return (
            f"${usd:,.2f} would leave the bill at once, since {why}. They are withheld: the last good "
            f"figures stay. Restore the data; or if it is right, run `spend-exporter accept-retraction "
            f"--source {self._source}` with the same configuration{by_itself}"
        )


def _named(names: Mapping[str, int] | Sequence[str]) -> str:
    listed = list(names)
    more = len(listed) - _NAMES_SHOWN
    return ", ".join(listed[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
