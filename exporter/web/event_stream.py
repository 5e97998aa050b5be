"""Server-sent events: one at once, then one per interval, until the reader leaves or the server stops.

At most one event waits for each reader; a reader that does not take it in time is disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

log = logging.getLogger(__name__)

_HEADERS = {
    "Content-Type": "text/event-stream",
    # Without it nginx keeps events until its buffer is full.
    "X-Accel-Buffering": "no",
}


class EventStream:
    """Sends the same kind of event to every reader. For use from one event loop."""

    def __init__(
        self,
        name: str,
        data: Callable[[], bytes],
        *,
        interval_seconds: float,
        max_readers: int,
        write_timeout_seconds: float,
    ) -> None:
        """`data` is called for each event; it returns one line of text, and must return at once."""
        self._name = name.encode()
        self._data = data
        self._interval_seconds = interval_seconds
        self._max_readers = max_readers
        self._write_timeout_seconds = write_timeout_seconds
        self._readers = 0
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let every stream end after the event that it is sending."""
        self._ending.set()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send events to one reader until it leaves or `end` is called; 503 beyond the most readers."""
        if request.method == "HEAD":
            return web.Response(headers=_HEADERS)
        if self._readers >= self._max_readers:
            text = f"{self._max_readers} streams are open already.\n"
            return web.Response(status=503, text=text, headers={"Retry-After": "10"})
        self._readers += 1
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await self._send(request, response)
        except TimeoutError:
            log.warning(
                "closed a stream to %s: an event was not read within %g s",
                request.remote,
                self._write_timeout_seconds,
            )
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError as error:
            log.debug("%s left a stream: %s", request.remote, error)
        finally:
            self._readers -= 1
        return response

    async def _send(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        clock = asyncio.get_running_loop().time
        event = self._event()
        if request.transport is not None:
            # An event counts as sent when the operating system has it, not while it is buffered here.
            request.transport.set_write_buffer_limits(high=1, low=0)
        due = clock()
        while True:
            async with asyncio.timeout(self._write_timeout_seconds):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(event)
                await request.writer.drain()
            due = max(due + self._interval_seconds, clock())
            if await self._ends_before(due):
                break
            event = self._event()
        async with asyncio.timeout(self._write_timeout_seconds):
            await response.write_eof()
            await request.writer.drain()

    def _event(self) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (self._name, self._data())

    async def _ends_before(self, due: float) -> bool:
        try:
            async with asyncio.timeout_at(due):
                await self._ending.wait()
        except TimeoutError:
            return False
        return True
