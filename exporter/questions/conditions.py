"""Conditions on charges: `project:shop-*,label.team:core`. Patterns are globs of `*` and `?`, nothing else.

Conditions on different dimensions must all hold; of several on one dimension, one must.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporter.questions.dimensions import Dimensions, listed
from exporter.questions.problem import QuestionError, quoted

_MOST_CONDITIONS: Final = 50
_LONGEST_PATTERN: Final = 256

Conditions = Mapping[str, tuple[str, ...]]
"""Patterns by dimension."""


def conditions_of(text: str | None, dimensions: Dimensions) -> Conditions:
    """Return the conditions of `where`. Raises QuestionError."""
    found: dict[str, tuple[str, ...]] = {}
    parts = listed(text, "where") if text else []
    if len(parts) > _MOST_CONDITIONS:
        raise QuestionError("where", f"has {len(parts)} conditions; the most is {_MOST_CONDITIONS}")
    for part in parts:
        name, pattern = dimensions.condition(part)
        if len(pattern) > _LONGEST_PATTERN:
            raise QuestionError(
                "where", f"{quoted(pattern)} is longer than {_LONGEST_PATTERN} characters; shorten it with *"
            )
        found[name] = (*found.get(name, ()), pattern)
    return found


def matches_glob(text: str, pattern: str) -> bool:
    """Whether the whole text matches; `*` is any text, `?` any one character.

    Takes at most len(text) * len(pattern) steps, whatever the pattern is.
    """
    at = place = 0
    star, resume = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            place += 1
            at += 1
        elif star >= 0:
            resume += 1
            place, at = star + 1, resume
        else:
            return False
    return set(pattern[place:]) <= {"*"}


def holds(name: str, value: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns matches the value; case matters in labels and tags alone."""
    if not name.startswith(("label.", "tag.")):
        value, patterns = value.casefold(), tuple(pattern.casefold() for pattern in patterns)
    return any(matches_glob(value, pattern) for pattern in patterns)
