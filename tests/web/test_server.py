import contextlib
import gzip
import http.client
import itertools
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.snapshot import Snapshot
from exporter.sources.status import SourceStatus
from exporter.web.server import Server
from tests.support.exposed import DEADLINE_SECONDS, until
from tests.support.programs import needs
from tests.support.served import Answer, large_snapshot, refuses_connections, request, snapshot

pytestmark = pytest.mark.slow

LOOPBACK = ("127.0.0.1", 0)
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def server() -> Iterator[Server]:
    current = snapshot()
    with Server(LOOPBACK, lambda: current, version="1.2.3") as running:
        yield running


class SlowReader:
    """A client that requests /metrics, waits for the first bytes, and reads on when a test says so."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(server.address, timeout=DEADLINE_SECONDS)
        self._socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self._head = self._socket.recv(4096)
        assert self._head.startswith(b"HTTP/1.1 200 ")

    def read_to_end(self) -> tuple[int, int]:
        """Return the announced and the actual length of the body."""
        data = bytearray(self._head)
        while part := self._socket.recv(1 << 20):
            data += part
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        [length] = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        return int(length.split(b":")[1]), len(body)

    def close(self) -> None:
        self._socket.close()


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What our own code logs for operators."""
    records = [record for record in caplog.records if record.name.startswith("exporter")]
    return [record.getMessage() for record in records if record.levelno >= logging.INFO]


def values(answer: Answer) -> set[float]:
    """Values of all samples that come from the snapshot."""
    text = answer.body.decode()
    is_openmetrics = answer.headers["Content-Type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(text) if is_openmetrics else parse_text(text)
    return {
        sample.value
        for family in families
        for sample in family.samples
        if sample.name in ("cost_usd", "billed_usd_total")
    }


def test_text_is_the_cached_bytes_and_then_the_process(server: Server) -> None:
    answer = request(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body.startswith(snapshot().exposition.text)
    assert b"\nprocess_resident_memory_bytes " in answer.body
    assert b"\npython_info{" in answer.body
    assert b"# EOF" not in answer.body


def test_openmetrics_is_the_cached_bytes_then_the_process_then_the_end(server: Server) -> None:
    answer = request(server, "/metrics", OPENMETRICS)
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.body.startswith(snapshot().exposition.openmetrics)
    assert answer.body.count(b"# EOF") == 1
    assert answer.body.endswith(b"\n# EOF\n")
    assert values(answer) == {1.0}


def test_openmetrics_alone_says_that_counters_of_the_process_were_created_at_its_start(
    server: Server,
) -> None:
    text = request(server, "/metrics").body.decode()
    assert "_created" not in text
    answer = request(server, "/metrics", OPENMETRICS).body.decode()
    of_process = answer.removeprefix(snapshot().exposition.openmetrics.decode())
    found: dict[str, set[str]] = {"counter": set(), "created": set()}
    [started] = {
        sample.value
        for family in parse_openmetrics(answer)
        for sample in family.samples
        if sample.name == "process_start_time_seconds"
    }
    for family in parse_openmetrics(of_process):
        if family.type == "counter":
            dated = [sample for sample in family.samples if sample.name == f"{family.name}_created"]
            assert [sample.value for sample in dated] == [started] * (len(family.samples) // 2)
            found["counter"].add(family.name)
            found["created"] |= {family.name for _ in dated}
    assert found["counter"] == found["created"] >= {"spend_exporter_scrapes", "process_cpu_seconds"}


@pytest.mark.parametrize("accept", [{}, OPENMETRICS])
def test_gzip_reads_back_as_the_plain_answer(server: Server, accept: dict[str, str]) -> None:
    plain, zipped = request(server, "/metrics", accept), request(server, "/metrics", accept | GZIP)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert int(zipped.headers["Content-Length"]) == len(zipped.body)
    assert zipped.headers["Vary"] == "Accept, Accept-Encoding"
    names = [line.split()[0] for line in gzip.decompress(zipped.body).splitlines()]
    assert names == [line.split()[0] for line in plain.body.splitlines()]


@needs("promtool", "prometheus")
def test_promtool_has_nothing_to_say_about_a_scrape(server: Server) -> None:
    lint = subprocess.run(
        ["promtool", "check", "metrics"],
        input=request(server, "/metrics").body,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=30,
    )
    assert (lint.returncode, lint.stdout) == (0, b"")


def test_scrapes_are_counted_from_the_next_one_on(server: Server) -> None:
    assert b'spend_exporter_scrapes_total{code="200"} 0\n' in request(server, "/metrics").body
    assert b'spend_exporter_scrapes_total{code="200"} 1\n' in request(server, "/metrics").body


def test_parameters_change_nothing(server: Server) -> None:
    answer = request(server, "/metrics?name[]=cost_usd&collect[]=none&refresh=1")
    assert answer.body.startswith(snapshot().exposition.text)
    assert b"process_cpu_seconds_total" in answer.body


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
def test_head_gives_the_headers_of_get_and_no_body(server: Server, path: str) -> None:
    head, get = request(server, path, method="HEAD"), request(server, path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert int(head.headers["Content-Length"]) > 0


def test_a_connection_serves_on_after_head_and_get(server: Server) -> None:
    connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_SECONDS)
    with contextlib.closing(connection):
        for method in ("GET", "HEAD", "GET"):
            connection.request(method, "/metrics", headers=GZIP)
            first_socket = connection.sock
            connection.getresponse().read()
        assert connection.sock is first_socket


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz"])
def test_other_methods_are_not_allowed(server: Server, path: str, method: str) -> None:
    answer = request(server, path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_an_unknown_path_is_not_found(server: Server) -> None:
    answer = request(server, "/metrics/../etc/passwd")
    assert answer.status == 404
    assert b"/metrics" in answer.body


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/nowhere"])
def test_headers_keep_browsers_careful_and_name_no_version(server: Server, path: str) -> None:
    headers = request(server, path).headers
    assert headers["Server"] == "spend-exporter"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; "
    )


def test_a_malformed_request_is_refused_without_naming_a_version_or_filling_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nAuthorization: secret\r\nContent-Length: x\r\n\r\n")
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"aiohttp" not in answer
    assert b"Python" not in answer
    assert reported(caplog) == ["127.0.0.1 sent what is not an HTTP request; answered with 400"]


def test_the_landing_page_shows_version_and_totals(server: Server) -> None:
    answer = request(server, "/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"1.2.3" in answer.body


def test_healthz_answers_also_before_there_is_data() -> None:
    with Server(LOOPBACK, lambda: snapshot(ready=False)) as server:
        assert request(server, "/healthz") == request(server, "/healthz")
        assert request(server, "/healthz").status == 200
        assert request(server, "/metrics").status == 200


def test_readyz_gives_the_reason_while_not_ready() -> None:
    sources = (
        SourceStatus("files", None, None, "", 0, ()),
        SourceStatus("bigquery", False, None, "no such table; name one in gcp.billing_export", 0, ()),
    )
    current = snapshot(ready=False, sources=sources)
    with Server(LOOPBACK, lambda: current) as server:
        waiting = request(server, "/readyz")
        current = snapshot(sources=sources)
        ready = request(server, "/readyz")
    assert waiting.status == 503
    not_shown = (
        b"files: awaited, its first read has not ended\n"
        b"bigquery: missing, no such table; name one in gcp.billing_export\n"
    )
    assert waiting.body == b"Not ready: no bill has been read yet.\n" + not_shown
    assert (ready.status, ready.body) == (200, b"ready\n" + not_shown)


def test_a_fault_behind_an_answer_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Snapshot:
        raise LookupError("a fault with details")

    with Server(LOOPBACK, broken) as server:
        answer = request(server, "/metrics")
        assert request(server, "/healthz").status == 200
    assert answer.status == 500
    assert b"details" not in answer.body
    assert "a fault with details" in caplog.text


@pytest.mark.slow
def test_scrapes_see_whole_snapshots_while_a_thread_is_busy_and_snapshots_change() -> None:
    snapshots = [snapshot(float(number), series=400) for number in range(5)]
    current = snapshots[0]
    stopping = threading.Event()

    def swap_and_compute() -> None:
        nonlocal current
        for candidate in itertools.cycle(snapshots):
            current = candidate
            sum(number * number for number in range(5000))
            if stopping.is_set():
                return

    busy = [threading.Thread(target=swap_and_compute) for _ in range(2)]
    seen = set()
    with Server(LOOPBACK, lambda: current) as server:
        for thread in busy:
            thread.start()
        try:
            for number in range(40):
                headers = (OPENMETRICS if number % 2 else {}) | (GZIP if number % 4 > 1 else {})
                answer = request(server, "/metrics", headers)
                if "Content-Encoding" in answer.headers:
                    answer = Answer(answer.status, answer.headers, gzip.decompress(answer.body))
                [value] = values(answer)
                assert answer.body.count(b"cost_usd{") == answer.body.count(b"billed_usd_total{") == 400
                seen.add(value)
        finally:
            stopping.set()
            for thread in busy:
                thread.join()
    assert len(seen) > 1


@pytest.mark.slow
def test_scrapes_beyond_the_cap_get_a_retry_after() -> None:
    current = large_snapshot()
    with Server(LOOPBACK, lambda: current, max_concurrent_scrapes=2) as server:
        readers = [SlowReader(server), SlowReader(server)]
        refused = request(server, "/metrics")
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1"
        assert request(server, "/healthz").status == 200
        for reader in readers:
            announced, actual = reader.read_to_end()
            assert announced == actual > 40_000_000
            reader.close()
        until(lambda: request(server, "/metrics", method="HEAD").status == 200, "room for another scrape")
        assert b'spend_exporter_scrapes_total{code="503"} ' in request(server, "/metrics").body[-300:]


def test_a_reader_that_stops_reading_is_broken_off_and_gives_its_place_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    current = large_snapshot()
    server = Server(LOOPBACK, lambda: current, max_concurrent_scrapes=1, response_timeout_seconds=0.2)
    with server:
        reader = SlowReader(server)
        until(lambda: request(server, "/metrics", method="HEAD").status == 200, "room for another scrape")
        announced, actual = reader.read_to_end()
        assert announced > actual
        reader.close()
    assert "aborted a scrape by 127.0.0.1: it was not read within 0.2 s" in caplog.text


def test_a_reader_that_hangs_up_gives_its_place_back_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    current = large_snapshot()
    with Server(LOOPBACK, lambda: current, max_concurrent_scrapes=1) as server:
        SlowReader(server).close()
        until(lambda: request(server, "/metrics", method="HEAD").status == 200, "room for another scrape")
    assert not reported(caplog)


@pytest.mark.slow
def test_a_stop_lets_a_running_response_finish() -> None:
    current = large_snapshot()
    server = Server(LOOPBACK, lambda: current)
    server.start()
    reader = SlowReader(server)
    stop = threading.Thread(target=server.stop)
    stop.start()
    until(lambda: refuses_connections(server.address), "refused connections")
    assert stop.is_alive()
    announced, actual = reader.read_to_end()
    reader.close()
    assert announced == actual > 40_000_000
    stop.join(DEADLINE_SECONDS)
    assert not stop.is_alive()


def test_a_stop_does_not_wait_for_a_reader_beyond_its_bound() -> None:
    current = large_snapshot()
    server = Server(LOOPBACK, lambda: current, stop_timeout_seconds=0.4)
    server.start()
    reader = SlowReader(server)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 50
    assert refuses_connections(server.address)
    reader.close()


def test_a_stop_closes_idle_connections_at_once() -> None:
    server = Server(LOOPBACK, snapshot, stop_timeout_seconds=60)
    server.start()
    with socket.create_connection(server.address, timeout=DEADLINE_SECONDS) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 50
        assert idle.recv(4096) == b""


def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    server = Server(LOOPBACK, snapshot)
    server.stop()
    server.start()
    address = server.address
    server.stop()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_an_address_in_use_is_reported_with_what_to_do(server: Server) -> None:
    second = Server(server.address, snapshot)
    with pytest.raises(
        OSError, match=r"cannot listen on 127\.0\.0\.1:\d+ \(Address already in use\).*`listen`"
    ):
        second.start()


def test_a_host_that_does_not_exist_is_reported_with_what_to_do() -> None:
    with pytest.raises(OSError, match=r"cannot listen on nowhere\.invalid:0 .*`listen`"):
        Server(("nowhere.invalid", 0), snapshot).start()


def test_the_address_is_known_once_started() -> None:
    server = Server(LOOPBACK, snapshot)
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.address
    with server:
        host, port = server.address
        assert host == "127.0.0.1"
        assert port > 0
        assert server.url == f"http://127.0.0.1:{port}/"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_ipv6_addresses_work() -> None:
    with Server(("::1", 0), snapshot) as server:
        assert server.url.startswith("http://[::1]:")
        assert request(server, "/healthz").status == 200
