"""Source `cloud_monitoring`: live usage from Cloud Monitoring over gRPC, aggregated by the server.

It reads what is new and again what may have been late; series returned grow with services and metrics.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.core.meters import USAGE_TABLE, UsageMeter
from exporter.sources.base import (
    BilledReads,
    Finding,
    RefreshContext,
    Source,
    UsageChange,
)
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.google.monitoring.check import findings
from exporter.sources.google.monitoring.costs import series_per_month
from exporter.sources.google.monitoring.plan import Reach
from exporter.sources.google.monitoring.project_reader import ProjectReader, ReadMemory
from exporter.sources.patience import patience_of

if TYPE_CHECKING:
    from exporter.sources.google.credentials import GoogleIdentity
    from exporter.sources.google.monitoring.session import MonitoringSession

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class CloudMonitoringSource(Source):
    """Usage of some projects, by the rows of the usage table."""

    project_ids: Sequence[str]
    meters: Sequence[UsageMeter] = USAGE_TABLE
    credentials_path: Path | None = None
    impersonate_service_account: str | None = None
    by_revision: bool = True
    """Whether requests, CPU and memory are reported by revision; a project with very many is read without."""
    reach: Reach = field(default_factory=Reach)
    update_interval: timedelta = timedelta(minutes=2)
    """How often it is refreshed."""
    endpoint: str | None = None
    """host:port of the API when it is not Google's own."""
    plaintext: bool = False
    """Without TLS and credentials, for a simulator on this machine."""
    attempt_seconds: float = 20.0
    """Deadline of one attempt of one call."""
    call_seconds: float = 60.0
    """Deadline of one call with all its attempts."""
    page_size: int = 100_000
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

    name: str = "cloud_monitoring"
    own_keys: Mapping[str, str] = field(default_factory=dict)
    """As Source.own_keys."""
    provider: str = field(default="gcp", init=False)
    reads_live_usage: bool = field(default=True, init=False)
    billed_reads: BilledReads = field(default=BilledReads.SERIES, init=False)
    _identity: GoogleIdentity | None = field(default=None, init=False, repr=False)
    _memory: ReadMemory = field(default_factory=ReadMemory, init=False, repr=False)

    def refresh(self, context: RefreshContext) -> Iterator[UsageChange]:
        """Yield one batch for each project with anything new, and what could not be read.

        Raises SourceError when no project could be read.
        """
        failures: list[SourceError] = []
        try:
            with self._session(context) as session:
                for project_id in self.project_ids:
                    if context.stopping():
                        return
                    reader = ProjectReader(self, self._memory, session, context, project_id)
                    batch = reader.read()
                    if batch is not None:
                        yield batch
                    yield from reader.unread
                    if reader.failure is not None:
                        failures.append(reader.failure)
                    if reader.hopeless:
                        break
        except SourceError:
            # Read it again next time: a key may have been renewed.
            self._identity = None
            raise
        if failures and (reader.hopeless or len(failures) == len(self.project_ids)):
            self._identity = None
            raise failures[0]

    def reads_partition(self, partition: str) -> bool:
        """Return whether usage is of one of its projects."""
        return partition.rpartition("/")[0] in self.project_ids

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Read every project once and say what came, and what a month of reading will cost."""
        first = replace(context, known={})
        yield from findings(self.refresh(first), self.series_per_month, self.update_interval)

    def series_per_month(self, refresh_interval: timedelta) -> float:
        """Predict from the last reads how many series a month of such refreshes returns: that is billed."""
        return series_per_month(self._memory.returned.values(), refresh_interval)

    def _session(self, context: RefreshContext) -> MonitoringSession:
        # Loads the gRPC client only for this source: it takes time and memory.
        from exporter.sources.google import credentials as google_credentials  # noqa: PLC0415
        from exporter.sources.google.monitoring import session as monitoring_session  # noqa: PLC0415

        if self._identity is None:
            if self.plaintext:
                from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

                anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
                self._identity = google_credentials.GoogleIdentity(
                    anonymous, None, google_credentials.UNKNOWN_PRINCIPAL
                )
            else:
                settings = CredentialsSettings(self.credentials_path, self.impersonate_service_account)
                self._identity = google_credentials.load_identity(settings, [monitoring_session.SCOPE])
        backoff = patience_of(self, context, Backoff(call_seconds=self.call_seconds))
        return monitoring_session.MonitoringSession(
            self._identity,
            context.tally,
            backoff,
            endpoint=self.endpoint,
            plaintext=self.plaintext,
            attempt_seconds=self.attempt_seconds,
            page_size=self.page_size,
        )
