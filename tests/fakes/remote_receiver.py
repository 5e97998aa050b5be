"""A receiver of remote write on a loopback socket, which reads the protocol with the protobuf library."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Labels = tuple[tuple[str, str], ...]
Written = list[tuple[Labels, int, float]]
"""Labels, time in milliseconds and value of each sample of a request, in its order."""


def _write_request() -> Any:
    """The message class, declared as in Prometheus' prompb/remote.proto and types.proto."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="remote.proto", package="told", syntax="proto3")
    declared: dict[str, list[tuple[str, int, int, bool, str]]] = {
        "Label": [
            ("name", 1, kind.TYPE_STRING, False, ""),
            ("value", 2, kind.TYPE_STRING, False, ""),
        ],
        "Sample": [
            ("value", 1, kind.TYPE_DOUBLE, False, ""),
            ("timestamp", 2, kind.TYPE_INT64, False, ""),
        ],
        "TimeSeries": [
            ("labels", 1, kind.TYPE_MESSAGE, True, ".told.Label"),
            ("samples", 2, kind.TYPE_MESSAGE, True, ".told.Sample"),
        ],
        "WriteRequest": [("timeseries", 1, kind.TYPE_MESSAGE, True, ".told.TimeSeries")],
    }
    for name, fields in declared.items():
        message = file.message_type.add(name=name)
        for field_name, number, type_, repeated, of in fields:
            label = kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL
            message.field.add(name=field_name, number=number, type=type_, label=label, type_name=of or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("told.WriteRequest"))


WriteRequest = _write_request()


def read(body: bytes) -> Written:
    """Samples of a request; fails where the bytes are not the protocol."""
    told = WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    return [
        (tuple((label.name, label.value) for label in series.labels), sample.timestamp, sample.value)
        for series in told.timeseries
        for sample in series.samples
    ]


@dataclass(frozen=True)
class Answer:
    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stores: bool = True
    """Whether the samples are stored where the status is not of success, as some receivers do with a part."""
    hangs_up: bool = False
    """Close the connection in place of an answer."""
    waits_for: threading.Event | None = None


@dataclass
class RemoteReceiver:
    """Use as a context manager. It keeps the first value of a series and a time, and notes any other one."""

    answer: Callable[[Written], Answer] = lambda _written: Answer()
    stored: dict[tuple[Labels, int], float] = field(default_factory=dict)
    conflicts: list[tuple[Labels, int]] = field(default_factory=list)
    requests: list[Written] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> RemoteReceiver:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/v1/write"

    def sums(self) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for (labels, _), value in self.stored.items():
            found[labels] = found.get(labels, 0.0) + value
        return found

    def handle(self, headers: dict[str, str], body: bytes) -> Answer:
        written = read(body)
        self.requests.append(written)
        self.headers.append(headers)
        answer = self.answer(written)
        if answer.waits_for is not None:
            answer.waits_for.wait(30)
        if answer.status // 100 == 2 or answer.stores:
            for labels, time, value in written:
                if self.stored.setdefault((labels, time), value) != value:
                    self.conflicts.append((labels, time))
        return answer


def _handler(receiver: RemoteReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = receiver.handle(dict(self.headers.items()), body)
            if answer.hangs_up:
                self.close_connection = True
                return
            # A client that has waited long enough may be gone.
            with contextlib.suppress(ConnectionError):
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
