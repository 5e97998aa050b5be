import gzip
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bcrypt
import pytest

from exporter.web.front.front import AVAILABLE, Front
from exporter.web.server import Server
from exporter.web.web_config import WebConfig, load_web_config
from tests.support.certificates import Authority
from tests.support.exposed import DEADLINE_SECONDS, until
from tests.support.places import REPOSITORY
from tests.support.served import refuses_connections, request, snapshot

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not AVAILABLE, reason="the front is for Linux")]

LOOPBACK = ("127.0.0.1", 0)
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(LOOPBACK, snapshot, version="1.2.3", front=True) as running:
        yield running


@pytest.fixture(scope="module")
def alone() -> Iterator[Server]:
    with Server(LOOPBACK, snapshot, version="1.2.3") as running:
        yield running


def names(body: bytes) -> list[bytes]:
    return [line.split()[0] for line in body.splitlines()]


@pytest.mark.parametrize("accept", [{}, OPENMETRICS])
@pytest.mark.parametrize("encoding", [{}, GZIP])
def test_a_scrape_is_the_same_as_without_a_front(
    server: Server, alone: Server, accept: dict[str, str], encoding: dict[str, str]
) -> None:
    ours, theirs = (request(each, "/metrics?x=1", accept | encoding) for each in (server, alone))
    assert ours.status == theirs.status == 200
    assert int(ours.headers["Content-Length"]) == len(ours.body)
    varying = ("Content-Length", "Date")
    assert {k: v for k, v in ours.headers.items() if k not in varying} == {
        k: v for k, v in theirs.headers.items() if k not in varying
    }
    plain = [gzip.decompress(each.body) if encoding else each.body for each in (ours, theirs)]
    assert names(plain[0]) == names(plain[1])
    assert (plain[0].endswith(b"# EOF\n")) == bool(accept)


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/api/v1/summary/schema", "/metrics/x", "/nowhere"]
)
def test_everything_else_is_answered_as_without_a_front(server: Server, alone: Server, path: str) -> None:
    ours, theirs = (request(each, path) for each in (server, alone))
    assert (ours.status, len(ours.body)) == (theirs.status, len(theirs.body))
    assert ours.headers.keys() == theirs.headers.keys()


@pytest.mark.parametrize(
    "head",
    [
        b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9_000 + b"\r\n\r\n",
    ],
)
def test_an_unusual_request_gets_the_answer_of_the_server_behind(
    server: Server, alone: Server, head: bytes
) -> None:
    def first_line(of: Server) -> bytes:
        with socket.create_connection(of.address, timeout=DEADLINE_SECONDS) as client:
            client.sendall(head)
            return client.recv(4096).split(b"\r\n")[0]

    assert first_line(server) == first_line(alone)


def test_a_scrape_after_show_has_the_new_snapshot_and_counts_the_earlier_ones() -> None:
    with Server(LOOPBACK, snapshot, front=True) as server:
        for value in range(2, 6):
            server.show(snapshot(float(value)))
            body = request(server, "/metrics").body
            assert b'cost_usd{sku="00000000"} %d\n' % value in body
            assert b'spend_exporter_scrapes_total{code="200"} %d\n' % (value - 2) in body


def test_a_scrape_is_answered_while_the_server_behind_cannot_run() -> None:
    with Server(LOOPBACK, snapshot, front=True) as server:
        assert request(server, "/metrics").status == 200
        release = threading.Event()
        loop = server._loop
        assert loop is not None
        loop.call_soon_threadsafe(release.wait, DEADLINE_SECONDS)
        try:
            assert request(server, "/metrics", GZIP).status == 200
        finally:
            release.set()


def test_users_are_asked_for_by_both() -> None:
    users = WebConfig(password_hashes={"ada": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()})
    with Server(LOOPBACK, snapshot, users, front=True) as server:
        for path in ("/metrics", "/healthz"):
            assert request(server, path).status == 401
            assert request(server, path, {"Authorization": "Basic YWRhOndyb25n"}).status == 401
            assert request(server, path, {"Authorization": "Basic YWRhOnNlY3JldA=="}).status == 200


@pytest.mark.parametrize(("name", "status"), [("prometheus.example.com", 200), ("other.example.com", 403)])
def test_tls_and_names_of_clients_hold_for_both(tmp_path: Path, name: str, status: int) -> None:
    authority = Authority(tmp_path)
    authority.sign("server", ["127.0.0.1"])
    pair = authority.sign("client", [name])
    settings = (
        "cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, "
        "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prometheus.example.com]"
    )
    path = tmp_path / "web.yml"
    path.write_text(f"tls_server_config: {{{settings}}}", encoding="utf-8")
    context = ssl.create_default_context(cafile=authority.certificate)
    context.load_cert_chain(pair.cert, pair.key)
    current = snapshot(series=20_000)
    with Server(LOOPBACK, lambda: current, load_web_config(path), front=True) as server:
        for asked in ("/metrics", "/healthz"):
            assert request(server, asked, context=context).status == status
        with pytest.raises((ssl.SSLError, ConnectionError)):
            request(server, "/metrics", context=ssl.create_default_context(cafile=authority.certificate))


def test_the_end_of_the_front_is_told() -> None:
    ended = threading.Event()
    with Server(LOOPBACK, snapshot, front=True, when_front_ends=ended.set) as server:
        assert request(server, "/metrics").status == 200
        assert server.front_process_id is not None
        os.kill(server.front_process_id, signal.SIGKILL)
        assert ended.wait(DEADLINE_SECONDS)


def test_a_signal_for_the_exporter_does_not_end_the_front() -> None:
    with Server(LOOPBACK, snapshot, front=True) as server:
        assert request(server, "/metrics").status == 200
        assert server.front_process_id is not None
        os.kill(server.front_process_id, signal.SIGTERM)
        assert request(server, "/metrics").status == 200


def test_scrapes_beyond_the_cap_get_a_retry_after() -> None:
    with Server(LOOPBACK, snapshot, front=True, max_concurrent_scrapes=0) as server:
        refused = request(server, "/metrics")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")


def test_a_stop_closes_idle_connections_and_the_address() -> None:
    with Server(LOOPBACK, snapshot, front=True) as server:
        client = socket.create_connection(server.address, timeout=DEADLINE_SECONDS)
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(64).startswith(b"HTTP/1.1 200 ")
        address = server.address
    with closing(client), pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize(("path", "status"), [("/metrics", 200), ("/healthz", 503)])
def test_who_connected_before_the_stop_is_still_answered(path: str, status: int) -> None:
    stop = threading.Event()
    addresses: list[tuple[str, int]] = []

    def serve() -> None:
        with Server(LOOPBACK, snapshot, front=True, stop_timeout_seconds=10 * DEADLINE_SECONDS) as server:
            addresses.append(server.address)
            stop.wait()

    serving = threading.Thread(target=serve)
    serving.start()
    until(lambda: addresses, "the address")
    with closing(http.client.HTTPConnection(*addresses[0], timeout=DEADLINE_SECONDS)) as early:
        early.connect()
        with closing(http.client.HTTPConnection(*addresses[0], timeout=DEADLINE_SECONDS)) as later:
            # Connections are accepted in turn: when this one has its answer, the early one has been accepted.
            later.request("GET", "/metrics")
            assert later.getresponse().status == 200
        stop.set()
        until(lambda: refuses_connections(addresses[0]), "the end of listening")
        early.request("GET", path)
        assert early.getresponse().status == status
    serving.join(DEADLINE_SECONDS)
    assert not serving.is_alive()


def test_a_last_message_of_the_front_is_taken_before_its_channel_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = Server(LOOPBACK, snapshot, version="1.2.3", front=True)
    real_end, steps = Front.end, {name: threading.Event() for name in ("held", "ended", "queued", "returned")}

    def hold(begun: str, until_set: str) -> None:
        steps[begun].set()
        assert steps[until_set].wait(DEADLINE_SECONDS)

    def end(front: Front, timeout_seconds: float) -> int | None:
        """The server's loop finds the end of the process and, before that is taken, waits for this."""
        loop = running._loop
        assert loop is not None
        loop.call_soon_threadsafe(hold, "held", "ended")
        assert steps["held"].wait(DEADLINE_SECONDS)
        assert front._process is not None
        front._process.wait(DEADLINE_SECONDS)
        loop.call_soon_threadsafe(hold, "queued", "returned")
        steps["ended"].set()
        assert steps["queued"].wait(DEADLINE_SECONDS)
        code = real_end(front, timeout_seconds)
        steps["returned"].set()
        return code

    monkeypatch.setattr(Front, "end", end)
    with running:
        assert request(running, "/metrics").status == 200
    assert steps["returned"].is_set()
    assert [record for record in caplog.records if record.exc_info] == []


def test_the_front_ends_when_the_exporter_is_killed(tmp_path: Path) -> None:
    program = """
from exporter.web.server import Server
from tests.support.served import snapshot
with Server(("127.0.0.1", 0), snapshot, front=True) as server:
    print(server.front_process_id, *server.address, flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as exporter:
        assert exporter.stdout is not None
        front, host, port = exporter.stdout.readline().decode().split()
        with closing(http.client.HTTPConnection(host, int(port), timeout=DEADLINE_SECONDS)) as client:
            client.request("GET", "/metrics")
            assert client.getresponse().status == 200
        exporter.kill()
    until(lambda: not Path(f"/proc/{front}").exists(), "the end of the front")
