"""Reports posted to Slack and to webhooks, over real sockets: what arrives, and how refusals are told."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exporter.questions.report_answer import Report
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.delivery.web import SlackHook, WebHook
from tests.support.certificates import Authority
from tests.support.question_world import many_charges
from tests.support.report_world import made


@dataclass
class Hook:
    url: str = ""
    status: int = 200
    received: list[tuple[dict[str, str], Any]] = field(default_factory=list)


@contextmanager
def hook(tls: ssl.SSLContext | None = None) -> Iterator[Hook]:
    found = Hook()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.received.append((dict(self.headers.items()), body))
            self.send_response(found.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receive) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/hooks/T0/s3cr3t"
        if tls is not None:
            found.url = f"https://localhost:{server.server_port}/hooks/T0/s3cr3t"
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("ledger"), many_charges(3), month="2026-10")


@pytest.mark.slow
def test_slack_gets_a_short_text(report: Report) -> None:
    with hook() as receiver:
        SlackHook(lambda: receiver.url).send("monthly", report)
    [(_, body)] = receiver.received
    assert body["text"].startswith("*Spending in October 2026: $")
    assert "Budget shops: $" in body["text"]


@pytest.mark.slow
def test_a_webhook_gets_the_figures_and_the_same_id_each_time(report: Report) -> None:
    with hook() as receiver:
        for _ in range(2):
            WebHook(receiver.url, lambda: "t0ken").send("monthly", report)
    (headers, body), (_, again) = receiver.received
    assert body == again
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Idempotency-Key"] == body["id"]
    assert (body["report"], body["period"]) == ("monthly", "2026-10")
    assert Report.model_validate(body["figures"]) == report


@pytest.mark.parametrize(
    ("status", "transient"), [(500, True), (429, True), (403, False), (404, False), (302, False)]
)
def test_a_refusal_is_told_without_the_secret(report: Report, status: int, transient: bool) -> None:
    with hook() as receiver:
        receiver.status = status
        with pytest.raises(DeliveryError) as caught:
            SlackHook(lambda: receiver.url).send("monthly", report)
    assert len(receiver.received) == 1
    assert f"Slack's webhook refused the report (status {status}); check slack.url_file" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.transient is transient


@pytest.mark.parametrize(("url", "transient"), [("http://127.0.0.1:9/s3cr3t", True), ("s3cr3t", False)])
def test_an_address_where_nobody_is_is_not_shown(report: Report, url: str, transient: bool) -> None:
    with pytest.raises(DeliveryError) as caught:
        SlackHook(lambda: url).send("monthly", report)
    assert "Slack's webhook cannot be reached" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.transient is transient


def test_check_connects_and_posts_nothing() -> None:
    with hook() as receiver:
        said = WebHook(receiver.url, lambda: "t0ken").check()
        assert said.startswith(f"the webhook {receiver.url} answers, without TLS; whether it takes a report")
        assert "s3cr3t" not in SlackHook(lambda: receiver.url).check()
    assert receiver.received == []


def test_check_verifies_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("localhost", ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with hook(context) as receiver:
        assert "answers, TLS; " in WebHook(receiver.url, None, authority.certificate).check()
        with pytest.raises(DeliveryError, match=r"no certificate that is trusted .* set its ca_file"):
            WebHook(receiver.url).check()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:9/s3cr3t", "the server of Slack's webhook takes no connection"),
        ("https://hooks.invalid/s3cr3t", "the name of the server of Slack's webhook is not known"),
        ("s3cr3t", "Slack's webhook is no web address"),
    ],
)
def test_check_says_what_is_wrong_without_the_secret(url: str, told: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        SlackHook(lambda: url).check()
    assert told in str(caught.value)
    assert "check slack.url_file" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
