"""Opens every DuckDB connection of the product, so that all of them have the settings that money depends on.

No SQL may find a Python variable: without a table of a name DuckDB would take a variable of that name for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

Setting = str | bool | int | float | list[str]


def connect(
    path: Path | None = None, settings: Mapping[str, Setting] | None = None, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open the database file at `path`, or one in memory for None. Raises duckdb.Error."""
    return duckdb.connect(
        ":memory:" if path is None else str(path),
        read_only=read_only,
        config={
            **(settings or {}),
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
