"""Texts for DuckDB, in places where it takes no query parameter."""

from __future__ import annotations

from pathlib import Path


def quoted(text: str | Path) -> str:
    """Return an SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"
