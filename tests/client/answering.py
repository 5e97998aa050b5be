"""An HTTP server that gives prepared answers in order, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Prepared:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False


@dataclass
class Answering:
    url: str
    asked: list[tuple[str, dict[str, str]]]


@contextmanager
def answering(*answers: Prepared) -> Iterator[Answering]:
    """The last answer is given again and again."""
    asked: list[tuple[str, dict[str, str]]] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(answers, asked)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Answering(f"http://127.0.0.1:{server.server_address[1]}", asked)
        finally:
            server.shutdown()
            thread.join()


def _handler(answers: Sequence[Prepared], asked: list[tuple[str, dict[str, str]]]) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            prepared = answers[min(len(asked), len(answers) - 1)]
            asked.append((self.path, dict(self.headers)))
            if prepared.hangs_up:
                self.close_connection = True
                return
            self.send_response(prepared.status)
            for name, value in {"Content-Length": str(len(prepared.body)), **prepared.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(prepared.body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
