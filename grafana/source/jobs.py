"""The choice of the exporter: queries are about the chosen jobs, and staging is not added to production.

An exporter has a job of its own, and its instance changes when it is moved: so the choice is the job alone.
History has a job where the configuration gives it one; history without one belongs to every choice.
"""

from __future__ import annotations

import re
from typing import Final

VARIABLE: Final = "job"
METRIC: Final = "spend_exporter_build_info"
"""Every exporter has it."""

_CHOSEN: Final = f'{VARIABLE}=~"${VARIABLE}"'
_CHOSEN_OR_NONE: Final = f'{VARIABLE}=~"${VARIABLE}|"'
_STRING: Final = re.compile(r'("(?:[^"\\]|\\.)*")')
_SELECTOR: Final = re.compile(
    r"(?<![\w:$])(?P<name>(?:[a-z_]+:)?spend_[a-z_]+(?::[a-z0-9_]+)?|ALERTS)(?![\w:])(?P<rest>\{?)"
)
HISTORY: Final = re.compile(r"spend_([a-z]+_)?(hourly|daily)_usd")
"""Names of families of history, which come by remote write or as blocks."""


def of_the_job(expr: str) -> str:
    """Return the expression with every selector of the exporter's own series limited to the chosen jobs."""
    pieces = _STRING.split(expr)
    # Every second piece is a text in quotes.
    return "".join(piece if at % 2 else _SELECTOR.sub(_limited, piece) for at, piece in enumerate(pieces))


def _limited(found: re.Match[str]) -> str:
    name = found["name"]
    chosen = _CHOSEN_OR_NONE if HISTORY.fullmatch(name) else _CHOSEN
    return f"{name}{{{chosen}, " if found["rest"] else f"{name}{{{chosen}}}"
