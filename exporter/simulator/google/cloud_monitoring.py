"""Cloud Monitoring of the demo world: a gRPC server on this machine that reports the use behind the bill.

It implements ListTimeSeries and ListMetricDescriptors, and can simulate failures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import grpc
from google.api import metric_pb2
from google.cloud.monitoring_v3.types import (
    Aggregation,
    ListMetricDescriptorsRequest,
    ListMetricDescriptorsResponse,
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
)
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from exporter.simulator.chance import stream, uniform
from exporter.simulator.google.live_metrics import METRICS, Metric
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.simulator.google.time_series import (
    AlignedSeries,
    BadRequestError,
    Query,
    UnknownMetricError,
    Visible,
    answer,
    conditions_of,
)

_SERVICE: Final = "google.monitoring.v3.MetricService"
_LARGEST_PAGE: Final = 100_000
_WORKERS: Final = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """An error status, with the wait that it requests, if any."""

    code: grpc.StatusCode
    message: str = "the simulator was configured to fail"
    retry_after_seconds: float | None = None


@dataclass(slots=True)
class Faults:
    """Simulated failures of the server; none by default."""

    denied_projects: Collection[str] = ()
    missing_metrics: Collection[str] = ()
    fail: Callable[[str, str, int], Failure | None] = lambda _project, _metric, _offset: None
    """Called before every page, with project, metric type and the page's first point."""
    late_share: float = 0.0
    """Share of the samples that can be seen only after `late_seconds` more."""
    late_seconds: int = 0
    disorder: bool = False
    """Points come in no order."""
    repeat: bool = False
    """Every series comes twice."""


@dataclass(slots=True)
class CloudMonitoring:
    """The service, apart from the sockets."""

    usage: SimulatedUsage
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: Faults = field(default_factory=Faults)
    series_returned: int = 0
    """What Google would bill."""
    calls: int = 0

    def list_time_series(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Answer one page, by points as the service counts them."""
        self.calls += 1
        project_id = request.name.removeprefix("projects/")
        now, _, offset_text = request.page_token.partition("/")
        offset = int(offset_text or 0)
        try:
            query = _query(request)
            self._refuse(context, project_id, query.metric_type, offset)
            seen_at = int(now) if now else int(self.clock().timestamp())
            known = METRICS.keys() - set(self.faults.missing_metrics)
            found = answer(self.usage, query, self._visible_at(seen_at), known)
        except BadRequestError as error:
            _abort(context, Failure(grpc.StatusCode.INVALID_ARGUMENT, str(error)))
        except UnknownMetricError as error:
            message = f'Cannot find metric(s) that match type = "{error}".'
            _abort(context, Failure(grpc.StatusCode.NOT_FOUND, message))
        page = _LIST.response.pb()()
        size = min(request.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
        rest = self._fill(page, found, offset, size)
        if rest:
            page.next_page_token = f"{seen_at}/{offset + size}"
        self.series_returned += len(page.time_series)
        return page

    def list_metric_descriptors(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Answer with the descriptors whose type begins with the filter's prefix."""
        self.calls += 1
        project_id = request.name.removeprefix("projects/")
        prefix = request.filter.partition('starts_with("')[2].removesuffix('")')
        self._refuse(context, project_id, prefix, 0)
        found = _DESCRIPTORS.response.pb()()
        for metric in METRICS.values():
            if metric.type.startswith(prefix) and metric.type not in self.faults.missing_metrics:
                found.metric_descriptors.append(_descriptor(metric))
        return found

    def _refuse(self, context: grpc.ServicerContext, project_id: str, metric_type: str, offset: int) -> None:
        if project_id in self.faults.denied_projects:
            message = "Permission monitoring.timeSeries.list denied (or the resource may not exist)."
            _abort(context, Failure(grpc.StatusCode.PERMISSION_DENIED, message))
        failure = self.faults.fail(project_id, metric_type, offset)
        if failure is not None:
            _abort(context, failure)

    def _visible_at(self, now: int) -> Visible:
        late = stream(0, "late")

        def visible(metric: Metric, minutes: range) -> Sequence[int]:
            # A minute has ended before its samples are seen.
            seen = range(minutes.start, min(minutes.stop, (now - metric.ingest_delay_seconds) // 60))
            if not self.faults.late_share:
                return seen
            punctual = (now - metric.ingest_delay_seconds - self.faults.late_seconds) // 60
            return [
                minute
                for minute in seen
                if minute < punctual or uniform(late, minute) >= self.faults.late_share
            ]

        return visible

    def _fill(self, page: Any, found: list[AlignedSeries], offset: int, size: int) -> bool:
        """Put the points from `offset` on into a page; return whether there are more."""
        if self.faults.repeat:
            found = [each for each in found for _ in range(2)]
        position = 0
        for series in found:
            begin, end = max(0, offset - position), min(len(series.points), offset + size - position)
            if begin < end:
                points = list(series.points[begin:end])
                if self.faults.disorder:
                    points.sort(key=lambda point: stream(point[0], "disorder"))
                _add(page, series, points)
            position += len(series.points)
        return position > offset + size


@contextmanager
def serving(service: CloudMonitoring, port: int = 0) -> Iterator[str]:
    """Serve on the loopback interface and give the address, host:port, until the block ends."""
    server = grpc.server(ThreadPoolExecutor(_WORKERS, thread_name_prefix="demo-cloud-monitoring"))
    handlers = {
        _LIST.name: _LIST.handler(service.list_time_series),
        _DESCRIPTORS.name: _DESCRIPTORS.handler(service.list_metric_descriptors),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(grace=None).wait()


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    request: Any
    response: Any

    def handler(self, behaviour: Callable[[Any, grpc.ServicerContext], Any]) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=self.request.pb().FromString,
            response_serializer=self.response.pb().SerializeToString,
        )


_LIST: Final = _Method("ListTimeSeries", ListTimeSeriesRequest, ListTimeSeriesResponse)
_DESCRIPTORS: Final = _Method(
    "ListMetricDescriptors", ListMetricDescriptorsRequest, ListMetricDescriptorsResponse
)


def _query(request: Any) -> Query:
    aggregation = request.aggregation
    return Query(
        project_id=request.name.removeprefix("projects/"),
        conditions=conditions_of(request.filter),
        start=request.interval.start_time.seconds,
        end=request.interval.end_time.seconds,
        period=aggregation.alignment_period.seconds,
        aligner=Aggregation.Aligner(aggregation.per_series_aligner).name,
        reducer=Aggregation.Reducer(aggregation.cross_series_reducer).name,
        group_by=tuple(aggregation.group_by_fields),
    )


def _add(page: Any, series: AlignedSeries, points: list[tuple[int, float]]) -> None:
    made = page.time_series.add()
    made.metric.type = series.metric.type
    for name, named in series.group:
        part, _, label = name.split(".")
        labels = made.resource.labels if part == "resource" else made.metric.labels
        labels[label] = named
    made.unit = series.metric.unit
    for end, value in points:
        point = made.points.add()
        point.interval.start_time.seconds = point.interval.end_time.seconds = end
        if series.metric.value == "distribution":
            point.value.distribution_value.count = round(value)
        elif series.metric.value == "int" and value == round(value):
            point.value.int64_value = round(value)
        else:
            point.value.double_value = value


def _descriptor(metric: Metric) -> metric_pb2.MetricDescriptor:
    found = metric_pb2.MetricDescriptor(type=metric.type, unit=metric.unit)
    found.metric_kind = metric_pb2.MetricDescriptor.MetricKind.Value(metric.kind)
    names = {"int": "INT64", "double": "DOUBLE", "distribution": "DISTRIBUTION"}
    found.value_type = metric_pb2.MetricDescriptor.ValueType.Value(names[metric.value])
    found.metadata.sample_period.seconds = metric.sample_seconds
    found.metadata.ingest_delay.seconds = metric.ingest_delay_seconds
    return found


def _abort(context: grpc.ServicerContext, failure: Failure) -> NoReturn:
    status = status_pb2.Status(code=failure.code.value[0], message=failure.message)
    if failure.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(failure.retry_after_seconds * 1000))
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        status.details.append(detail)
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")
