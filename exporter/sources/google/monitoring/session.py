"""One refresh's connection to Cloud Monitoring: pages of series, each with retries and its own deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from google.cloud.monitoring_v3.services.metric_service import MetricServiceClient
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport
from google.cloud.monitoring_v3.types import (
    Aggregation,
    ListMetricDescriptorsRequest,
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
    TimeInterval,
)

from exporter.core.backoff import Backoff
from exporter.core.meters import UsageMeter
from exporter.sources.base import RefreshTally
from exporter.sources.google.credentials import GoogleIdentity
from exporter.sources.google.monitoring.errors import (
    FAILURES,
    Question,
    asked_wait_seconds,
    explain,
    is_transient,
)
from exporter.sources.google.monitoring.plan import Stretch, Timing, held_for, timing_of

SCOPE: Final = "https://www.googleapis.com/auth/monitoring.read"
LARGEST_PAGE: Final = 100_000
"""Points in one page, as Google allows."""

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class MonitoringSession(AbstractContextManager["MonitoringSession"]):
    """Asks Cloud Monitoring. Raises ReadFailed for what was given up."""

    identity: GoogleIdentity
    meter: RefreshTally
    backoff: Backoff
    endpoint: str | None = None
    plaintext: bool = False
    """Without TLS and credentials, for a simulator on this machine."""
    attempt_seconds: float = 20.0
    """Deadline of one attempt."""
    page_size: int = LARGEST_PAGE
    answers: int = 0
    """Calls that succeeded."""
    _client: MetricServiceClient | None = None

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.transport.close()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        """Make the client; nothing is connected yet."""
        if self.plaintext:
            channel = grpc.insecure_channel(self.endpoint, options=_CHANNEL_OPTIONS)
            self._client = MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
        else:
            options = {"api_endpoint": self.endpoint} if self.endpoint else None
            self._client = MetricServiceClient(credentials=self.identity.credentials, client_options=options)
        return self

    def timings(self, project_id: str, prefix: str) -> dict[str, Timing]:
        """Sample period and ingestion delay of the project's metrics whose type begins with `prefix`."""
        request = ListMetricDescriptorsRequest(
            name=f"projects/{project_id}", filter=f'metric.type = starts_with("{prefix}")'
        )
        found = {}
        question = Question(self.identity.principal, project_id, prefix)
        while True:
            answer = self._call(
                lambda client: next(
                    client.list_metric_descriptors(
                        request, retry=None, timeout=self.backoff.limited(self.attempt_seconds)
                    ).pages
                ),
                question,
            )
            for each in answer.metric_descriptors:
                metadata = each.metadata
                found[each.type] = timing_of(metadata.sample_period.seconds, metadata.ingest_delay.seconds)
            request.page_token = answer.next_page_token
            if not request.page_token:
                return found

    def series(
        self, project_id: str, meter: UsageMeter, timing: Timing, stretch: Stretch
    ) -> Iterator[Sequence[Any]]:
        """Pages of aggregated series, as plain protobuf: the client's wrappers take longer than all the rest.

        Only a page that fails is requested again.
        """
        request = series_request(project_id, meter, timing, stretch, self.page_size)
        question = Question(self.identity.principal, project_id, meter.metric_type)
        while True:
            answer: ListTimeSeriesResponse = self._call(
                lambda client: next(
                    client.list_time_series(
                        request, retry=None, timeout=self.backoff.limited(self.attempt_seconds)
                    ).pages
                ),
                question,
            )
            page = ListTimeSeriesResponse.pb(answer)
            self.meter.series_returned += len(page.time_series)
            yield page.time_series
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def _call(self, ask: Callable[[MetricServiceClient], _Answer], question: Question) -> _Answer:
        client = self._client
        if client is None:
            raise RuntimeError("the session was not entered")

        def attempt() -> _Answer:
            self.meter.requests += 1
            return ask(client)

        try:
            answer = self.backoff.call(attempt, FAILURES, is_transient, asked_wait_seconds)
        except FAILURES as error:
            raise explain(error, question) from error
        self.answers += 1
        return answer


_CHANNEL_OPTIONS: Final = (("grpc.max_receive_message_length", -1),)


def series_request(
    project_id: str, meter: UsageMeter, timing: Timing, stretch: Stretch, page_size: int = LARGEST_PAGE
) -> ListTimeSeriesRequest:
    """The request for one stretch: aligned to its period, and reduced to one series per group of labels.

    DELTA points are summed, not aligned by difference: ALIGN_DELTA makes values up where there are none.
    """
    conditions = [f'metric.type = "{meter.metric_type}"', f'resource.type = "{meter.resource_type}"']
    if meter.project_label:
        conditions.append(f'{meter.project_label} = "{project_id}"')
    if meter.where:
        conditions.append(meter.where)
    revision = meter.revision if stretch.by_revision else ""
    fields = [field for field in (meter.region, meter.resource, revision, meter.dimension) if field]
    held = held_for(meter, timing)
    return ListTimeSeriesRequest(
        name=f"projects/{project_id}",
        filter=" AND ".join(conditions),
        interval=TimeInterval(start_time=stretch.since - held, end_time=stretch.until),
        aggregation=Aggregation(
            alignment_period=timedelta(seconds=stretch.period_seconds),
            per_series_aligner=Aggregation.Aligner.ALIGN_MEAN if held else Aggregation.Aligner.ALIGN_SUM,
            cross_series_reducer=getattr(Aggregation.Reducer, meter.reducer),
            group_by_fields=fields,
        ),
        view=ListTimeSeriesRequest.TimeSeriesView.FULL,
        page_size=page_size,
    )
