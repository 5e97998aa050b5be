"""Opens the ledger for a command that only reads it: as it is, or after reading every source once more."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from exporter.config.model import Config
from exporter.core.providers import OTHER_BILLS_ZONE
from exporter.core.source_names import with_former_names
from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import LedgerError, is_there, open_ledger_read_only, read_failures_named
from exporter.ledger.schema import SCHEMA_VERSION
from exporter.ledger.usage.llm import billed_providers
from exporter.sources.base import Source, billing_zones
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources

_MEMORY_LIMIT: Final = "256MB"


@dataclass(frozen=True, slots=True)
class OpenedLedger:
    """One consistent state of the ledger."""

    view: LedgerView
    timezones: Mapping[str, str]
    """Billing zone of each provider with a bill."""
    failed: tuple[str, ...] = ()
    """Sources that could not be read."""


@contextmanager
def advice_where_in_use(config: Config) -> Iterator[None]:
    """Say what to do instead where a running exporter has the ledger, for a command that writes to it."""
    try:
        yield
    except LedgerError as error:
        if error.reason != "ledger_in_use":
            raise
        raise LedgerError(
            error.reason,
            f"{error} Where that is a running exporter, it answers at {config.listen} (key `listen`): "
            "/metrics has its figures. To read the sources again beside it, use --ledger :memory:",
        ) from error


@contextmanager
def opened_ledger(config: Config, ledger: str | None, *, refresh: bool) -> Iterator[OpenedLedger]:
    """Open the configured ledger, or `ledger` instead; `:memory:` reads every source into an empty one.

    With `refresh` every source is read first. Raises LedgerError.
    """
    sources = configured_sources(config, os.environ)
    path = Path(ledger) if ledger else config.ledger
    if not refresh and ledger != MEMORY:
        with _as_it_is(path, sources) as opened:
            yield opened
        return
    with opened_refresher(config, sources, None if ledger == MEMORY else path) as refresher:
        failed = refresher.refresh_each()
        with refresher.state() as (view, _):
            yield OpenedLedger(view, _timezones(view, sources), failed)


@contextmanager
def _as_it_is(path: Path, sources: Sequence[Source]) -> Iterator[OpenedLedger]:
    if not is_there(path):
        raise LedgerError(
            "ledger_unusable",
            f"the ledger {path} does not exist yet: use --refresh to read the sources into it first, or name "
            "another one with --ledger",
        )
    try:
        connection, version = open_ledger_read_only(path, _MEMORY_LIMIT)
    except LedgerError as error:
        if error.reason != "ledger_in_use":
            raise
        raise LedgerError(
            error.reason,
            f"{error} A running exporter locks its ledger: stop it for now, use --ledger :memory: to read "
            "the sources again, or use --ledger with a copy of the file",
        ) from error
    with connection, tempfile.TemporaryDirectory(prefix="spend-exporter-") as spill:
        if version < SCHEMA_VERSION:
            raise LedgerError(
                "ledger_unusable",
                f"ledger {path} has an older schema: use --refresh once, which upgrades it",
            )
        connection.execute("SET temp_directory = ?", [spill])
        names = with_former_names([source.name for source in sources], _known(connection))
        view = LedgerView(connection, names)
        with read_failures_named(path):
            yield OpenedLedger(view, _timezones(view, sources))


def _known(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The sources that the ledger has charges of."""
    return {source for (source,) in connection.execute("SELECT DISTINCT source FROM partition").fetchall()}


def _timezones(view: LedgerView, sources: Sequence[Source]) -> dict[str, str]:
    own = billing_zones(sources)
    billed = billed_providers(view)
    return {provider: own.get(provider, OTHER_BILLS_ZONE) for provider in billed}


MEMORY = ":memory:"
