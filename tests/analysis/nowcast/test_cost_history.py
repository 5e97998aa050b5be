"""What was known when: sums of the cells exported before an hour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.nowcast.cost_history import Cell, CostHistory, KnownCosts, Line

LINES = [Line("account", "project", service, "sku") for service in ("a", "b")]
CELLS = st.lists(
    st.builds(
        Cell,
        st.sampled_from(LINES),
        st.integers(100, 140),
        st.integers(100, 180),
        st.integers(-(10**12), 10**12),
        st.integers(-(10**12), 0),
    ),
    max_size=30,
)


@given(CELLS, st.lists(st.integers(95, 185), max_size=4))
def test_known_is_the_exact_sum_of_earlier_exports_in_however_many_steps(
    cells: list[Cell], steps: list[int]
) -> None:
    known = KnownCosts(CostHistory(cells), 150)
    for as_of in sorted(steps):
        known.advance(as_of)
        for number, line in enumerate(known.history.lines):
            assert known.net_nano_usd(number, 90, 200) == sum(
                cell.gross_nano_usd + cell.credit_nano_usd
                for cell in cells
                if cell.line == line and cell.export_hour < as_of
            )


def test_an_empty_history_knows_nothing() -> None:
    known = KnownCosts(CostHistory([]), 10)
    known.advance(10)
    assert (len(known.history), known.history.lines) == (0, ())


def test_a_channel_opens_with_the_first_of_its_lines() -> None:
    early, late = Line("account", "p", "a", "1"), Line("account", "q", "a", "2")
    known = KnownCosts(CostHistory([Cell(late, 100, 109, 1, 0), Cell(early, 100, 104, 1, 0)]), 120)
    known.advance(120)
    assert known.opened[0][0] == 104
    assert sorted(line[0] for line in known.first_export) == [104, 109]
