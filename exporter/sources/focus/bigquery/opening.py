"""Opens an entry of `focus.bigquery`: a session as the account that it names, and its columns."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from duckdb.sqltypes import VARCHAR

from exporter.core.backoff import REQUEST_SECONDS, Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import RefreshContext
from exporter.sources.focus.bigquery.entry import FocusEntry
from exporter.sources.focus.bigquery.sql import FocusTable, focus_table
from exporter.sources.focus.columns import Cost, FocusColumns, focus_refusal, version_of
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.patience import patience_of

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from exporter.sources.google.bigquery.session import BigQuerySession

_MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class Opening:
    """How sessions are made; the same for all entries."""

    credentials: Credentials | None = field(default=None, repr=False)
    """Ready-made credentials instead of loaded ones."""
    endpoint: str | None = None
    """Address of the API when it is not Google's own."""
    request_seconds: float = REQUEST_SECONDS
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

    @contextmanager
    def session(
        self, entry: FocusEntry, context: RefreshContext, backoff: Backoff
    ) -> Iterator[BigQuerySession]:
        """Yield a session of an entry. Raises SourceError, in the entry's words."""
        # Loads google-cloud-bigquery only for this source: it takes time and memory.
        from exporter.sources.google import credentials as google_credentials  # noqa: PLC0415
        from exporter.sources.google.bigquery import session as bigquery_session  # noqa: PLC0415

        if self.credentials is not None:
            identity = google_credentials.GoogleIdentity(
                self.credentials, None, google_credentials.UNKNOWN_PRINCIPAL
            )
        else:
            settings = CredentialsSettings(entry.credentials_path, entry.impersonate_service_account)
            identity = google_credentials.load_identity(settings, [bigquery_session.SCOPE])
        with bigquery_session.BigQuerySession(
            identity,
            job_project=_job_project(entry, identity.project_id),
            max_bytes_billed=entry.max_bytes_billed,
            tally=context.tally,
            backoff=patience_of(self, context, backoff),
            endpoint=self.endpoint,
            request_seconds=self.request_seconds,
            location=entry.location,
            advice=entry.advice(),
        ) as session:
            yield session


def _job_project(entry: FocusEntry, of_credentials: str | None) -> str:
    of_table = entry.table.rsplit(".", 2)[0] if entry.table else None
    project = entry.job_project or of_credentials or of_table
    if project is None:
        raise SourceError(
            "bad_configuration",
            f"{entry.place}.job_project is not set and the credentials name no project, so there is none to "
            "run the query in; set it",
        )
    return project


def opened(session: BigQuerySession, entry: FocusEntry, cost: Cost, *, tags: bool) -> FocusTable:
    """Return the table or query of an entry with its columns, by a free dry run.

    Raises SourceError; `not_an_export` where a mandatory column is missing.
    """
    sql = f"SELECT * FROM {entry.relation}"
    try:
        schema = session.result_schema(sql, "schema", f"reading the columns of {entry.shown}")
    except SourceError as error:
        if error.reason != "not_found" or not (nearby := tables_text(session, entry)):
            raise
        raise SourceError(error.reason, f"{error}; {nearby}") from None
    if (why := focus_refusal(columns_of([field.name for field in schema]), cost)) is not None:
        raise SourceError(
            "not_an_export",
            f"{entry.shown}: {why}; name a table with FOCUS columns, or write {entry.place}.sql, a query "
            "that gives its columns these names",
        )
    return focus_table(entry.relation, schema, cost, tags=tags)


def columns_of(names: Collection[str]) -> FocusColumns:
    """Return the columns of these names, all text."""
    return FocusColumns(version_of(names), dict.fromkeys(names, VARCHAR))


def tables_text(session: BigQuerySession, entry: FocusEntry) -> str:
    """Return a sentence about what is there in place of a missing table; empty where nothing is listed."""
    if entry.table is None:
        return ""
    project, dataset, _ = entry.table.rsplit(".", 2)
    try:
        datasets = session.dataset_ids(project)
        tables = session.table_ids(project, dataset) if dataset in datasets else []
    except SourceError:
        # The error of the table itself says what is missing.
        return ""
    if dataset not in datasets:
        return f"{project} has {_named('the datasets', datasets) or 'no dataset that can be seen'}"
    return f"{project}.{dataset} has {_named('the tables', tables) or 'no table'}"


def _named(what: str, names: Collection[str]) -> str:
    listed = ", ".join(sorted(names)[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{what} {listed}{more}" if names else ""
