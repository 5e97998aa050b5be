"""What arrived when: cost by line, usage hour and export hour. What every estimate is made from.

Hours are counted since 1970-01-01 00:00 UTC, money is in billionths of a US dollar, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

NANO: Final = 1_000_000_000
"""Money units in a US dollar."""

LONG_HOURS: Final = 40
"""A charge for longer than this, as for a month, begins before it is billed and is none of a running line."""


class Line(NamedTuple):
    """What is estimated on its own: one SKU of one project.

    The small lines of a service that are estimated as a group are one line without project and SKU.
    """

    billing_account_id: str
    project_id: str
    service_name: str
    sku_id: str


class CostCell(NamedTuple):
    """What arrived in one hour of the export for one usage hour of one line.

    `gross_nano_usd` sums the categories usage and purchase, `credit_nano_usd` is the category credit
    (negative). Taxes and adjustments belong to no usage hour's own cost and are left out by the caller.
    """

    line: Line
    usage_hour: int
    export_hour: int
    gross_nano_usd: int
    credit_nano_usd: int
    span_hours: int = 1
    """Hours from the start of the usage to its end: a month's fee has 720 or so."""
    apart: bool = False
    """Whether its kind shows that it is none of what the line is metered by: no usage, or another price."""


@dataclass(frozen=True, slots=True, eq=False)
class CostCells:
    """Cells of one provider as columns, in the order of their export: plain arrays, cheap to send."""

    lines: tuple[Line, ...]
    line: Integers
    """Position in `lines`; as with the columns below, one value for each cell."""
    usage: Integers
    export: Integers
    gross: Integers
    credit: Integers
    span: Integers
    apart: NDArray[np.bool_]

    @classmethod
    def of(cls, cells: Iterable[CostCell]) -> CostCells:
        """Return some cells as columns."""
        import numpy as np  # noqa: PLC0415 - 12 MB that serving has no use for

        numbers: dict[Line, int] = {}
        rows = [(numbers.setdefault(cell.line, len(numbers)), *cell[1:]) for cell in cells]
        columns = np.array(rows, dtype=np.int64).reshape(len(rows), 7)
        columns = columns[np.argsort(columns[:, 2], kind="stable")]
        line, usage, export, gross, credit, span, apart = map(np.ascontiguousarray, columns.T)
        return cls(tuple(numbers), line, usage, export, gross, credit, span, apart.astype(np.bool_))

    def __len__(self) -> int:
        return len(self.line)

    @property
    def first_hour(self) -> int:
        """Earliest usage hour; 0 without any."""
        return int(self.usage.min()) if len(self) else 0

    @property
    def end_hour(self) -> int:
        """The hour after the last usage hour."""
        return int(self.usage.max()) + 1 if len(self) else 0
