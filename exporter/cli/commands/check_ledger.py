"""Opens the ledger for `spend-exporter check`, to try something on its charges; it stays unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

from exporter.ledger.opening import LedgerError, open_ledger_read_only
from exporter.ledger.schema import SCHEMA_VERSION

_MEMORY_LIMIT: Final = "48MB"


def charges_of(ledger: Path) -> duckdb.DuckDBPyConnection | str:
    """Return a connection to close after use, or the reason why nothing can be tried."""
    if not ledger.exists():
        return f"{ledger} does not exist yet, so there are no charges; check again after the first refresh"
    try:
        connection, version = open_ledger_read_only(ledger, _MEMORY_LIMIT)
    except LedgerError as error:
        in_use = error.reason == "ledger_in_use"
        return (
            "a running exporter uses the ledger; stop it, or check a copy of the file"
            if in_use
            else str(error)
        )
    if version < SCHEMA_VERSION:
        connection.close()
        return f"{ledger} has an older schema, which the next start brings up to date"
    return connection
