"""Reads a ledger's file without changing it, and without disturbing an exporter that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from exporter.ledger.opening import may_write, open_ledger_read_only, read_failures_named
from exporter.ledger.schema import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What a ledger holds. With an older schema only the first three fields are known."""

    size_bytes: int
    schema_version: int
    writable: bool
    charges: int = 0
    oldest_usage: datetime | None = None
    latest_export: datetime | None = None
    kept_from: datetime | None = None
    """Charges of usage before this have been deleted; None where none were."""
    cursors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Cursor by partition, by source."""


def ledger_facts(path: Path, *, memory_limit: str = "48MB") -> LedgerFacts | None:
    """Return what the ledger at `path` holds, or None where the file does not exist yet.

    Raises LedgerError; its reason is `ledger_in_use` where an exporter uses the file.
    """
    if not path.exists():
        return None
    log = path.with_name(f"{path.name}.wal")
    size = sum(each.stat().st_size for each in (path, log) if each.exists())
    connection, version = open_ledger_read_only(path, memory_limit)
    with connection, read_failures_named(path):
        if version < SCHEMA_VERSION:
            return LedgerFacts(size, version, may_write(path))
        charges, oldest, latest = connection.execute(
            "SELECT count(*), min(charge_period_start), max(exported_at) FROM charge"
        ).fetchall()[0]
        kept = connection.execute("SELECT value::TIMESTAMP FROM setting WHERE name = 'kept_from'").fetchall()
        cursors: dict[str, dict[str, str]] = {}
        for source, partition, cursor in connection.execute(
            "SELECT source, name, cursor FROM partition"
        ).fetchall():
            cursors.setdefault(source, {})[partition] = cursor
        return LedgerFacts(
            size,
            version,
            may_write(path),
            charges,
            _aware(oldest),
            _aware(latest),
            _aware(kept[0][0] if kept else None),
            cursors,
        )


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
