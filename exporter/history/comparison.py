"""Compares what a receiver has acknowledged with what the store has, and what to send again.

A store that lost acknowledged samples, at a restart or with a disk, would otherwise stay wrong for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from exporter.history.store import Store, Sums
from exporter.ledger.outbox import Outbox, Stored
from exporter.ledger.outbox_period import DAY
from exporter.metrics.daily_parts import FAMILIES
from exporter.metrics.families import Family

COMPARED_DAYS: Final = 7
"""Whole UTC days that are compared, up to yesterday."""

_PLACES: Final = Decimal("1e-18")


class Difference(NamedTuple):
    """A day of a series that the store has otherwise than it was acknowledged."""

    day: datetime
    """Begin of the UTC day; of families of billing days that of the billing day's date."""
    labels: tuple[str, ...]
    """Values of the family's labels."""
    sent_usd: float
    stored_usd: float
    family: Family

    @property
    def usd(self) -> float:
        """How much the store is off, without its sign."""
        return abs(self.stored_usd - self.sent_usd)


def differences(outbox: Outbox, store: Store, now: datetime) -> list[Difference] | None:
    """Compare the last whole days; None where nothing of them was acknowledged yet.

    Raises NotDelivered, SourceError, LedgerError.
    """
    today = DAY.first_of(now)
    first = max(today - COMPARED_DAYS * DAY.length, _day_from(outbox.sent_from))
    sent = outbox.acknowledged((first, today), DAY) if first < today else {}
    if not sent:
        return None
    family = FAMILIES[outbox.contents]
    stored = store.sums(family, first, today, DAY.length)
    return [
        Difference(day, labels, float(usd), stored.get((labels, day), 0.0), family)
        for (labels, day), usd in sorted(sent.items())
        if _differs(float(usd), stored.get((labels, day), 0.0))
    ]


def usd_off(found: Iterable[Difference]) -> float:
    """Return by how many dollars the store is off; families, and labels of one, are the same dollars."""
    off: dict[tuple[str, str], float] = {}
    for each in found:
        named = dict(zip(each.family.labels, each.labels, strict=True))
        same = (each.family.name, named.get("label", ""))
        off[same] = off.get(same, 0.0) + each.usd
    return max(off.values(), default=0.0)


def prepare_resending(outbox: Outbox, store: Store, since: datetime, now: datetime) -> tuple[int, float]:
    """Note what the store really has of each hour from `since` on; the next round sends what is missing.

    Returns how many hours (or days) differ, and by how many dollars.

    Raises NotDelivered, SourceError, LedgerError.
    """
    hours, usd = 0, 0.0
    for start, end in outbox.windows(now):
        window = max(start, since), end
        if window[0] >= end:
            continue
        found = _otherwise(
            outbox, store.sums(FAMILIES[outbox.contents], *window, outbox.period.length), window
        )
        outbox.correct([each for each, _ in found])
        hours += len(found)
        usd += sum(difference for _, difference in found)
    return hours, usd


def _otherwise(
    outbox: Outbox, stored: Sums, window: tuple[datetime, datetime]
) -> Sequence[tuple[Stored, float]]:
    found = []
    for (labels, hour), sent in outbox.acknowledged(window, outbox.period).items():
        has = stored.get((labels, hour), 0.0)
        if _differs(float(sent), has):
            found.append((Stored(labels, hour, Decimal(repr(has)).quantize(_PLACES)), abs(has - float(sent))))
    return found


def _differs(one: float, other: float) -> bool:
    """Beyond the rounding of floats in a sum of a day's values."""
    return abs(one - other) > 1e-6 + 1e-9 * abs(one)


def _day_from(moment: datetime) -> datetime:
    day = DAY.first_of(moment)
    return day if day == moment else day + DAY.length
