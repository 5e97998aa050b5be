"""Amounts, ages, names and bars as `spend-exporter top` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from exporter.core.printable import printable

UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True)
class Signs:
    """Characters that the terminal can show."""

    billed: str = "█"
    estimated: str = "░"
    up: str = "●"
    down: str = "▲"
    waiting: str = "○"
    line: str = "─"
    side: str = "│"
    more: str = "…"


UNICODE: Final = Signs()
ASCII: Final = Signs("#", ":", "*", "!", "o", "-", "|", "~")


def dollars(usd: float | None) -> str:
    """Return cents below 1,000 dollars, and whole dollars above."""
    if usd is None:
        return UNKNOWN
    digits = 0 if abs(usd) >= 1000 else 2
    text = f"${abs(usd):,.{digits}f}"
    return f"-{text}" if usd < 0 and text.strip("$0.,") else text


def ratio(share: float | None) -> str:
    """Return a share as a percentage."""
    if share is None:
        return UNKNOWN
    return f"{share:.0%}" if abs(share) >= 0.1 or not share else f"{share:.2%}"


def age(seconds: float) -> str:
    """Return an age in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def day(moment: str) -> str:
    """Return the day of a time: 30 Oct."""
    found = datetime.fromisoformat(moment)
    return f"{found.day} {found:%b}"


def cut(text: str, width: int, signs: Signs) -> str:
    """Return a text in exactly this width of cells."""
    shown = printable(text)
    if cell_len(shown) > width > 0:
        return set_cell_size(shown, width - 1) + signs.more
    return set_cell_size(shown, max(0, width))


def bar(parts: tuple[tuple[float, str, str], ...], whole: float, width: int) -> Text:
    """Draw (amount, character, style) beside each other; `whole` fills the width."""
    text, drawn, sum_so_far = Text(), 0, 0.0
    for amount, character, style in parts:
        sum_so_far += max(0.0, amount)
        end = min(width, round(width * sum_so_far / whole)) if whole > 0 else 0
        text.append(character * (end - drawn), style)
        drawn = max(drawn, end)
    return text.append(" " * (width - drawn))
