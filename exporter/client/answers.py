"""An answer about cost as rows, as a pandas data frame or as an Arrow table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.questions.cost_answer import CostAnswer, OtherGroups, Point

if TYPE_CHECKING:
    import pandas
    import pyarrow

OTHER: Final = "other"
"""Value of each dimension for the groups that are only shown together."""

_DIGITS: Final = 38
_PLACES: Final = 18


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one group cost in one period."""

    start: str
    """A billing day, or a time in UTC."""
    end: str
    """Excluded."""
    keys: dict[str, str]
    """Value by dimension; empty where charges have none."""
    value: Decimal | None
    """Exact; None where nothing was billed."""
    settled: bool
    """Whether nearly all of the cost has arrived."""


class Costs(CostAnswer):
    """The answer of /api/v1/costs."""

    def rows(self) -> list[CostRow]:
        """Return a row for each period of each group; they add up to `total`.

        The groups that are only shown together are one group, with `other` in each dimension.
        """
        found = [CostRow(*_of(point, group.keys)) for group in self.groups for point in group.points]
        return [*found, *(_other_rows(self.by, self.other) if self.other else ())]

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a data frame, amounts as floats: for charts. Needs pandas."""
        # Both are optional libraries, and only these conversions need them.
        import pandas  # noqa: PLC0415

        rows = self.rows()
        values = [None if row.value is None else float(row.value) for row in rows]
        frame = pandas.DataFrame({**_columns(self.by, rows), "value": pandas.Series(values, dtype="float64")})
        for name in ("start", "end"):
            frame[name] = pandas.to_datetime(frame[name])
        return frame

    def to_arrow(self) -> pyarrow.Table:
        """Return the rows as a table, amounts exact with 18 places. Needs pyarrow."""
        import pyarrow  # noqa: PLC0415

        rows = self.rows()
        values = pyarrow.array([row.value for row in rows], pyarrow.decimal128(_DIGITS, _PLACES))
        return pyarrow.table({**_columns(self.by, rows), "value": values})


def _other_rows(by: list[str], other: OtherGroups) -> Iterator[CostRow]:
    for point in other.points:
        yield CostRow(*_of(point, dict.fromkeys(by, OTHER)))


def _of(point: Point, keys: dict[str, str]) -> tuple[str, str, dict[str, str], Decimal | None, bool]:
    value = None if point.value is None else Decimal(point.value)
    return point.start, point.end, keys, value, point.settled


def _columns(by: list[str], rows: list[CostRow]) -> dict[str, list[str] | list[bool]]:
    dimensions = {name: [row.keys[name] for row in rows] for name in by}
    return {
        "start": [row.start for row in rows],
        "end": [row.end for row in rows],
        **dimensions,
        "settled": [row.settled for row in rows],
    }
