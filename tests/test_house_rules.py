"""Rules for the tests themselves: no test passes without having checked something, and none sleeps."""

from __future__ import annotations

import textwrap
from functools import cache

import pytest

from tests.support.places import REPOSITORY
from tests.support.syntax import Module, modules_below, read_module, sleeps, unsure_tests


@cache
def modules() -> list[Module]:
    return modules_below(REPOSITORY / "tests")


@pytest.mark.slow
def test_no_test_can_pass_without_having_checked_anything() -> None:
    assert len(modules()) > 100
    assert unsure_tests(modules()) == []


@pytest.mark.slow
def test_no_test_sleeps() -> None:
    assert sleeps(modules()) == []


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
