"""Requests as they come in: who sent them, the headers of every answer, and malformed ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import ERROR as MALFORMED

from exporter.web.door import Door
from exporter.web.front.front import Peer
from exporter.web.limits import refused_body


def is_our_fault(record: logging.LogRecord) -> bool:
    """Keep tracebacks of malformed requests out of the log, with what they quote; the door logs a line."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


def note_request(door: Door, message: Any, protocol: web.RequestHandler, remote: str | None) -> None:
    """Let the door know that a request has begun, and log a malformed one in a line."""
    door.request_begins(protocol)
    if message is MALFORMED:
        door.seldom("%s sent what is not an HTTP request; answered with 400", remote or "someone")


async def answered(
    request: web.BaseRequest, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], door: Door
) -> web.StreamResponse:
    """Answer a request, or refuse its body, and let the door know that the request has ended."""
    try:
        return refused_body(request) or await answer(request)
    finally:
        door.request_ends(request.protocol)


def request_factory(
    headers: Mapping[str, str],
    peer_of: Callable[[web.BaseRequest], Peer | None],
    note: Callable[[Any, Any, str | None], None],
) -> Callable[..., web.BaseRequest]:
    """Return a request factory that puts `headers` in all responses, also aiohttp's to malformed requests.

    Requests that the front has passed on have the address of their client. `note` is called for each request
    with its message, its protocol and that address.
    """

    class Request(web.BaseRequest):
        async def _prepare_hook(self, response: web.StreamResponse) -> None:
            response.headers.update(headers)

    def make(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        request: web.BaseRequest = Request(
            message, payload, protocol, writer, task, asyncio.get_running_loop()
        )
        peer = peer_of(request)
        if peer is not None:
            request = request.clone(remote=peer.remote)
        note(message, protocol, request.remote)
        return request

    return make
