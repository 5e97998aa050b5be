"""The stream over real sockets: when events come, what is in them, who is refused, dropped or let go."""

from __future__ import annotations

import http.client
import itertools
import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import bcrypt
import pytest

from exporter.metrics.snapshot import Snapshot
from exporter.web.server import Server
from exporter.web.web_config import WebConfig
from tests.support.exposed import DEADLINE_SECONDS, until
from tests.support.outlooks import DAY_BEGINS, outlook, steady
from tests.support.served import request, snapshot

pytestmark = pytest.mark.slow

LOOPBACK = ("127.0.0.1", 0)
LONG = 3600.0
NOW = DAY_BEGINS + timedelta(hours=9, minutes=59, seconds=56)


def priced_snapshot() -> Snapshot:
    """Costs that change from one hour to the next, at the hour that the clock is about to pass."""
    hours = [1_000_000_000] * 10 + [3_000_000_000] * 14
    return replace(snapshot(), outlooks=(outlook({"Cloud Run": (4, hours), "BigQuery": steady(0.5)}),))


def large_snapshot() -> Snapshot:
    """A snapshot whose summary is larger than what the operating system buffers for a connection."""
    services = {f"{number:04d}{'x' * 9000}": steady(0.5) for number in range(1000)}
    return replace(snapshot(), outlooks=(outlook(services),))


def clock(step: timedelta) -> Callable[[], datetime]:
    """A clock that moves on by a step each time that it is asked."""
    ticks = itertools.count()
    return lambda: NOW + next(ticks) * step


class Reader:
    """A client of /stream."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_SECONDS)
        self._connection.request("GET", "/stream", headers={"Accept": "text/event-stream"})
        self.response = self._connection.getresponse()

    def event(self) -> dict[str, Any]:
        """The next event; fails at the socket's deadline."""
        name, data, end = (self.response.readline() for _ in range(3))
        assert (name, end) == (b"event: summary\n", b"\n")
        assert data.startswith(b"data: ")
        found: dict[str, Any] = json.loads(data[6:])
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.response.close()
        self._connection.close()


def stalled(server: Server) -> socket.socket:
    """A reader that takes the first bytes of a stream and no more."""
    client = socket.create_connection(server.address, timeout=DEADLINE_SECONDS)
    client.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.recv(64).startswith(b"HTTP/1.1 200 ")
    return client


def has_room(server: Server) -> bool:
    with Reader(server) as reader:
        return reader.response.status == 200


def test_the_first_event_comes_at_once_and_is_the_summary() -> None:
    current = priced_snapshot()
    with (
        Server(LOOPBACK, lambda: current, stream_interval_seconds=LONG, now=lambda: NOW) as server,
        Reader(server) as reader,
    ):
        assert reader.response.headers["Content-Type"] == "text/event-stream"
        assert reader.response.headers["Cache-Control"] == "no-store"
        assert reader.event() == json.loads(request(server, "/api/v1/summary").body)


def test_events_come_every_two_seconds() -> None:
    with Server(LOOPBACK, snapshot) as server, Reader(server) as reader:
        first, second = (datetime.fromisoformat(reader.event()["time"]) for _ in range(2))
    # By the server's own times: a busy machine may deliver the first one late.
    assert timedelta(seconds=1) < second - first < timedelta(seconds=60)


def test_figures_move_steadily_between_events_and_over_the_hour() -> None:
    current = priced_snapshot()
    step = timedelta(seconds=1)
    with (
        Server(LOOPBACK, lambda: current, stream_interval_seconds=0.001, now=clock(step)) as server,
        Reader(server) as reader,
    ):
        events = [reader.event() for _ in range(9)]
    totals = [event["today"]["total_usd"] for event in events]
    rises = [after - before for before, after in itertools.pairwise(totals)]
    assert rises[:4] == pytest.approx([1.5 / 3600] * 4, abs=2e-9)
    assert rises[4:] == pytest.approx([3.5 / 3600] * 4, abs=2e-9)
    rates = [event["burn_rate_usd_per_hour"] for event in events]
    assert [after - before for before, after in itertools.pairwise(rates)] == pytest.approx(
        [2.0 / 3600] * 8, abs=2e-9
    )


def test_a_stream_shows_the_next_snapshot_once_it_exists() -> None:
    current = snapshot()
    with (
        Server(LOOPBACK, lambda: current, stream_interval_seconds=0.001) as server,
        Reader(server) as reader,
    ):
        assert reader.event()["today"]["total_usd"] is None
        current = priced_snapshot()
        until(lambda: reader.event()["today"]["total_usd"] is not None, "the next snapshot")


def test_streams_beyond_the_cap_get_a_retry_after_and_scrapes_go_on() -> None:
    with Server(LOOPBACK, snapshot, max_streams=2, stream_interval_seconds=0.01) as server:
        with Reader(server) as first, Reader(server) as second:
            first.event()
            second.event()
            refused = request(server, "/stream")
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "10"
            assert b"2 streams" in refused.body
            assert request(server, "/metrics").status == 200
            assert request(server, "/api/v1/summary").status == 200
        until(lambda: has_room(server), "room for another reader")


def test_a_reader_that_leaves_gives_its_place_back_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    with Server(LOOPBACK, snapshot, max_streams=1, stream_interval_seconds=0.01) as server:
        with Reader(server) as reader:
            reader.event()
        until(lambda: has_room(server), "room for another reader")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


def test_a_reader_that_stops_reading_is_dropped_and_gives_its_place_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    current = large_snapshot()
    server = Server(LOOPBACK, lambda: current, max_streams=1, response_timeout_seconds=0.3)
    with server, stalled(server):
        until(lambda: "closed a stream to 127.0.0.1" in caplog.text, "the broken-off stream in the log")
        current = snapshot()
        until(lambda: has_room(server), "room for another reader")
    assert "an event was not read within 0.3 s" in caplog.text


def test_head_gives_the_headers_and_takes_no_place() -> None:
    with (
        Server(LOOPBACK, snapshot, max_streams=1, stream_interval_seconds=LONG) as server,
        Reader(server) as reader,
    ):
        reader.event()
        head = request(server, "/stream", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Type"] == "text/event-stream"
        assert request(server, "/stream", method="POST").status == 405


def test_a_stop_ends_open_streams_at_once_and_whole() -> None:
    server = Server(LOOPBACK, snapshot, stream_interval_seconds=LONG, stop_timeout_seconds=60)
    server.start()
    with Reader(server) as reader:
        reader.event()
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 50
        # A chunked body that is cut short would raise IncompleteRead here.
        assert reader.response.read() == b""


def test_a_stop_does_not_wait_for_a_stalled_reader_beyond_its_bound() -> None:
    current = large_snapshot()
    server = Server(LOOPBACK, lambda: current, stop_timeout_seconds=0.4)
    server.start()
    with stalled(server):
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 50


def test_streams_and_summaries_are_for_users_only_where_there_are_users() -> None:
    users = WebConfig(password_hashes={"ada": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})
    with Server(LOOPBACK, snapshot, users) as server:
        for path in ("/stream", "/api/v1/summary", "/api/v1/summary/schema"):
            assert request(server, path).status == 401


def test_a_fault_behind_the_first_event_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Snapshot:
        raise LookupError("a fault with details")

    with Server(LOOPBACK, broken) as server:
        answer = request(server, "/stream")
    assert answer.status == 500
    assert b"details" not in answer.body
    assert "a fault with details" in caplog.text
