"""Patterns of conditions: `*` and `?` alone, whole texts, and no pattern that takes long."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from exporter.questions.conditions import conditions_of, holds, matches_glob
from tests.support.question_world import QUOTED, dimensions


@given(st.text("ab[", max_size=8), st.text("ab[*?", max_size=8))
def test_a_pattern_matches_what_the_same_regular_expression_does(text: str, pattern: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    assert matches_glob(text, pattern) == bool(re.fullmatch(expression, text))


def test_a_pattern_that_makes_others_explode_is_answered_at_once() -> None:
    started = time.process_time()
    assert not matches_glob("a" * 256, "*a" * 127 + "b")
    assert time.process_time() - started < 0.5


def test_case_matters_in_labels_alone() -> None:
    assert holds("project", "Shop-Prod", ("shop-*",))
    assert not holds("label.team", "Core", ("core",))


def test_a_key_may_have_the_marks_that_separate() -> None:
    name = f"label.{QUOTED}"
    assert conditions_of('project:a:b,project:c,"label.te""am, x:1:2"', dimensions()) == {
        "project": ("a:b", "c"),
        name: ("1:2",),
    }
