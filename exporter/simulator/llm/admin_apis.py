"""The admin APIs of OpenAI and Anthropic in the demo world: one HTTP server on this machine.

It checks keys, pages and refuses like them, is late where they are late, and can simulate failures.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from exporter.simulator.llm.anthropic import AnthropicReports
from exporter.simulator.llm.arrival import LlmArrival
from exporter.simulator.llm.openai import ENDPOINTS, OpenAiReports, spend_limit
from exporter.simulator.llm.reports import BadRequestError, Params
from exporter.simulator.llm.usage import LlmUsage

OPENAI_ADMIN_KEY: Final = "sk-admin-northwind-demo"
ANTHROPIC_ADMIN_KEY: Final = "sk-ant-admin01-northwind-demo"
"""Keys of the invented company; they open nothing but this server."""

_OPENAI: Final = "/v1/organization/"
_ANTHROPIC: Final = "/v1/organizations/"
_IDLE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class LlmTemper:
    """Simulated failures of the server; none by default."""

    answer_with: Callable[[str, int], Answer | None] = lambda _path, _number: None
    """Called before every answer, with the path and the number of the request (1 is the first)."""
    amounts_as_text: bool = False
    """OpenAI's costs are strings instead of JSON numbers."""


class _RefusedError(Exception):
    """An answer that is an error, in the words of the API."""

    def __init__(self, status: int, kind: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code


class LlmAdminApis:
    """The services, apart from the sockets."""

    def __init__(
        self,
        usage: LlmUsage,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: LlmTemper | None = None,
        *,
        openai_key: str = OPENAI_ADMIN_KEY,
        anthropic_key: str = ANTHROPIC_ADMIN_KEY,
    ) -> None:
        self._clock = clock
        self._temper = faults or LlmTemper()
        self._keys = (openai_key, anthropic_key)
        arrival = LlmArrival(usage)
        openai = OpenAiReports(arrival, amounts_as_text=self._temper.amounts_as_text)
        anthropic = AnthropicReports(arrival)
        self._routes: dict[str, Callable[[Params, int], dict[str, Any]]] = {
            f"{_OPENAI}costs": openai.costs,
            f"{_OPENAI}spend_limit": lambda _params, _now: spend_limit(),
            f"{_ANTHROPIC}cost_report": anthropic.costs,
            f"{_ANTHROPIC}usage_report/messages": anthropic.usage,
            **{f"{_OPENAI}usage/{name}": _usage_of(openai, name) for name in ENDPOINTS},
        }
        self.requests = 0
        """How many were answered."""

    def answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Answer a GET of a path with its query; header names are in lower case."""
        self.requests += 1
        parts = urlsplit(target)
        failure = self._temper.answer_with(parts.path, self.requests)
        if failure is not None:
            return failure
        in_openai_words = not parts.path.startswith(_ANTHROPIC)
        try:
            route = self._route(parts.path, headers)
            params = parse_qs(parts.query, keep_blank_values=True)
            return _json(200, route(params, int(self._clock().timestamp())))
        except BadRequestError as error:
            refused = _RefusedError(400, "invalid_request_error", str(error))
            return _error(refused, error.param, in_openai_words=in_openai_words)
        except _RefusedError as error:
            return _error(error, None, in_openai_words=in_openai_words)

    def _route(self, path: str, headers: Mapping[str, str]) -> Callable[[Params, int], dict[str, Any]]:
        if path.startswith(_ANTHROPIC):
            _check_anthropic(headers, self._keys[1])
            missing = "not_found_error"
        else:
            _check_openai(headers, self._keys[0])
            missing = "invalid_request_error"
        if path not in self._routes:
            raise _RefusedError(HTTPStatus.NOT_FOUND, missing, f"Invalid URL (GET {path})")
        return self._routes[path]


@contextmanager
def serving_llm(apis: LlmAdminApis, port: int = 0) -> Iterator[str]:
    """Serve on the loopback interface and give the address, http://host:port, until the block ends."""
    server = _Server(apis, port)
    thread = Thread(target=server.serve_forever, args=(0.05,), name="demo-llm-apis")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, apis: LlmAdminApis, port: int) -> None:
        self.apis = apis
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that is gone; any other error is a fault of this server."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that their threads end."""
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.apis.answer(
            self.path, {name.lower(): value for name, value in self.headers.items()}
        )
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: requests are counted, and their lines would drown the exporter's own."""


def _usage_of(openai: OpenAiReports, endpoint: str) -> Callable[[Params, int], dict[str, Any]]:
    return lambda params, now: openai.usage(endpoint, params, now)


def _check_openai(headers: Mapping[str, str], admin_key: str) -> None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        message = "Missing bearer or basic authentication in header"
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, "invalid_request_error", message)
    if key.startswith(("sk-proj-", "sk-svcacct-")):
        message = "You have insufficient permissions for this operation. Missing scopes: api.usage.read."
        raise _RefusedError(HTTPStatus.FORBIDDEN, "invalid_request_error", message, "missing_scope")
    if key != admin_key:
        message = "Incorrect API key provided."
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, "invalid_request_error", message, "invalid_api_key")


def _check_anthropic(headers: Mapping[str, str], admin_key: str) -> None:
    key = headers.get("x-api-key", "")
    if key != admin_key:
        message = "invalid x-api-key" if key else "x-api-key header is required"
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, "authentication_error", message)
    if "anthropic-version" not in headers:
        message = "anthropic-version: header is required"
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "invalid_request_error", message)


def _error(refused: _RefusedError, param: str | None, *, in_openai_words: bool) -> Answer:
    body: dict[str, Any] = {"type": refused.kind, "message": str(refused)}
    if in_openai_words:
        return _json(refused.status, {"error": {**body, "param": param, "code": refused.code}})
    return _json(refused.status, {"type": "error", "error": body, "request_id": "req_011CNorthwindDemo"})


def _json(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
