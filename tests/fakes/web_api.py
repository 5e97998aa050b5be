"""A JSON API of our own on a loopback socket: whoever starts it says what it answers, and its bad days."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: object = field(default_factory=dict)
    """Sent as JSON, unless it is bytes."""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_off: bool = False
    """Announce more than is sent, and close."""


@dataclass(frozen=True)
class Asked:
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]

    def one(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[-1]


@dataclass
class Fault:
    """Answered instead, `times` times, where the path contains `path`; `after` requests pass first."""

    path: str
    reply: Reply
    times: int = 1
    after: int = 0


@dataclass
class WebApi:
    """The server; use as a context manager. Everything it was asked is in `requests`."""

    answer: Callable[[Asked], Reply]
    faults: list[Fault] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)

    def __enter__(self) -> WebApi:
        self._lock = threading.Lock()
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
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def use_tls(self, context: ssl.SSLContext) -> None:
        """From now on, speak TLS."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def asked(self, path: str) -> list[Asked]:
        return [each for each in self.requests if path in each.path]

    def handle(self, asked: Asked) -> Reply:
        with self._lock:
            self.requests.append(asked)
            for fault in self.faults:
                if fault.path in asked.path and fault.times > 0:
                    if fault.after > 0:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault.reply
            return self.answer(asked)


def _handler(api: WebApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else the body waits for the acknowledgement of the headers.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = Asked(url.path, parse_qs(url.query), dict(self.headers.items()))
            reply = api.handle(asked)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", **reply.headers}
            headers["Content-Length"] = str(len(body) + (10 if reply.breaks_off else 0))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            # A client that has seen enough may be gone.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)
            if reply.breaks_off:
                self.close_connection = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler
