"""Clients that send too much, too little or nothing: none keeps a scraper from its answer."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.web.limits import ConnectionLimits, SeldomLog
from exporter.web.server import Server
from exporter.web.web_config import WebConfig, load_web_config
from tests.support.certificates import Authority
from tests.support.exposed import DEADLINE_SECONDS, until
from tests.support.served import large_snapshot, request, snapshot

LOOPBACK = ("127.0.0.1", 0)
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_A_HEAD = b"GET /metrics HTTP/1.1\r\nX-Slow: "
FEW = ConnectionLimits(connections=4, handshakes=3)


@contextlib.contextmanager
def connected(server: Server, *sent: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have sent something, or nothing."""
    with contextlib.ExitStack() as stack:
        made = []
        for data in sent:
            each = stack.enter_context(socket.create_connection(server.address, timeout=DEADLINE_SECONDS))
            each.sendall(data)
            made.append(each)
        yield made


def ended(connection: socket.socket) -> bool:
    """Wait until the server has closed the connection; it answers nothing before."""
    try:
        return connection.recv(4096) == b""
    except ConnectionError:
        return True


def post(server: Server, body: bytes, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", "/metrics", body, headers)
        response = connection.getresponse()
        response.read()
        return response


@pytest.fixture
def tls(tmp_path: Path) -> WebConfig:
    Authority(tmp_path).sign("server", ["localhost"])
    path = tmp_path / "web.yml"
    path.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}", encoding="utf-8")
    return load_web_config(path)


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "nonsense"])
def test_an_encoded_body_is_refused_and_not_expanded(encoding: str) -> None:
    with Server(LOOPBACK, snapshot) as server:
        response = post(server, gzip.compress(b"\0" * 2**24), **{"Content-Encoding": encoding})
        assert response.status == 415
        assert request(server, "/metrics").status == 200


def test_a_large_body_is_refused_and_a_small_one_is_not_read() -> None:
    with Server(LOOPBACK, snapshot) as server:
        assert post(server, b"x" * 65_537).status == 413
        assert post(server, b"x" * 65_536).status == 405
        with connected(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n") as [client]:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
def test_a_body_without_an_end_does_not_hold_its_connection() -> None:
    with Server(LOOPBACK, snapshot) as server:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        with connected(server, head + b"1\r\nx\r\n") as [client]:
            assert client.recv(4096).startswith(b"HTTP/1.1 405 ")
            assert ended(client)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, SCRAPE + HALF_A_HEAD], ids=["nothing", "half", "second"])
def test_a_head_that_does_not_end_is_given_up(sent: bytes) -> None:
    limits = ConnectionLimits(head_seconds=0.2)
    with Server(LOOPBACK, snapshot, limits=limits) as server, connected(server, sent) as [client]:
        if sent.startswith(SCRAPE):
            assert client.recv(1 << 20).startswith(b"HTTP/1.1 200 ")
        until(lambda: ended(client), "the connection to end")


def test_a_kept_connection_is_not_taken_for_a_slow_one() -> None:
    with Server(LOOPBACK, snapshot, limits=ConnectionLimits(head_seconds=0.1)) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            socket_before = connection.sock
            with connected(server, b"") as [slow]:
                assert ended(slow)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            assert connection.sock is socket_before


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, SCRAPE], ids=["nothing", "half", "idle"])
def test_a_scraper_gets_in_past_any_number_of_idle_connections(sent: bytes) -> None:
    with Server(LOOPBACK, snapshot, limits=FEW) as server, connected(server, *[sent] * 12) as clients:
        assert request(server, "/metrics").status == 200
        oldest = clients[0]
        if sent == SCRAPE:
            assert oldest.recv(1 << 20).startswith(b"HTTP/1.1 200 ")
        assert ended(oldest)


def test_beyond_the_most_running_requests_a_client_is_told_to_come_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
    with Server(LOOPBACK, snapshot, limits=FEW) as server, connected(server, *[stream] * 4) as clients:
        for client in clients:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        for _ in range(3):
            answer = request(server, "/metrics")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert answer.headers["Server"] == "spend-exporter"
            assert answer.body == b"4 connections are open already.\n"
        clients[0].close()
        until(lambda: request(server, "/metrics").status == 200, "a free place")
    assert caplog.text.count("all 4 connections are busy") == 1


@pytest.mark.slow
def test_answers_that_nobody_reads_give_way_to_a_scraper() -> None:
    current = large_snapshot()
    with (
        Server(LOOPBACK, lambda: current, max_concurrent_scrapes=1, limits=FEW) as server,
        connected(server, *[SCRAPE + b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200] * 4),
    ):
        until(lambda: request(server, "/healthz").status == 200, "a place")


def test_rubbish_is_logged_in_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    rubbish = b"\x1b[31mGET secret\x00\r\n\r\n"
    with Server(LOOPBACK, snapshot) as server:
        for _ in range(5):
            with connected(server, rubbish) as [client]:
                assert client.recv(4096).startswith(b"HTTP/1.0 400 ")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("exporter")]
    assert lines == ["127.0.0.1 sent what is not an HTTP request; answered with 400"]


def test_a_line_that_comes_too_often_is_counted() -> None:
    lines: list[str] = []
    times = iter((0.0, 1.0, 59.0, 60.0, 61.0))
    seldom = SeldomLog(lambda text, *details: lines.append(text % details), lambda: next(times))
    for _ in range(5):
        seldom("%s again", "x")
    assert lines == ["x again", "x again (2 more since the last such line)"]


@pytest.mark.slow
def test_unfinished_handshakes_take_no_place_and_end(tls: WebConfig) -> None:
    limits = ConnectionLimits(connections=4, handshakes=3, handshake_seconds=0.3)
    with Server(LOOPBACK, snapshot, tls, limits=limits) as server:
        for sent in (b"", b"\x16\x03\x01\x02"):
            with connected(server, *[sent] * 12) as clients:
                assert request(server, "/metrics", context=trusting()).status == 200
                for client in clients:
                    assert ended(client)


def test_an_idle_tls_connection_does_not_delay_a_stop(tls: WebConfig) -> None:
    server = Server(LOOPBACK, snapshot, tls, stop_timeout_seconds=60)
    server.start()
    with (
        connected(server, b"") as [plain],
        trusting().wrap_socket(plain) as client,
    ):
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 20
