"""Serves an API of the demo world that answers GETs with JSON, on the loopback interface."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

_IDLE_SECONDS: Final = 30.0


class JsonApi(Protocol):
    """An API, apart from the sockets."""

    content_type: str
    """Of each answer."""

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Answer a GET: HTTP status and JSON body."""
        ...


@contextmanager
def serving_json(api: JsonApi, port: int = 0) -> Iterator[str]:
    """Serve and give the address, http://host:port, until the block ends."""
    server = _Server(api, port)
    thread = Thread(target=server.serve_forever, args=(0.05,), name=f"demo-{type(api).__name__}")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: JsonApi, port: int) -> None:
        self.api = api
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    # One request a connection, so that no thread is left waiting for a next one.
    protocol_version = "HTTP/1.0"
    timeout = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        status, found = self.server.api.answer(parts.path, parse_qs(parts.query))
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", self.server.api.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the lines would drown the exporter's own."""
