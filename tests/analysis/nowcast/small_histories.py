"""Small histories whose costs, delays and credits a test states itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from exporter.core.cost_cells import NANO, CostCell, CostCells, Line

FIRST = 494_023
"""2026-05-11 07:00 UTC, a Monday's midnight in the Pacific zone, far from any change of clocks."""
PACIFIC = "America/Los_Angeles"
COMPUTE = Line("account", "web", "Compute Engine", "core")


def line_cells(
    line: Line,
    hours: Iterable[int],
    usd: Callable[[int], float],
    lag: Callable[[int], int] = lambda _: 3,
    credit: Callable[[int], float] = lambda _: 0.0,
) -> list[CostCell]:
    """One cell for each hour that costs anything; functions take the hour since FIRST."""
    return [
        CostCell(
            line,
            FIRST + at,
            FIRST + at + lag(at),
            round(usd(at) * NANO),
            round(credit(at) * NANO),
        )
        for at in hours
        if usd(at)
    ]


def history(*cells: Iterable[CostCell]) -> CostCells:
    return CostCells.of(cell for some in cells for cell in some)
