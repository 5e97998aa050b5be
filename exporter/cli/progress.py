"""A progress bar on the terminal; prints nothing where standard error is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

_WIDTH: Final = 30

Show = Callable[[int, str], None]
"""Takes the number of steps that are done, and the name of the current one."""


def progress_bar(what: str, steps: int) -> Show:
    """Return a function that shows progress; after the last step it ends the line."""
    if not sys.stderr.isatty():
        return lambda _done, _now: None

    def show(done: int, now: str) -> None:
        bar = "#" * (_WIDTH * done // max(1, steps))
        end = "\n" if done >= steps else ""
        print(f"\r{what} [{bar:<{_WIDTH}}] {now:<16}", end=end, file=sys.stderr, flush=True)  # noqa: T201

    return show
