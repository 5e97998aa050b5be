"""Source `cloud_monitoring`: live usage from Cloud Monitoring over gRPC, aggregated by the server.

It reads what is new and again what may have been late; series returned grow with services and metrics.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.core.backoff import Backoff
from exporter.core.charges import UsagePoint
from exporter.core.errors import SourceError
from exporter.core.meters import USAGE_TABLE, UsageMeter
from exporter.sources.base import (
    BilledReads,
    Finding,
    HoursRead,
    RefreshContext,
    Rejected,
    Source,
    Unreadable,
    UsageBatch,
    UsageChange,
)
from exporter.sources.google.monitoring.check import findings
from exporter.sources.google.monitoring.plan import Reach, ReadPlan, Timing, period_seconds, plan_read
from exporter.sources.google.monitoring.points import MeterPoints
from exporter.sources.spool import write_usage_csv

if TYPE_CHECKING:
    from exporter.sources.google.credentials import GoogleIdentity
    from exporter.sources.google.monitoring.session import MonitoringSession

logger = logging.getLogger(__name__)

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_DESCRIPTORS_KEPT: Final = timedelta(days=1)
_ASK_AGAIN: Final = timedelta(hours=6)
"""After which a metric that a project lacked, and revisions that were too many, are queried again."""
_QUIET: Final = timedelta(minutes=15)
"""After which a metric without series is queried again: most projects use few services."""
_REVISIONS_PER_RESOURCE: Final = 3.0
"""With more revisions in use than that on average, usage is read by service alone."""


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

    name: str = field(default="cloud_monitoring", init=False)
    provider: str = field(default="gcp", init=False)
    reads_live_usage: bool = field(default=True, init=False)
    billed_reads: BilledReads = field(default=BilledReads.SERIES, init=False)
    _identity: GoogleIdentity | None = field(default=None, init=False, repr=False)
    _timings: dict[str, Timing] = field(default_factory=dict, init=False, repr=False)
    _described: dict[tuple[str, str], datetime] = field(default_factory=dict, init=False, repr=False)
    """By project and prefix: when the metrics were last listed."""
    _quiet: dict[tuple[str, str], datetime] = field(default_factory=dict, init=False, repr=False)
    """Project and meter: until when it is not queried."""
    _missing: dict[tuple[str, str], datetime] = field(default_factory=dict, init=False, repr=False)
    """Project and metric type: until when it is not queried."""
    _too_many: dict[tuple[str, str], datetime] = field(default_factory=dict, init=False, repr=False)
    """Project and meter: until when it is read by service alone."""
    _returned: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict, init=False, repr=False)
    """Project and meter: series that the last read returned, and its period in seconds."""
    _told: set[tuple[str, str, datetime]] = field(default_factory=set, init=False, repr=False)
    """Gaps that were reported: they are seen again as long as they lie in the hours that are read again."""

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
                    reader = _ProjectReader(self, session, context, project_id)
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

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Read every project once and say what came, and what a month of reading will cost."""
        first = replace(context, known={})
        yield from findings(self.refresh(first), self.series_per_month, self.update_interval)

    def series_per_month(self, refresh_interval: timedelta) -> float:
        """Predict from the last reads how many series a month of such refreshes returns: that is billed."""
        month_seconds = 30.4375 * 86400.0
        return sum(
            series * month_seconds / max(refresh_interval.total_seconds(), period)
            for series, period in self._returned.values()
        )

    def timing(self, metric_type: str) -> Timing:
        """How a metric is sampled: as its descriptor said, else the documented usual."""
        return self._timings.get(metric_type, Timing())

    def _session(self, context: RefreshContext) -> MonitoringSession:
        # Loads the gRPC client only for this source: it takes time and memory.
        from exporter.sources.google import credentials as google_credentials  # noqa: PLC0415
        from exporter.sources.google.monitoring import session as monitoring_session  # noqa: PLC0415

        if self._identity is None:
            if self.plaintext:
                from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

                anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
                self._identity = google_credentials.GoogleIdentity(anonymous, None, "the account in use")
            else:
                settings = google_credentials.CredentialsSettings(
                    self.credentials_path, self.impersonate_service_account
                )
                self._identity = google_credentials.load_identity(settings, [monitoring_session.SCOPE])
        backoff = Backoff(
            call_seconds=self.call_seconds,
            sleep=self.sleep,
            jitter=self.jitter,
            monotonic=self.monotonic,
            stopping=context.stopping,
        )
        return monitoring_session.MonitoringSession(
            self._identity,
            context.tally,
            backoff,
            endpoint=self.endpoint,
            plaintext=self.plaintext,
            attempt_seconds=self.attempt_seconds,
            page_size=self.page_size,
        )


class _ProjectReader:
    """Reads one project once. A failure of one meter leaves the others alone."""

    def __init__(
        self,
        source: CloudMonitoringSource,
        session: MonitoringSession,
        context: RefreshContext,
        project_id: str,
    ) -> None:
        self._source = source
        self._session = session
        self._context = context
        self._project_id = project_id
        self._reads: list[HoursRead] = []
        self._rejected: list[Rejected] = []
        self._rows = 0
        self.unread: list[Unreadable] = []
        self._first_failure: SourceError | None = None
        self.hopeless = False
        """Whether what failed here will fail for other projects as well."""

    @property
    def failure(self) -> SourceError | None:
        """Why nothing at all could be read, if so."""
        return None if self._reads else self._first_failure

    def read(self) -> UsageBatch | None:
        """Read all meters into one spool file; None where there is nothing new."""
        spool = self._context.spool / f"cloud_monitoring-{self._project_id}.csv"
        write_usage_csv(spool, self._points())
        if not self._reads:
            # Nothing to store, so what was set aside is reported by itself.
            spool.unlink()
            self.unread += [Unreadable(each.place, each) for each in self._rejected]
            return None
        return UsageBatch(tuple(self._reads), spool, self._rows, tuple(self._rejected))

    def _points(self) -> Iterator[UsagePoint]:
        from exporter.sources.google.monitoring.errors import ReadFailed  # noqa: PLC0415

        for meter in self._source.meters:
            if self._context.stopping():
                return
            try:
                self._learn_timing(meter)
                yield from self._meter(meter)
            except ReadFailed as error:
                if error.reason == "unknown_metric":
                    self._tell_missing(meter, error)
                    continue
                place = self._project_id if error.scope == "project" else f"{self._project_id}/{meter.name}"
                self.unread.append(Unreadable(place, Rejected(error.reason, 1, place, str(error))))
                self._first_failure = self._first_failure or error
                if error.scope != "meter":
                    # Where nothing has answered yet, every project would only be waited for as long.
                    silent = error.reason == "unavailable" and not self._session.answers
                    self.hopeless = silent or error.scope == "everything"
                    return

    def _meter(self, meter: UsageMeter) -> Iterator[UsagePoint]:
        """Read what is new of one meter; its points come only once all of them are there."""
        source, context, key = self._source, self._context, (self._project_id, meter.name)
        missing = _until(source._missing, (self._project_id, meter.metric_type))
        if max(missing, _until(source._quiet, key)) > context.now:
            return
        timing = source.timing(meter.metric_type)
        plan = plan_read(
            meter,
            timing,
            source.reach,
            context.known.get("/".join(key)),
            now=context.now,
            oldest_kept=context.oldest_kept,
            by_revision=source.by_revision and _until(source._too_many, key) <= context.now,
        )
        if plan is None:
            return
        found = MeterPoints.empty(source.provider, self._project_id, meter, timing)
        series = 0
        for stretch in plan.stretches:
            series = 0
            for page in self._session.series(self._project_id, meter, timing, stretch):
                found.take(page, stretch)
                series += len(page)
        # Of the last stretch alone: a first run meets every revision of many days.
        if meter.revision and series > _REVISIONS_PER_RESOURCE * _dimensions(meter) * found.resources():
            source._too_many[key] = context.now + _ASK_AGAIN
        source._returned[key] = (series, period_seconds(meter, timing))
        if found.resources() == 0:
            source._quiet[key] = context.now + _QUIET
        self._tell_gaps(meter, plan, found)
        self._reads.append(
            HoursRead(self._project_id, meter.name, plan.first_hour, plan.end_hour, plan.through, plan.cursor)
        )
        for point in found.points(plan.first_hour):
            self._rows += 1
            yield point

    def _learn_timing(self, meter: UsageMeter) -> None:
        """Ask for the descriptors of the meter's family once a day, in a project that can tell them."""
        source, now = self._source, self._context.now
        prefix = meter.metric_type.partition("/")[0] + "/"
        if meter.metric_type in source._timings and _asked_lately(source._described, ("", prefix), now):
            return
        if _asked_lately(source._described, (self._project_id, prefix), now):
            return
        source._timings |= self._session.timings(self._project_id, prefix)
        source._described[self._project_id, prefix] = source._described["", prefix] = now

    def _tell_missing(self, meter: UsageMeter, error: SourceError) -> None:
        """Say so once, and leave it in peace for a while."""
        key = (self._project_id, meter.metric_type)
        if key not in self._source._missing:
            self._rejected.append(Rejected(error.reason, 1, self._project_id, str(error)))
        self._source._missing[key] = self._context.now + _ASK_AGAIN

    def _tell_gaps(self, meter: UsageMeter, plan: ReadPlan, found: MeterPoints) -> None:
        gaps = [plan.gap] if plan.gap else []
        gaps += found.holes() if meter.steady else []
        for since, until in gaps:
            key = (self._project_id, meter.name, since)
            if key not in self._source._told:
                self._source._told.add(key)
                detail = (
                    f"no usage is known from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC; counters "
                    "and estimates leave it out, the bill will have it"
                )
                self._rejected.append(Rejected("usage_gap", 1, f"{self._project_id}/{meter.name}", detail))


def _dimensions(meter: UsageMeter) -> int:
    """Series that one revision makes: response code classes are five at most, three as a rule."""
    return 3 if meter.dimension else 1


def _until(times: Mapping[tuple[str, str], datetime], key: tuple[str, str]) -> datetime:
    return times.get(key, _LONG_AGO)


def _asked_lately(times: Mapping[tuple[str, str], datetime], key: tuple[str, str], now: datetime) -> bool:
    listed = times.get(key)
    return listed is not None and listed <= now < listed + _DESCRIPTORS_KEPT
