"""What is wrong with a question, in words for the person who asked it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from exporter.core.printable import printable

_LONGEST_QUOTED: Final = 80


class QuestionError(ValueError):
    """A question that cannot be answered as it is; the text names the parameter and what to do."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter
        self.problem = problem


def quoted(text: str) -> str:
    """Return a part of the question for an error, printable and not too long."""
    shown = printable(text)
    short = shown if len(shown) <= _LONGEST_QUOTED else shown[: _LONGEST_QUOTED - 1] + "…"
    return f"'{short}'"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the names that are near, or all of them where none is."""
    names = list(known)
    near = get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"
