"""A bar on the terminal that shows how far a command is; nothing where standard error is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

_WIDTH: Final = 30

Show = Callable[[int, str], None]
"""Takes how many steps are done, and what is under way."""


def progress_bar(what: str, steps: int) -> Show:
    """Return what shows progress; when all steps are done, the line is ended."""
    if not sys.stderr.isatty():
        return lambda _done, _now: None

    def show(done: int, now: str) -> None:
        bar = "#" * (_WIDTH * done // max(1, steps))
        end = "\n" if done >= steps else ""
        print(f"\r{what} [{bar:<{_WIDTH}}] {now:<16}", end=end, file=sys.stderr, flush=True)  # noqa: T201

    return show
