"""How many examples of an expensive property are tried: all of them, in `make unit` an eighth."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

_QUICK_BELOW: Final = 100
"""The profile `quick` (see tests/conftest.py) tries fewer examples by default than Hypothesis itself."""


def examples(full: int) -> int:
    """Return the number of examples for a property of which `full` are worth trying."""
    return full if settings.default.max_examples >= _QUICK_BELOW else max(3, full // 8)
