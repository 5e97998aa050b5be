"""Whose account a source reads: no two sources may bring the charges of one billing account.

What only the provider knows, such as the organization of a key, is kept as a claim of the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from exporter.ledger.charges.store import Ledger, spool_relation

_CLAIM: Final = "account_of"
"""Name of the settings whose values are a source and its account, with a space between."""


def account_of_another(ledger: Ledger, others: Sequence[str], charges: Path) -> tuple[str, str] | None:
    """Return a billing account of a spool file that one of the other sources has charges of, and that source.

    None where there is none; charges without an account are of none.
    """
    with ledger.reading() as connection:
        theirs = connection.execute(
            f"""SELECT billing_account_id, source, list(series_id) FROM series
                WHERE source IN (SELECT unnest($others::VARCHAR[])) AND billing_account_id IN (
                  SELECT billing_account_id FROM {spool_relation(charges)} WHERE billing_account_id <> '')
                GROUP BY ALL ORDER BY ALL""",
            {"others": list(others)},
        ).fetchall()
        for account, source, series in theirs:
            # Counters stay when charges have left.
            if connection.execute(
                "SELECT 1 FROM charge WHERE series_id IN (SELECT unnest(?::INTEGER[])) LIMIT 1", [series]
            ).fetchall():
                return str(account), str(source)
    return None


def claims(ledger: Ledger) -> dict[str, str]:
    """Return the account that each source was found to read, by source."""
    with ledger.reading() as connection:
        return _held(connection)


def claim(ledger: Ledger, source: str, account: str, kin: Sequence[str]) -> str | None:
    """Keep that a source reads an account, unless one of its `kin` does; return that one.

    Raises LedgerError.
    """
    held = claims(ledger)
    other = _holder(held, account, kin)
    if other is None and held.get(source) != account:
        with ledger.transaction() as connection:
            # One of the others may have been quicker.
            other = _holder(_held(connection), account, kin)
            if other is None:
                forget_claim(connection, source)
                connection.execute("INSERT INTO setting VALUES (?, ?)", [_CLAIM, f"{source} {account}"])
    return other


def forget_claim(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Forget which account a source reads."""
    connection.execute("DELETE FROM setting WHERE name = ? AND starts_with(value, ?)", [_CLAIM, f"{source} "])


def _holder(held: Mapping[str, str], account: str, kin: Sequence[str]) -> str | None:
    return next((name for name in kin if held.get(name) == account), None)


def _held(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = connection.execute("SELECT value FROM setting WHERE name = ?", [_CLAIM]).fetchall()
    return {source: account for (value,) in rows for source, _, account in [value.partition(" ")]}
