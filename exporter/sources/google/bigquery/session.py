"""Talks to BigQuery for the length of one refresh: metadata, and queries under a byte cap.

Importing this loads google-cloud-bigquery (some 30 MB), so it is done only where the source is used.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from google.api_core import exceptions as api_exceptions
from google.api_core.retry import Retry
from google.auth.transport.requests import Request

from exporter.core.backoff import REQUEST_SECONDS, Backoff
from exporter.sources.base import RefreshTally
from exporter.sources.google.bigquery.costs import billed_bytes
from exporter.sources.google.bigquery.errors import (
    FAILURES,
    Advice,
    Circumstances,
    explain,
    is_transient,
    over_byte_cap,
)
from exporter.sources.google.bigquery.lean_import import without_data_frames
from exporter.sources.google.bigquery.metered_session import MeteredSession
from exporter.sources.google.bigquery.table import ExportTable, describe
from exporter.sources.google.bigquery.unreadable import UNREADABLE, unreadable
from exporter.sources.google.credentials import GoogleIdentity, principal_of

with without_data_frames():
    from google.cloud import bigquery

SCOPE: Final = "https://www.googleapis.com/auth/bigquery"

_JOB_SECONDS: Final = 600.0
"""BigQuery ends a query by itself after this."""
_POLL_SECONDS: Final = 10.0
_PAGE_ROWS: Final = 1_000
"""Some 18 MB while a page is in memory."""

_ONCE: Final = Retry(predicate=lambda _error: False)
"""The client is not to try again by itself: Backoff does, with deadlines of ours."""

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Run:
    """A query on its way. Its id is ours, so that asking twice never runs, and bills, it twice."""

    sql: str
    config: bigquery.QueryJobConfig
    job_id: str
    job: bigquery.QueryJob | None = None


class BigQuerySession:
    """Calls of one refresh. Every method raises SourceError, with advice, when BigQuery refuses."""

    def __init__(
        self,
        identity: GoogleIdentity,
        *,
        job_project: str,
        max_bytes_billed: int,
        tally: RefreshTally,
        backoff: Backoff,
        endpoint: str | None = None,
        request_seconds: float = REQUEST_SECONDS,
        location: str | None = None,
        advice: Mapping[str, Advice] | None = None,
    ) -> None:
        self._credentials = identity.credentials
        self._tally = tally
        self._backoff = backoff
        self._at = Circumstances(
            identity.principal, job_project, None, location, max_bytes_billed, advice or {}
        )
        self._request_seconds = request_seconds
        self._session = MeteredSession(identity, tally, lambda: backoff.limited(request_seconds))
        self._client = bigquery.Client(
            project=job_project,
            credentials=identity.credentials,
            _http=self._session,
            client_options={"api_endpoint": endpoint} if endpoint else None,
        )

    def __enter__(self) -> BigQuerySession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()  # type: ignore[no-untyped-call]
        self._session.close()

    @property
    def principal(self) -> str:
        """Who asks, for advice on missing roles."""
        return self._at.principal

    @property
    def job_project(self) -> str:
        """Project that runs, and pays for, the queries."""
        return self._at.job_project

    def authenticate(self) -> None:
        """Fetch an access token where there is none yet; some credentials know only then whose they are."""
        if not self._credentials.valid:
            self._call("fetching an access token", self._fetch_token)
        self._at = replace(self._at, principal=principal_of(self._credentials, self._at.principal))

    def _fetch_token(self) -> None:
        request = Request(self._session.tokens)
        self._session.in_time(lambda: self._credentials.refresh(request))  # type: ignore[no-untyped-call]

    def project_ids(self) -> list[str]:
        """Ids of the projects that the account has any role on."""
        listing = self._call(
            "listing the projects",
            lambda: list(
                self._client.list_projects(page_size=1_000, retry=_ONCE, timeout=self._request_seconds)
            ),
        )
        return sorted(str(project.project_id) for project in listing)

    def dataset_ids(self, project_id: str) -> list[str]:
        """Names of the project's datasets that the account can see."""
        listing = self._call(
            f"listing the datasets of {project_id}",
            lambda: list(
                self._client.list_datasets(
                    project_id, page_size=1_000, retry=_ONCE, timeout=self._request_seconds
                )
            ),
        )
        return [dataset.dataset_id for dataset in listing]

    def table_ids(self, project_id: str, dataset_id: str) -> list[str]:
        """Names of the tables of a dataset."""
        listing = self._call(
            f"listing the tables of {project_id}.{dataset_id}",
            lambda: list(
                self._client.list_tables(
                    f"{project_id}.{dataset_id}", page_size=1_000, retry=_ONCE, timeout=self._request_seconds
                )
            ),
        )
        return [table.table_id for table in listing]

    def use_table(self, table: ExportTable) -> None:
        """Run queries where this table is, and name it in errors."""
        self._at = replace(self._at, table_id=table.table_id, location=table.location)

    def table(self, table_id: str) -> ExportTable:
        """Read a table's schema, partitioning, clustering and location."""
        self._at = replace(self._at, table_id=table_id)
        table = self._call(
            f"reading the schema of {table_id}",
            lambda: self._client.get_table(table_id, retry=_ONCE, timeout=self._request_seconds),
        )
        location = table.location or self.location(table_id.rpartition(".")[0])
        described = self._call(
            f"reading the schema of {table_id}", lambda: describe(table_id, table, location)
        )
        self.use_table(described)
        return described

    def location(self, dataset_id: str) -> str:
        """Where a dataset, as project.dataset, is stored."""
        dataset = self._call(
            f"reading the location of {dataset_id}",
            lambda: self._client.get_dataset(dataset_id, retry=_ONCE, timeout=self._request_seconds),
        )
        return str(dataset.location)

    def rows(self, sql: str, purpose: str, doing: str) -> Iterator[dict[str, Any]]:
        """Run a query and yield its rows, page by page; one page is in memory at a time.

        `purpose` becomes a label of the job, `doing` begins the text of an error. Raises SourceError
        `bytes_cap` without running the query when a dry run says that it would bill more than allowed.
        """
        self._check_bytes(sql, purpose, doing)
        config = self._config(purpose)
        config.maximum_bytes_billed = self._at.max_bytes_billed
        config.job_timeout_ms = int(_JOB_SECONDS * 1_000)
        run = _Run(sql, config, _new_job_id())
        result = self._finish(run, doing)
        self._tally.billed_bytes += self._call(
            doing, lambda: (run.job.total_bytes_billed if run.job else 0) or 0
        )
        yield from self._pages(run.job_id, result, doing)

    def bytes_read_by(self, sql: str, purpose: str, doing: str) -> int:
        """Return how many bytes BigQuery says a query would read, by a dry run: free, and it runs nothing.

        It needs the same permissions as the query itself.
        """
        config = self._config(purpose)
        config.dry_run = True
        config.use_query_cache = False
        job = self._call(doing, lambda: self._insert(sql, config, _new_job_id()))
        return self._call(doing, lambda: job.total_bytes_processed or 0)

    def result_schema(self, sql: str, purpose: str, doing: str) -> list[bigquery.SchemaField]:
        """Return the columns that a query gives, by a dry run; further queries run where its data is."""
        config = self._config(purpose)
        config.dry_run = True
        config.use_query_cache = False
        job = self._call(doing, lambda: self._insert(sql, config, _new_job_id()))
        self._at = replace(self._at, location=self._at.location or job.location)
        return list(job.schema or ())

    def _check_bytes(self, sql: str, purpose: str, doing: str) -> None:
        estimate = billed_bytes(self.bytes_read_by(sql, purpose, doing))
        if estimate > self._at.max_bytes_billed:
            raise over_byte_cap(estimate, doing, self._at)

    def _config(self, purpose: str) -> bigquery.QueryJobConfig:
        return bigquery.QueryJobConfig(
            labels={"app": "spend-exporter", "purpose": purpose}, use_legacy_sql=False
        )

    def _insert(self, sql: str, config: bigquery.QueryJobConfig, job_id: str) -> bigquery.QueryJob:
        return self._client.query(
            sql,
            job_config=config,
            job_id=job_id,
            location=self._at.location,
            retry=_ONCE,
            job_retry=None,
            timeout=self._request_seconds,
        )

    def _finish(self, run: _Run, doing: str) -> bigquery.table.RowIterator:
        longest = min(_JOB_SECONDS + 2 * _POLL_SECONDS, self._backoff.seconds_left())
        give_up = self._backoff.monotonic() + longest
        while True:
            result = self._call(doing, lambda: self._advance(run))
            if result is not None:
                return result
            if self._backoff.stopping() or self._backoff.monotonic() > give_up:
                self._cancel(run)
                raise explain(TimeoutError(), doing, self._at)

    def _advance(self, run: _Run) -> bigquery.table.RowIterator | None:
        """Begin the job where it has not begun, and wait a little; None while it still runs."""
        if run.job is None:
            try:
                run.job = self._insert(run.sql, run.config, run.job_id)
            except api_exceptions.Conflict:
                # An earlier attempt got through, only its answer was lost.
                run.job = self._job(run.job_id)
        try:
            return run.job.result(page_size=_PAGE_ROWS, retry=_ONCE, job_retry=None, timeout=_POLL_SECONDS)
        except TimeoutError:
            return None
        except api_exceptions.GoogleAPICallError:
            if run.job.error_result:
                # The job itself has failed and stays so: a further attempt needs another one.
                run.job, run.job_id = None, _new_job_id()
            raise

    def _job(self, job_id: str) -> bigquery.QueryJob:
        job = self._client.get_job(
            job_id, location=self._at.location, retry=_ONCE, timeout=self._request_seconds
        )
        return cast("bigquery.QueryJob", job)

    def _cancel(self, run: _Run) -> None:
        job = run.job
        if job is not None:
            self._call("cancelling a query", lambda: job.cancel(retry=_ONCE, timeout=self._request_seconds))

    def _pages(self, job_id: str, result: bigquery.table.RowIterator, doing: str) -> Iterator[dict[str, Any]]:
        names = self._call(doing, lambda: [str(column.name) for column in result.schema])
        pages: Iterator[Any] | None = iter(result.pages)
        fetched = 0

        def next_page() -> list[dict[str, Any]] | None:
            nonlocal pages
            current = pages
            if current is None:
                reopened = self._job(job_id).result(
                    page_size=_PAGE_ROWS,
                    start_index=fetched,
                    retry=_ONCE,
                    job_retry=None,
                    timeout=self._request_seconds,
                )
                current = iter(reopened.pages)
            # An iterator that failed is spent; it is put back only when it has delivered.
            pages = None
            page = next(current, None)
            # Values are read as a page is gone through, which fails as any answer does. Row.items() copies
            # every value deeply.
            read = page and [{name: row[index] for index, name in enumerate(names)} for row in page]
            pages = current
            return read

        while (page := self._call(doing, next_page)) is not None:
            fetched += len(page)
            yield from page

    def _call(self, doing: str, attempt: Callable[[], _Result]) -> _Result:
        try:
            return self._backoff.call(attempt, FAILURES, is_transient)
        except FAILURES as error:
            # Without the cause: what the token service answered must not reach a log.
            raise explain(error, doing, self._at) from None
        except UNREADABLE as error:
            raise unreadable(error, doing) from None


def _new_job_id() -> str:
    return f"spend_exporter_{uuid.uuid4().hex}"
