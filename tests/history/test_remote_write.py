"""The remote-write protocol on the wire, and what each answer of a receiver means."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.history.remote_write import NotDelivered, Receiver, Refused, Sample, encode
from tests.fakes.remote_receiver import Answer, RemoteReceiver, read
from tests.support.certificates import Authority

LABELS = (("__name__", "spend_hourly_usd"), ("provider", "gcp"))
SAMPLE = Sample(LABELS, 1_795_435_199_000, 1.25)
SECRET = "hunter2-hunter2"

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)
SAMPLES = st.lists(
    st.builds(
        Sample,
        st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4).map(tuple),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
    ),
    max_size=20,
)


def write(receiver: Receiver, *samples: Sample) -> None:
    with receiver.session() as session:
        receiver.write(session, samples or [SAMPLE])


@given(samples=SAMPLES)
def test_what_is_encoded_is_what_the_protobuf_library_reads(samples: list[Sample]) -> None:
    assert read(encode(samples)) == [tuple(each) for each in samples]


def test_samples_of_a_series_carry_its_labels_once() -> None:
    many = [SAMPLE._replace(timestamp_ms=SAMPLE.timestamp_ms + 3_600_000 * hour) for hour in range(1000)]
    assert len(encode(many)) < 1000 * 20


def test_a_request_has_the_headers_of_the_protocol_and_of_the_configuration() -> None:
    with RemoteReceiver() as server:
        write(Receiver(server.url, {"X-Scope-OrgID": "team-1"}))
        [headers] = server.headers
        assert server.stored == {(LABELS, SAMPLE.timestamp_ms): SAMPLE.value}
    assert headers["Content-Encoding"] == "snappy"
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert headers["User-Agent"].startswith("spend-exporter/")
    assert headers["X-Scope-OrgID"] == "team-1"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("credentials", "header"),
    [(("spend", SECRET), "Basic c3BlbmQ6aHVudGVyMi1odW50ZXIy"), ((SECRET,), f"Bearer {SECRET}")],
)
def test_credentials_are_sent_and_never_shown(credentials: tuple[str, ...], header: str) -> None:
    with RemoteReceiver(lambda _: Answer(400, f"bad {SECRET} in {header}".encode())) as server:
        receiver = Receiver(server.url, authorization=lambda: credentials)
        with pytest.raises(Refused) as caught:
            write(receiver)
        assert server.headers[0]["Authorization"] == header
    assert SECRET not in str(caught.value) + repr(receiver)
    assert "bad ***" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "words", "too_old"),
    [
        (400, "out of bounds", True),
        (500, "too old sample", True),
        (400, "err-mimir-sample-timestamp-too-old", True),
        (409, "store locally for endpoint: add 1 samples: out of bounds", True),
        (400, "out of order sample", False),
        (500, "out of order sample", False),
        (400, "duplicate sample for timestamp", False),
        (413, "", False),
        (422, "label name too long", False),
    ],
)
def test_an_answer_about_the_samples_refuses_them(status: int, words: str, too_old: bool) -> None:
    with (
        RemoteReceiver(lambda _: Answer(status, words.encode())) as server,
        pytest.raises(Refused) as caught,
    ):
        write(Receiver(server.url))
    assert caught.value.too_old == too_old
    assert f"HTTP {status}" in str(caught.value)
    assert words in str(caught.value)
    assert ("out_of_order_time_window" in str(caught.value)) == (too_old or "sample" in words)


@pytest.mark.parametrize(
    ("status", "reason", "transient"),
    [
        (429, "rate_limited", True),
        (500, "unavailable", True),
        (503, "unavailable", True),
        (401, "unauthorized", False),
        (403, "unauthorized", False),
        (404, "configuration", False),
        (405, "configuration", False),
        (302, "configuration", False),
    ],
)
def test_an_answer_about_the_request_loses_nothing(status: int, reason: str, transient: bool) -> None:
    headers = {"Retry-After": "7", "Location": "http://127.0.0.1:1/"}
    with (
        RemoteReceiver(lambda _: Answer(status, b"<html>", headers)) as server,
        pytest.raises(NotDelivered) as caught,
    ):
        write(Receiver(server.url))
    assert (caught.value.reason, caught.value.transient) == (reason, transient)
    assert caught.value.wait_seconds == (7 if transient else 0)
    assert "a web page" in str(caught.value)


def test_a_receiver_that_does_not_answer_in_time_or_hangs_up_may_be_there_later() -> None:
    never = threading.Event()
    with RemoteReceiver(lambda _: Answer(waits_for=never)) as server:
        with pytest.raises(NotDelivered) as late:
            write(Receiver(server.url, timeout_seconds=0.1))
        never.set()
        server.answer = lambda _: Answer(hangs_up=True)
        with pytest.raises(NotDelivered) as gone:
            write(Receiver(server.url))
        address = server.url
    with pytest.raises(NotDelivered) as down:
        write(Receiver(address))
    assert [each.value.reason for each in (late, gone, down)] == ["timeout", "unavailable", "unavailable"]
    assert late.value.transient
    assert gone.value.transient
    assert down.value.transient
    assert "Connection refused" in str(down.value)


def test_a_certificate_is_verified_by_name_and_the_exporter_presents_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server_pair = authority.sign("mimir", ["mimir.example.com"])
    client_pair = authority.sign("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_pair.cert, server_pair.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"https://127.0.0.1:{server.server_address[1]}/write"
    ca, own = str(authority.certificate), (str(client_pair.cert), str(client_pair.key))
    try:
        write(Receiver(url, ca_file=ca, certificate=own, server_name="mimir.example.com"))
        for receiver in (
            Receiver(url, ca_file=ca, certificate=own),
            Receiver(url, ca_file=ca, certificate=own, server_name="thanos.example.com"),
            Receiver(url, certificate=own, server_name="mimir.example.com"),
        ):
            with pytest.raises(NotDelivered) as caught:
                write(receiver)
            assert caught.value.reason == "tls"
        with pytest.raises(NotDelivered):
            write(Receiver(url, ca_file=ca, server_name="mimir.example.com"))
        with pytest.raises(NotDelivered) as caught:
            write(Receiver(url, ca_file=str(tmp_path / "none.pem")))
        assert caught.value.reason == "configuration"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
