"""Parts of billing days for the outbox: read once in a round, as the columns that its statements compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from exporter.core.sql_times import naive_utc
from exporter.ledger.charges.billing_days import LONGEST_SHIFT
from exporter.ledger.charges.daily_parts import Division, daily_parts
from exporter.ledger.charges.windows import LedgerView, Window
from exporter.ledger.outbox_sql import LABELS

Columns = Mapping[str, list[object]]
"""Parameters of the statements about parts, by name: a value for each part in every list."""

NO_PARTS: Final[Columns] = {name: [] for name in (*LABELS, "part_days", "part_usd")}


def parts_of_days(
    view: LedgerView, division: Division, zones: Mapping[str, str], windows: Sequence[Window]
) -> Columns:
    """Return the parts of the whole days in the windows, which follow each other."""
    found: dict[str, list[object]] = {name: [] for name in NO_PARTS}
    if not windows:
        return found
    begin, end = windows[0][0], windows[-1][1]
    for part in daily_parts(view, division, zones, (begin - LONGEST_SHIFT, end + LONGEST_SHIFT)):
        if begin <= part.day < end:
            for name, value in zip(LABELS, padded(part.labels), strict=True):
                found[name].append(value)
            found["part_days"].append(naive_utc(part.day))
            # As text: a list of decimals would get the places of one of them.
            found["part_usd"].append(None if part.usd is None else f"{part.usd:f}")
    return found


def padded(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return a value for every column of labels; those that a family does not have are empty."""
    return labels + ("",) * (len(LABELS) - len(labels))
