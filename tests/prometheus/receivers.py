"""Where notifications arrive in tests: a real SMTP server and a real HTTP server, both on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.smtp_server import smtp_server


@dataclass
class Inbox:
    """E-mails in the order in which they came, with whom each was for."""

    port: int = 0
    received: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        message = message_from_bytes(content, policy=policy.default)
        self.received += [(address, message) for address in envelope.rcpt_tos]
        return "250 OK"

    def of(self, name: str) -> list[EmailMessage]:
        return [message for address, message in list(self.received) if address.partition("@")[0] == name]


def part(message: EmailMessage, kind: str) -> str:
    """The text of the `plain` or `html` part, with the line ends of a text file."""
    found = message.get_body((kind,))
    assert found is not None, f"no {kind} part: {message}"
    return str(found.get_content()).replace("\r\n", "\n")


@contextlib.contextmanager
def inbox() -> Iterator[Inbox]:
    arriving = Inbox()
    with smtp_server(lambda: SMTP(arriving)) as arriving.port:
        yield arriving


@dataclass(frozen=True)
class Posted:
    path: str
    authorization: str
    body: dict[str, Any]


@dataclass
class Hooks:
    """What was posted, in the order in which it came."""

    url: str = ""
    received: list[Posted] = field(default_factory=list)

    def of(self, path: str) -> list[Posted]:
        return [posted for posted in list(self.received) if posted.path == path]


@contextlib.contextmanager
def hooks() -> Iterator[Hooks]:
    arriving = Hooks()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            arriving.received.append(Posted(self.path, self.headers.get("Authorization", ""), body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receive) as server:
        arriving.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield arriving
        finally:
            server.shutdown()
            thread.join()
