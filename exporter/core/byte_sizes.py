"""Sizes in bytes as people read them."""

from __future__ import annotations


def size_text(count: float) -> str:
    """Write a number of bytes for people: `27 MiB`, `3.2 GiB`."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 10 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} bytes"
