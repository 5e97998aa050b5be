"""Source `bigquery`: Google's billing export where most people have it, aggregated by BigQuery.

It finds the partitions of the export that changed, and reads only these again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.core.backoff import REQUEST_SECONDS, Backoff
from exporter.core.errors import SourceError
from exporter.core.kept_tags import kept_tags
from exporter.sources.base import Batch, BilledReads, Change, Finding, RefreshContext, Retraction, Source
from exporter.sources.google.bigquery.check import Reading, findings
from exporter.sources.google.bigquery.partitions import by_month
from exporter.sources.google.bigquery.rows import PartitionCharges, cursor_of
from exporter.sources.google.bigquery.sql import charges_query, cursor_query
from exporter.sources.google.bigquery.table import ExportTable, account_of, check_table_id, find_table
from exporter.sources.google.bigquery.unreadable import UNREADABLE, unreadable
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.patience import patience_of
from exporter.sources.spool import write_spool_csv

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from exporter.sources.google.bigquery.session import BigQuerySession
    from exporter.sources.google.credentials import GoogleIdentity

REPLACES_KEY: Final = "gcp.billing_export.bigquery.replaces"

DEFAULT_MAX_BYTES_BILLED: Final = 10 * 2**30

_CHECK_PATIENCE_SECONDS: Final = 10.0
"""For each call of a check, because a user waits; a refresh has more time."""


@dataclass(slots=True)
class BigQuerySource(Source):
    """A billing export table in BigQuery, named in full or found by its name."""

    table: str | None = None
    """project.dataset.table; without it the datasets of `project_ids` are looked through."""
    billing_account_id: str | None = None
    project_ids: Sequence[str] = ()
    max_bytes_billed: int = DEFAULT_MAX_BYTES_BILLED
    request_seconds: float = REQUEST_SECONDS
    """For one query."""
    credentials_path: Path | None = None
    impersonate_service_account: str | None = None
    job_project: str | None = None
    """Project that runs, and pays for, the queries; else that of the credentials, else that of the table."""
    replaces: tuple[str, ...] = ()
    """Tables whose charges leave the ledger, since this one has them."""
    recent: timedelta = timedelta(days=10)
    """How far back an ordinary refresh looks for changed partitions."""
    full_check_every: timedelta = timedelta(days=1)
    """How often all partitions are checked."""
    update_interval: timedelta = timedelta(minutes=15)
    """How often it is refreshed; only `check` uses it, to estimate the cost."""
    credentials: Credentials | None = None
    """Ready-made credentials instead of loaded ones."""
    endpoint: str | None = None
    """Address of the API when it is not Google's own."""
    kept_tags: tuple[str, ...] = ()
    """Labels and tags that come with the charges, such as `label:team` and `tag:env`."""
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

    own_keys: Mapping[str, str] = field(default_factory=dict)
    """As Source.own_keys."""
    name: str = "bigquery"
    """Label value of `source`; of several tables each has its own."""
    provider: str = field(default="gcp", init=False)
    billing_timezone: str = field(default="America/Los_Angeles", init=False)
    billed_reads: BilledReads = field(default=BilledReads.BYTES, init=False)
    _identity: GoogleIdentity | None = field(default=None, init=False, repr=False)
    _export: ExportTable | None = field(default=None, init=False, repr=False)
    _full_check_done: datetime | None = field(default=None, init=False, repr=False)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        """Yield the partitions that changed since their cursors in `context.known`, oldest month first.

        Raises SourceError; what was yielded before stays valid.
        """
        try:
            with self._session(context, Backoff()) as session:
                yield from self._changes(context, session)
        except SourceError:
            # Read them again next time: a key may have been renewed, a table made or moved.
            self._identity = self._export = None
            raise

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Say whether credentials, table and permissions are there, and what refreshes would bill."""
        try:
            session = self._session(context, Backoff(call_seconds=_CHECK_PATIENCE_SECONDS))
        except SourceError as error:
            yield Finding(False, "credentials", str(error))
            return
        reading = Reading(
            credentials_origin=self._credentials_origin(),
            max_bytes_billed=self.max_bytes_billed,
            recent=self.recent,
            full_check_every=self.full_check_every,
            update_interval=self.update_interval,
            kept=kept_tags(self.kept_tags),
            table_id=self.table,
            billing_account_id=self.billing_account_id,
        )
        with session:
            yield from findings(session, lambda: self._read_table(context, session), reading, context)

    def reads_partition(self, partition: str) -> bool:
        """Return whether a partition is of this table, or of another one with the same dollars."""
        table_id = partition.rpartition("/")[0]
        account = account_of(self.table or "") or (self.billing_account_id or "").replace("-", "_")
        return (
            table_id == self.table
            or table_id in self.replaces
            or bool(account and account == account_of(table_id))
        )

    def _credentials_origin(self) -> str:
        if self.credentials_path is None:
            origin = "application default credentials"
        else:
            origin = f"gcp.credentials_path ({self.credentials_path})"
        return f"{origin}, impersonating" if self.impersonate_service_account else origin

    def _session(self, context: RefreshContext, backoff: Backoff) -> BigQuerySession:
        # Loads google-cloud-bigquery only for this source: it takes time and memory.
        from exporter.sources.google import credentials as google_credentials  # noqa: PLC0415
        from exporter.sources.google.bigquery import session as bigquery_session  # noqa: PLC0415

        if self._identity is None:
            if self.credentials is not None:
                self._identity = google_credentials.GoogleIdentity(
                    self.credentials, None, google_credentials.UNKNOWN_PRINCIPAL
                )
            else:
                settings = CredentialsSettings(self.credentials_path, self.impersonate_service_account)
                self._identity = google_credentials.load_identity(settings, [bigquery_session.SCOPE])
        return bigquery_session.BigQuerySession(
            self._identity,
            job_project=self._job_project(self._identity.project_id),
            max_bytes_billed=self.max_bytes_billed,
            tally=context.tally,
            backoff=patience_of(self, context, backoff),
            endpoint=self.endpoint,
            request_seconds=self.request_seconds,
        )

    def _job_project(self, of_credentials: str | None) -> str:
        of_table = check_table_id(self.table).rsplit(".", 2)[0] if self.table else None
        project = self.job_project or of_credentials or of_table or next(iter(self.project_ids), None)
        if project is None:
            raise SourceError(
                "bad_configuration",
                "neither gcp.billing_export.bigquery.table nor gcp.project_ids is set, so there is no "
                "project to look for the billing export in; set one of them",
            )
        return project

    def _changes(self, context: RefreshContext, session: BigQuerySession) -> Iterator[Change]:
        full = self._full_check_is_due(context)
        if self._export is None or full:
            self._export = self._read_table(context, session)
        export = self._export
        session.use_table(export)
        current, since = self._states(context, session, export, full=full)
        ours = _starts_of(context.known, export)
        queried = [
            partition for partition, start in ours.items() if (full if start is None else start >= since)
        ]
        if queried and not current:
            raise SourceError(
                "export_empty",
                f"{export.table_id} has no rows since {since:%Y-%m-%d} any more, although it had some: the "
                "last good data stays; if the table was emptied on purpose, start with a new ledger file",
            )
        # First what is gone, so that no dollar is in the ledger twice while another table is read.
        replaced = self._replaced(context.known.keys() - ours.keys(), export.table_id)
        yield from map(Retraction, sorted(replaced | (set(queried) - current.keys())))
        moved = [
            start for partition, (start, cursor) in current.items() if context.known.get(partition) != cursor
        ]
        yield from self._read(context, session, export, moved)
        if full and not context.stopping():
            self._full_check_done = context.now

    def _replaced(self, others: Iterable[str], table_id: str) -> set[str]:
        """Return which known partitions of other tables this table has the charges of.

        Those of another billing account stay: moving to a new account keeps the past of the old one. Raises
        SourceError where the names do not show which it is.
        """
        account = account_of(table_id)
        replaced = set()
        for partition in others:
            other = partition.rpartition("/")[0]
            of_other = account_of(other)
            if other == table_id or other in self.replaces or (account and account == of_other):
                replaced.add(partition)
            elif account is None or of_other is None:
                raise SourceError(
                    "table_unclear",
                    f"the ledger has charges of {other}, and its name and that of {table_id} do not show "
                    f"whether they are exports of one billing account. If they are, set {REPLACES_KEY}: "
                    f"[{other}]; if not, list both tables under gcp.billing_export.bigquery. The last good "
                    "data stays",
                )
        return replaced

    def _full_check_is_due(self, context: RefreshContext) -> bool:
        """On the first refresh, so that an interrupted first run is taken up; then now and then."""
        done = self._full_check_done
        if done is None or not context.known:
            return True
        return not done <= context.now < done + self.full_check_every

    def _read_table(self, context: RefreshContext, session: BigQuerySession) -> ExportTable:
        read_so_far = {partition.rpartition("/")[0] for partition in context.known}
        table_id = self.table or find_table(session, self.project_ids, self.billing_account_id, read_so_far)
        export = session.table(table_id)
        context.tally.progress(export.description)
        if export.partitioning.kind == "virtual" and not export.focus:
            context.tally.progress(
                f"{table_id} is not partitioned by time, so every refresh reads all of it: to read fewer "
                "bytes, name the table that Google writes, not a view of it"
            )
        return export

    def _states(
        self, context: RefreshContext, session: BigQuerySession, export: ExportTable, *, full: bool
    ) -> tuple[dict[str, tuple[datetime | None, str]], datetime]:
        """Start and cursor of each partition, by its key, and the time from which on was queried."""
        cut = export.partitioning
        # What BigQuery deletes by age is not withdrawn by Google: it stays in the ledger.
        since = cut.oldest_lasting(context.oldest_kept, context.now)
        since = cut.floor(since if full else max(since, context.now - self.recent))
        sql = cursor_query(export, since, with_null=full)
        kept = kept_tags(self.kept_tags)
        states = {}
        doing = f"looking up which partitions of {export.table_id} changed"
        for row in session.rows(sql, "cursor", doing):
            try:
                start = row["partition_start"]
                state = cursor_of(row["latest_export"], row["export_rows"], kept)
                states[_key(export, start)] = (start, state)
            except UNREADABLE as error:
                raise unreadable(error, doing) from error
        return states, since

    def _read(
        self,
        context: RefreshContext,
        session: BigQuerySession,
        export: ExportTable,
        starts: list[datetime | None],
    ) -> Iterator[Change]:
        months = by_month(starts)
        kept = kept_tags(self.kept_tags)
        for number, (month, in_month) in enumerate(months, 1):
            charges = 0
            missing = {_key(export, start) for start in in_month}
            sql = charges_query(export, in_month, context.latest_plausible, kept)
            rows = session.rows(sql, "charges", f"reading the charges of {month} from {export.table_id}")
            for start, groups in groupby(rows, key=lambda row: row["partition_start"]):
                if context.stopping():
                    return
                partition = _key(export, start)
                taken = PartitionCharges(partition, kept)
                table_name = export.table_id.rpartition(".")[2]
                spool = context.spool / f"{table_name}-{export.partitioning.partition_id(start)}.csv"
                write_spool_csv(spool, taken.take(groups))
                charges += taken.charges
                missing.discard(partition)
                yield Batch(partition, taken.cursor, spool, taken.rows, tuple(taken.rejected))
            # Gone between the two queries.
            yield from map(Retraction, sorted(missing & context.known.keys()))
            if len(months) > 1:
                context.tally.progress(
                    f"{month}: {len(in_month)} partitions, {charges:,} charges "
                    f"({number} of {len(months)} months)"
                )
            if context.stopping():
                return


def _key(export: ExportTable, start: datetime | None) -> str:
    return f"{export.table_id}/{export.partitioning.partition_id(start)}"


def _starts_of(known: Iterable[str], export: ExportTable) -> dict[str, datetime | None]:
    """Known partitions that are this table's, as it is partitioned now."""
    ours = {}
    for partition in known:
        table_id, _, partition_id = partition.rpartition("/")
        if table_id == export.table_id:
            with suppress(ValueError):
                ours[partition] = export.partitioning.start_of(partition_id)
    return ours
