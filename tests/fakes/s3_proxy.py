"""A proxy in front of a real S3 server: counts requests by kind, and misbehaves as stores and networks do."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

_HOP_BY_HOP: Final = ("connection", "transfer-encoding", "keep-alive", "date", "server")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in place of the server's."""

    status: int
    code: str
    """Empty for an answer without XML, as proxies give."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Truncated:
    """The server's answer without its end."""

    bytes_left: int
    honest: bool = False
    """Whether the header says how much there is, as after a proxy that rewrites it."""


Trouble = Refusal | Truncated | None


@dataclass(slots=True)
class S3Proxy:
    """What went through, and what to do to it."""

    upstream: tuple[str, int]
    counts: Counter[str] = field(default_factory=Counter)
    """Requests by kind: `list`, `get`, `head`."""
    trouble: Callable[[str, str], Trouble] = lambda _kind, _key: None
    """Decides for each request, by its kind and key."""
    after: Callable[[str, str], None] = lambda _kind, _key: None
    """Called when the server has answered and before the client sees it."""
    url: str = ""

    def calm(self) -> None:
        self.trouble = lambda _kind, _key: None
        self.after = lambda _kind, _key: None
        self.counts.clear()


@contextmanager
def s3_proxy(upstream: tuple[str, int]) -> Iterator[S3Proxy]:
    proxy = S3Proxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            listing = "list-type" in parse_qs(parts.query)
            kind = "list" if listing else {"GET": "get", "HEAD": "head"}[self.command]
            proxy.counts[kind] += 1
            trouble = proxy.trouble(kind, parts.path)
            if isinstance(trouble, Refusal):
                self._refuse(trouble)
                return
            connection = http.client.HTTPConnection(*proxy.upstream, timeout=30)
            try:
                connection.request(self.command, self.path, headers=dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
            proxy.after(kind, parts.path)
            length = str(len(body)) if self.command == "GET" else answer.getheader("content-length", "0")
            if isinstance(trouble, Truncated):
                body = body[: trouble.bytes_left]
                length = str(len(body)) if trouble.honest else length
                self.close_connection = True
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (*_HOP_BY_HOP, "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def _refuse(self, refusal: Refusal) -> None:
            body = f"<Error><Code>{refusal.code}</Code><Message>no</Message></Error>".encode()
            body = body if refusal.code else b"Too many requests"
            self.send_response_only(refusal.status)
            for name, value in refusal.headers:
                self.send_header(name, value)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
