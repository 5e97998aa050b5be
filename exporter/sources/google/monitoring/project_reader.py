"""Reads the usage of one project: what is new, and again what may have been late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from exporter.core.charges import UsagePoint
from exporter.core.errors import SourceError
from exporter.core.meters import UsageMeter
from exporter.sources.base import HoursRead, RefreshContext, Rejected, Unreadable, UsageBatch
from exporter.sources.google.monitoring.plan import ReadPlan, Timing, period_seconds, plan_read
from exporter.sources.google.monitoring.points import MeterPoints
from exporter.sources.spool import write_usage_csv

if TYPE_CHECKING:
    from exporter.sources.google.monitoring.session import MonitoringSession
    from exporter.sources.google.monitoring.source import CloudMonitoringSource

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_DESCRIPTORS_KEPT: Final = timedelta(days=1)
_ASK_AGAIN: Final = timedelta(hours=6)
"""After which a metric that a project lacked, and revisions that were too many, are queried again."""
_QUIET: Final = timedelta(minutes=15)
"""After which a metric without series is queried again: most projects use few services."""
_REVISIONS_PER_RESOURCE: Final = 3.0
"""With more revisions in use than that on average, usage is read by service alone."""


@dataclass(slots=True)
class ReadMemory:
    """What the reads so far have shown, for the next ones of any project."""

    timings: dict[str, Timing] = field(default_factory=dict)
    """How metrics are sampled, as their descriptors say."""
    described: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """By project and prefix: when the metrics were last listed."""
    quiet: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Project and meter: until when it is not queried."""
    missing: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Project and metric type: until when it is not queried."""
    too_many: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Project and meter: until when it is read by service alone."""
    returned: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """Project and meter: series that the last read returned, and its period in seconds."""
    reported: set[tuple[str, str, datetime]] = field(default_factory=set)
    """Gaps that were reported: they are seen again as long as they lie in the hours that are read again."""

    def timing(self, metric_type: str) -> Timing:
        """How a metric is sampled: as its descriptor said, else the documented usual."""
        return self.timings.get(metric_type, Timing())


class ProjectReader:
    """Reads one project once. A failure of one meter leaves the others alone."""

    def __init__(
        self,
        source: CloudMonitoringSource,
        memory: ReadMemory,
        session: MonitoringSession,
        context: RefreshContext,
        project_id: str,
    ) -> None:
        self._source = source
        self._memory = memory
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
                # Where nothing has answered yet, every meter and project would only be waited for as long.
                silent = error.reason in ("unavailable", "timeout") and not self._session.answers
                if silent or error.scope != "meter":
                    self.hopeless = silent or error.scope == "everything"
                    return

    def _meter(self, meter: UsageMeter) -> Iterator[UsagePoint]:
        """Read what is new of one meter; its points come only once all of them are there."""
        source, context, key = self._source, self._context, (self._project_id, meter.name)
        missing = _until(self._memory.missing, (self._project_id, meter.metric_type))
        if max(missing, _until(self._memory.quiet, key)) > context.now:
            return
        timing = self._memory.timing(meter.metric_type)
        plan = plan_read(
            meter,
            timing,
            source.reach,
            context.known.get("/".join(key)),
            now=context.now,
            oldest_kept=context.oldest_kept,
            by_revision=source.by_revision and _until(self._memory.too_many, key) <= context.now,
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
            self._memory.too_many[key] = context.now + _ASK_AGAIN
        self._memory.returned[key] = (series, period_seconds(meter, timing))
        if found.resources() == 0:
            self._memory.quiet[key] = context.now + _QUIET
        self._tell_gaps(meter, plan, found)
        if found.refused:
            detail = "points without an amount that can be true; they were left out"
            self._rejected.append(
                Rejected("bad_usage", found.refused, f"{self._project_id}/{meter.name}", detail)
            )
        self._reads.append(
            HoursRead(self._project_id, meter.name, plan.first_hour, plan.end_hour, plan.through, plan.cursor)
        )
        for point in found.points(plan.first_hour):
            self._rows += 1
            yield point

    def _learn_timing(self, meter: UsageMeter) -> None:
        """Ask for the descriptors of the meter's family once a day, in a project that can tell them."""
        memory, now = self._memory, self._context.now
        prefix = meter.metric_type.partition("/")[0] + "/"
        if meter.metric_type in memory.timings and _asked_lately(memory.described, ("", prefix), now):
            return
        if _asked_lately(memory.described, (self._project_id, prefix), now):
            return
        memory.timings |= self._session.timings(self._project_id, prefix)
        memory.described[self._project_id, prefix] = memory.described["", prefix] = now

    def _tell_missing(self, meter: UsageMeter, error: SourceError) -> None:
        """Say so once, and leave it in peace for a while."""
        key = (self._project_id, meter.metric_type)
        if key not in self._memory.missing:
            self._rejected.append(Rejected(error.reason, 1, self._project_id, str(error)))
        self._memory.missing[key] = self._context.now + _ASK_AGAIN

    def _tell_gaps(self, meter: UsageMeter, plan: ReadPlan, found: MeterPoints) -> None:
        gaps = [plan.gap] if plan.gap else []
        gaps += found.holes() if meter.steady else []
        for since, until in gaps:
            key = (self._project_id, meter.name, since)
            if key not in self._memory.reported:
                self._memory.reported.add(key)
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
