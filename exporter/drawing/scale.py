"""Round numbers for the lines of an axis."""

from __future__ import annotations

import math
from typing import Final

_LEAST: Final = 1e-9
"""What is smaller is drawn as zero."""


def round_steps(low: float, high: float, most: int = 4) -> list[float]:
    """Return evenly spaced round numbers that enclose `low` and `high`, zero among them."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _LEAST:
        low, high = 0.0, 1.0
    step = _round_up((high - low) / most)
    return [number * step for number in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _round_up(size: float) -> float:
    power = 10.0 ** math.floor(math.log10(size))
    for factor in (1, 2, 2.5, 5):
        if size <= factor * power * (1 + 1e-9):
            return float(factor * power)
    return float(10 * power)
