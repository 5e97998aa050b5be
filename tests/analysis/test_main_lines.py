"""Which lines are estimated on their own."""

from __future__ import annotations

from exporter.analysis.cost_history import Line
from exporter.analysis.main_lines import main_lines


def test_the_heaviest_and_the_kept_stay_and_the_rest_is_one_line_for_each_service() -> None:
    lines = [Line("account", "p", service, sku) for service in "ab" for sku in "123"]
    found = main_lines({line: float(n) for n, line in enumerate(lines)}, 2, keep=[lines[0]])
    assert [line for line in lines if found[line] == line] == [lines[0], lines[5]]
    assert {found[line] for line in lines[1:3]} == {Line("account", "other", "a", "other")}
