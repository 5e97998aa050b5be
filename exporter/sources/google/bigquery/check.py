"""Looks at a BigQuery set-up without changing or billing anything: permissions, the table, what it will cost.

Everything is checked with dry runs, which need the permissions of the queries themselves and are free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from exporter.core.byte_sizes import size_text
from exporter.core.errors import SourceError
from exporter.core.kept_tags import KeptTag
from exporter.sources.base import Finding, RefreshContext
from exporter.sources.google.bigquery.costs import (
    USD_PER_TEBIBYTE,
    RefreshBytes,
    billed_bytes,
    month_bytes,
    price_text,
    suggested_cap,
)
from exporter.sources.google.bigquery.focus_export import focus_columns_finding
from exporter.sources.google.bigquery.nearby import nearby_text
from exporter.sources.google.bigquery.partitions import by_month
from exporter.sources.google.bigquery.sql import charges_query, cursor_query
from exporter.sources.google.bigquery.table import MAX_BYTES_KEY, ExportTable, account_of
from exporter.sources.google.export.findings import columns_finding

if TYPE_CHECKING:
    from exporter.sources.google.bigquery.session import BigQuerySession


@dataclass(frozen=True, slots=True)
class Reading:
    """How the configuration says that the table is watched."""

    credentials_origin: str
    """Where the credentials come from, in words."""
    max_bytes_billed: int
    recent: timedelta
    """How far back an ordinary refresh looks."""
    full_check_every: timedelta
    update_interval: timedelta
    kept: tuple[KeptTag, ...] = ()
    """Labels and tags that are read with the charges."""
    table_id: str | None = None
    """The table, where it is named."""
    billing_account_id: str | None = None
    """The account that the configuration names, where it names one table at most."""


def findings(
    session: BigQuerySession, look_up: Callable[[], ExportTable], reading: Reading, context: RefreshContext
) -> Iterator[Finding]:
    """Yield what there is to say, from the credentials to the cost; `look_up` finds and reads the table."""
    try:
        session.authenticate()
    except SourceError as error:
        yield Finding(False, "credentials", str(error))
        return
    yield Finding(True, "credentials", f"{session.principal}, by {reading.credentials_origin}")
    table: ExportTable | None = None
    try:
        table = look_up()
    except SourceError as error:
        nearby = nearby_text(session, reading.table_id) if reading.table_id else ""
        yield Finding(False, "table", f"{error}; {nearby}" if nearby else str(error))
    else:
        session.use_table(table)
        yield from _of_table(table)
        yield from _of_account(table, reading.billing_account_id)
    try:
        session.bytes_read_by("SELECT 1", "check", f"running a query in the project {session.job_project}")
    except SourceError as error:
        yield Finding(False, "running queries", str(error))
        return
    yield Finding(True, "running queries", f"allowed in the project {session.job_project}, which pays")
    if table is not None:
        yield from _kept_of_other_tables(table, context)
        try:
            yield from _Estimates(session, table, reading, context).findings()
        except SourceError as error:
            yield Finding(False, "reading rows", str(error))


def _of_table(table: ExportTable) -> Iterator[Finding]:
    kind = "detailed export" if "resource" in table.columns else "standard export"
    if table.focus:
        kind = "FOCUS export"
    yield Finding(True, "table", f"{table.description}; {kind}")
    if table.partitioning.kind == "virtual":
        detail = (
            "the table is not partitioned by time, so every refresh reads all of it: name the table that "
            "Google writes, not a view of it"
        )
        if table.focus:
            detail = (
                "BigQuery shows no partitions of the table, so every refresh reads when each row was "
                "written, and a changed day reads all of it; the detailed export is read more cheaply"
            )
        yield Finding(True, "partitioning", detail, warning=True)
    yield focus_columns_finding(table) if table.focus else columns_finding(table.columns, "the table")


def _of_account(table: ExportTable, billing_account_id: str | None) -> Iterator[Finding]:
    """Report a table of another billing account than the configuration names."""
    account = account_of(table.table_id)
    wanted = (billing_account_id or "").replace("-", "_")
    if account and wanted and account != wanted:
        yield Finding(
            False,
            "account",
            f"gcp.billing_account_id is {billing_account_id}, but the table's name says "
            f"{account.replace('_', '-')}: correct the one that is wrong "
            "(`gcloud billing accounts list` shows yours)",
        )


def _kept_of_other_tables(table: ExportTable, context: RefreshContext) -> Iterator[Finding]:
    """Name the tables that are read no more and whose charges stay in the ledger."""
    others: dict[str, list[str]] = {}
    for partition in context.known:
        other, _, partition_id = partition.rpartition("/")
        others.setdefault(other, []).append(partition_id)
    for other, ids in sorted(others.items()):
        if other != table.table_id and account_of(other) not in (None, account_of(table.table_id)):
            yield Finding(
                True,
                "another table",
                f"the ledger also has {len(ids)} partitions of {other}, from {min(ids)} to {max(ids)}: they "
                "stay, since they are of another billing account. If that table still gets rows, list it "
                "under gcp.billing_export.bigquery as well; to remove them, name it in "
                "gcp.billing_export.bigquery.replaces",
            )


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Dry runs of what refreshes would ask. Every method may raise SourceError."""

    session: BigQuerySession
    table: ExportTable
    reading: Reading
    context: RefreshContext

    def findings(self) -> Iterator[Finding]:
        cut, now = self.table.partitioning, self.context.now
        oldest = cut.oldest_lasting(self.context.oldest_kept, now)
        look_at_all = self._asking(oldest, with_null=True)
        yield Finding(True, "reading rows", "allowed: BigQuery accepts the queries")
        yield self._first_fill(list(cut.starts(oldest, now)))
        ask = self._asking(max(oldest, now - self.reading.recent), with_null=False)
        # A partition grows over its time, so the one before shows the final size of the newest.
        last_two = list(cut.starts(cut.floor(now) - timedelta(seconds=1), now))
        read = billed_bytes(max(self._reading([start], "the newest partition") for start in last_two))
        yield self._within_cap(
            "a refresh",
            f"reads {size_text(ask)} to look for new rows, and up to {size_text(read)} more if something is",
            {"that": max(ask, read), "the daily check of all partitions": look_at_all},
        )
        yield self._month(ask, read, look_at_all)

    def _first_fill(self, starts: list[datetime | None]) -> Finding:
        """Judge the reading of the whole history, which is done month by month."""
        assert starts[0] is not None
        since = f"{starts[0]:%Y-%m-%d}"
        months = by_month(starts)
        total = self._reading(starts, "the whole history")
        if total == 0:
            detail = f"the table has no rows since {since}; a new export gets its first rows after some hours"
            return Finding(True, "a first fill", detail, warning=True)
        sizes = {"the whole history": billed_bytes(total)}
        if billed_bytes(total) > self.reading.max_bytes_billed:
            sizes = {}
            for number, (month, in_month) in enumerate(months, 1):
                sizes[f"the month {month}"] = billed_bytes(self._reading(in_month, month))
                self.context.tally.progress(f"{number} of {len(months)} months estimated")
        planned = (
            f"reads what was exported since {since} once, month by month: "
            f"{size_text(total)}, {price_text(total)}"
        )
        finding = self._within_cap("a first fill", planned, sizes)
        if not finding.ok and any(name.startswith(f"{self.table.table_id}/") for name in self.context.known):
            # Done already: it matters only for a new ledger.
            return replace(finding, ok=True, warning=True)
        return finding

    def _within_cap(self, what: str, planned: str, sizes: Mapping[str, int]) -> Finding:
        """Compare what single queries would bill with the cap."""
        cap = self.reading.max_bytes_billed
        over = {query: size for query, size in sizes.items() if size > cap}
        if not over:
            return Finding(True, what, f"{planned}; each query is within max_bytes_billed ({size_text(cap)})")
        query, most = max(over.items(), key=lambda each: each[1])
        others = f" (and {len(over) - 1} more)" if len(over) > 1 else ""
        return Finding(
            False,
            what,
            f"{planned}; but {query} would bill {size_text(most)}{others} and {MAX_BYTES_KEY} allows "
            f"{size_text(cap)} a query: raise it to at least {suggested_cap(most)}, or keep less history "
            "(ledger_keep_days)",
        )

    def _month(self, ask: int, read: int, look_at_all: int) -> Finding:
        each = RefreshBytes(ask, read, look_at_all)
        least, most = month_bytes(each, self.reading.update_interval, self.reading.full_check_every)
        minutes = self.reading.update_interval / timedelta(minutes=1)
        return Finding(
            True,
            "cost a month",
            f"{price_text(least)} ({size_text(least)}) to {price_text(most)} ({size_text(most)}), with a "
            f"refresh every {minutes:g} minutes: the lower if none finds new rows, the higher if each does. "
            f"Calculated at the on-demand price of ${USD_PER_TEBIBYTE} per TiB, with BigQuery's minimum of "
            "10 MiB a query and without the free TiB a month",
        )

    def _asking(self, since: datetime, *, with_null: bool) -> int:
        """Bytes billed for asking which partitions moved."""
        since = self.table.partitioning.floor(since)
        sql = cursor_query(self.table, since, with_null=with_null)
        doing = f"estimating the query for changed partitions of {self.table.table_id}"
        return billed_bytes(self.session.bytes_read_by(sql, "cursor", doing))

    def _reading(self, starts: list[datetime | None], which: str) -> int:
        """Bytes read for the charges of some partitions."""
        sql = charges_query(self.table, starts, self.context.latest_plausible, self.reading.kept)
        doing = f"estimating the reading of {which} from {self.table.table_id}"
        return self.session.bytes_read_by(sql, "charges", doing)
