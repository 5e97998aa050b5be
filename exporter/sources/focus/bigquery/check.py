"""Looks at an entry of `focus.bigquery` without changing or billing anything: by dry runs, which are free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from exporter.core.backoff import Backoff
from exporter.core.byte_sizes import size_text
from exporter.core.errors import SourceError
from exporter.sources.base import Finding, RefreshContext
from exporter.sources.focus.bigquery.entry import FocusEntry
from exporter.sources.focus.bigquery.opening import Opening, columns_of, opened
from exporter.sources.focus.bigquery.sql import FocusTable, month_of, rows_query, state_query
from exporter.sources.focus.columns import Cost
from exporter.sources.google.bigquery.costs import USD_PER_TEBIBYTE, billed_bytes, price_text, suggested_cap

if TYPE_CHECKING:
    from exporter.sources.google.bigquery.session import BigQuerySession

_DAYS_A_MONTH: Final = 30


@dataclass(frozen=True, slots=True)
class Checking:
    """How entries are read."""

    cost: Cost
    tags: bool
    update_interval: timedelta
    patience_seconds: float
    """For each call."""


def findings(
    opening: Opening, entry: FocusEntry, checking: Checking, context: RefreshContext
) -> Iterator[Finding]:
    """Yield what there is to say of one entry, in its words."""
    for finding in _findings(opening, entry, checking, context):
        yield replace(finding, detail=f"{entry.name}: {entry.in_its_words(finding.detail)}")


def _findings(
    opening: Opening, entry: FocusEntry, checking: Checking, context: RefreshContext
) -> Iterator[Finding]:
    try:
        with opening.session(entry, context, Backoff(call_seconds=checking.patience_seconds)) as session:
            yield from _of_session(session, entry, checking, context)
    except SourceError as error:
        yield Finding(False, "credentials", str(error))


def _of_session(
    session: BigQuerySession, entry: FocusEntry, checking: Checking, context: RefreshContext
) -> Iterator[Finding]:
    session.authenticate()
    origin = str(entry.credentials_path) if entry.credentials_path else "application default credentials"
    acting = ", impersonating" if entry.impersonate_service_account else ""
    yield Finding(True, "credentials", f"{session.principal}, by {origin}{acting}")
    what = "table" if entry.table else "query"
    try:
        table = opened(session, entry, checking.cost, tags=checking.tags)
    except SourceError as error:
        yield Finding(False, what, str(error))
        return
    names = [field.name for field in table.fields.values()]
    detail = f"{entry.shown}: FOCUS {columns_of(names).version}, {len(names)} columns"
    yield Finding(True, what, f"{detail}; queries run in the project {session.job_project}, which pays")
    if checking.tags and table.field("Tags", "x_Labels") is None:
        detail = "there is no column Tags, so no cost can be attributed by labels"
        yield Finding(True, "Tags", detail, warning=True)
    if entry.providers:
        detail = f"{', '.join(sorted(entry.providers))}; rows of others are left out"
        yield Finding(True, "providers", detail)
    try:
        yield from _of_cost(session, entry, table, checking, context)
    except SourceError as error:
        yield Finding(False, "reading rows", str(error))


def _of_cost(
    session: BigQuerySession,
    entry: FocusEntry,
    table: FocusTable,
    checking: Checking,
    context: RefreshContext,
) -> Iterator[Finding]:
    def size(sql: str, purpose: str) -> int:
        return billed_bytes(session.bytes_read_by(sql, purpose, f"estimating the reading of {entry.shown}"))

    look = size(state_query(table, context.oldest_kept), "cursor")
    month = size(rows_query(table, [month_of(context.now)]), "charges")
    planned = (
        f"reads {size_text(look)} to look for changed months, and {size_text(month)} more to read the newest"
    )
    most, cap = max(look, month), entry.max_bytes_billed
    if most > cap:
        yield Finding(
            False,
            "a refresh",
            f"{planned}; but a query would bill {size_text(most)} and {entry.place}.max_bytes_billed allows "
            f"{size_text(cap)}: raise it to at least {suggested_cap(most)}, keep less history "
            "(ledger_keep_days), or write a query that selects less",
        )
    else:
        detail = f"{planned}; each query is within max_bytes_billed ({size_text(cap)})"
        yield Finding(True, "a refresh", detail)
    refreshes = timedelta(days=_DAYS_A_MONTH) / checking.update_interval
    highest = refreshes * (look + month)
    minutes = checking.update_interval / timedelta(minutes=1)
    yield Finding(
        True,
        "cost a month",
        "nothing while the data stays the same, since BigQuery does not bill a repeated query; at most "
        f"{price_text(highest)} ({size_text(highest)}), if it changes before each refresh, every {minutes:g} "
        f"minutes. Calculated at the on-demand price of ${USD_PER_TEBIBYTE} per TiB",
    )
