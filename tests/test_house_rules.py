"""Rules for the tests themselves: no test passes without having checked something, and none sleeps."""

from __future__ import annotations

import textwrap

import pytest

from tests.support.places import REPOSITORY
from tests.support.syntax import modules_below, read_module, sleeps, unsure_tests

MODULES = modules_below(REPOSITORY / "tests")
NOT_MENDED_YET = {
    "analysis/nowcast/test_backtest.py::test_rows_say_what_was_estimated_and_what_became_of_it",
    "analysis/nowcast/test_cost_history.py::test_known_is_the_exact_sum_of_earlier_exports_in_however_many_steps",
    "analysis/nowcast/test_grading.py::test_the_worst_error_is_no_smaller_than_the_mean",
    "analysis/nowcast/test_nowcast.py::test_parts_sum_exactly_whatever_is_billed",
    "analysis/nowcast/test_nowcast.py::test_today_so_far_grows_continuously_with_time",
    "grafana/test_dashboards.py::test_every_panel_has_a_unit_that_grafana_knows_and_dollars_have_decimals",
    "grafana/test_dashboards.py::test_rates_over_time_take_the_interval_that_grafana_works_out",
    "grafana/test_dashboards.py::test_only_history_is_asked_for_more_than_the_board_shows",
    "grafana/test_dashboards.py::test_every_metric_exists_and_every_label_exists_on_it",
    "grafana/test_dashboards.py::test_every_legend_names_labels_that_its_query_leaves",
    "grafana/test_dashboards.py::test_every_link_leads_to_a_board_that_has_the_variables_it_carries",
    "grafana/test_dashboards.py::test_a_number_is_wide_enough_for_its_title_at_1280",
    "grafana/test_dashboards.py::test_variables_ask_for_values_of_a_label",
    "grafana/test_dashboards.py::test_red_is_kept_for_trouble_and_a_name_has_one_colour_everywhere",
    "prometheus/test_alert_docs.py::test_every_link_of_a_runbook_leads_somewhere",
    "prometheus/test_alert_docs.py::test_the_readers_folders_exist",
    "prometheus/test_alert_routes.py::test_no_receiver_is_named_by_a_label_and_no_secret_stands_in_the_file",
    "sources/files/test_source.py::test_text_of_any_kind_comes_through_unchanged",
    "sources/focus/test_ledger.py::test_the_ledger_has_each_dollar_of_the_files_that_are_there_once",
}
"""They are to become fewer; nothing is added here."""


def test_no_test_can_pass_without_having_checked_anything() -> None:
    assert len(MODULES) > 100
    assert set(unsure_tests(MODULES)) <= NOT_MENDED_YET


def test_no_test_sleeps() -> None:
    assert sleeps(MODULES) == []


UNSURE = [
    "for each in found(): assert each",
    "for each in []: assert each",
    "for number in range(3, 3): assert number",
    "while waiting(): assert True",
    "for each in sorted(found()): assert each",
    "for one, two in zip(found(), [1, 2]): assert one == two",
    "assert all(each > 0 for each in found())",
    "with opened() as file:\n    for line in file: assert line",
    "for each in found():\n    with pytest.raises(ValueError): each()",
    "in_a_loop(found())",
    "def inner(): assert True",
    "run()",
]
SURE = [
    "assert found()",
    "for each in found(): assert each\nassert found()",
    "for each in (1, 2): assert each",
    "cases = {'a': 1}\nfor name, value in cases.items(): assert value, name",
    "for each in CASES: assert each",
    "for number in range(840, 900, 7): assert number",
    "assert all(each > 0 for each in (1, 2))",
    "with pytest.raises(ValueError): run()",
    "with opened():\n    until(lambda: True, 'it')",
    "always(found())",
    "by_another(found())",
]
HELPERS = """
CASES = [1, 2]

def in_a_loop(values):
    for value in values:
        assert value

def always(values):
    in_a_loop(values)
    assert values

def by_another(values):
    with opened():
        always(values)

def test_it():
"""


@pytest.mark.parametrize("body", UNSURE)
def test_a_check_that_may_never_run_is_found(body: str) -> None:
    module = read_module("a.py", HELPERS + textwrap.indent(body, "    "))
    assert unsure_tests([module]) == ["a.py::test_it"]


@pytest.mark.parametrize("body", SURE)
def test_a_check_that_always_runs_is_accepted(body: str) -> None:
    module = read_module("a.py", HELPERS + textwrap.indent(body, "    "))
    assert unsure_tests([module]) == []


@pytest.mark.parametrize("call", ["time.sleep(1)", "sleep(0.1)", "await asyncio.sleep(2)"])
def test_a_sleep_is_found(call: str) -> None:
    module = read_module("a.py", f"async def test_it():\n    {call}\n")
    assert sleeps([module]) == ["a.py:2"]


def test_giving_way_to_other_tasks_is_no_sleep() -> None:
    assert sleeps([read_module("a.py", "async def test_it():\n    await asyncio.sleep(0)\n")]) == []
