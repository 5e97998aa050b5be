"""Accepts connections, as many as the limits allow, and ends those that keep a place without a request.

Each connection is handed to the HTTP server's own protocol; what is counted needs nothing from inside it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import cast

from exporter.web.limits import ConnectionLimits, SeldomLog

log = logging.getLogger(__name__)

_END_OF_HEAD = b"\r\n\r\n"
_PAUSE_SECONDS = 0.1
"""After the system had no place for another connection."""
_MOST_REFUSALS = 64
"""Refused clients that get an answer at a time; more are just disconnected."""


class Door:
    """The connections of one server. For use from one event loop."""

    def __init__(
        self,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        ssl_context: ssl.SSLContext | None,
        limits: ConnectionLimits,
        headers: Mapping[str, str],
    ) -> None:
        """`headers` are for refusals."""
        self._make_protocol = make_protocol
        self._ssl_context = ssl_context
        self.limits = limits
        self._loop = asyncio.get_running_loop()
        self._open: dict[asyncio.Protocol, Connection] = {}
        """By the protocol of the HTTP server."""
        self._listening: socket.socket | None = None
        self._arriving: dict[asyncio.Task[None], socket.socket] = {}
        """Handshakes, the oldest first."""
        self.refusals: set[Refusal] = set()
        self.seldom = SeldomLog(log.warning, self._loop.time)
        text = f"{limits.connections} connections are open already.\n".encode()
        head = {
            **headers,
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(text)),
            "Retry-After": "5",
            "Connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self.refusal = f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode() + text

    def open(self, listening: socket.socket) -> None:
        """Accept connections until `stop`."""
        listening.setblocking(False)
        self._listening = listening
        self._loop.add_reader(listening, self._take)

    def stop(self) -> None:
        """Accept no more."""
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _take(self) -> None:
        """Accept one connection; asked again at once where there are more."""
        if self._listening is None:
            return
        try:
            accepted, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError as error:
            self.seldom("a connection cannot be accepted (%s); raise the limit of open files", error)
            self._loop.remove_reader(self._listening)
            self.close_idle(1)
            self._loop.call_later(_PAUSE_SECONDS, self._take_again)
            return
        self.admit(accepted)

    def admit(self, accepted: socket.socket) -> None:
        """Take over a connection that was accepted, here or by another process."""
        accepted.setblocking(False)
        if len(self._arriving) >= self.limits.handshakes:
            next(iter(self._arriving)).cancel()
        task = self._loop.create_task(self._admit(accepted))
        self._arriving[task] = accepted
        task.add_done_callback(self._arrived)

    def _take_again(self) -> None:
        if self._listening is not None:
            self._loop.add_reader(self._listening, self._take)

    def close_idle(self, most: int | None = None) -> int:
        """Close connections without a running request, the longest idle first; return how many."""
        return self._drop([each for each in self._open.values() if each.idle], most)

    def _drop(self, found: list[Connection], most: int | None = None) -> int:
        chosen = sorted(found, key=lambda each: each.idle_since)[:most]
        for each in chosen:
            each.drop()
        return len(chosen)

    async def close(self) -> None:
        """End everything that is not a running request."""
        for task in [*self._arriving]:
            task.cancel()
        for refusal in [*self.refusals]:
            refusal.drop()
        self.close_idle()
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def request_begins(self, protocol: asyncio.Protocol) -> None:
        """Note that the server has the whole header of a request."""
        if connection := self._open.get(protocol):
            connection.request_begins()

    def request_ends(self, protocol: asyncio.Protocol) -> None:
        """Note that the server has answered it."""
        if connection := self._open.get(protocol):
            connection.request_ends()

    def enter(self, protocol: asyncio.Protocol, connection: Connection) -> bool:
        """Count a connection, if there is a place or one can be made."""
        if len(self._open) >= self.limits.connections and not (self.close_idle(1) or self._close_unread()):
            self.seldom("all %d connections are busy; further ones get 503", self.limits.connections)
            return False
        self._open[protocol] = connection
        return True

    def _close_unread(self) -> int:
        """Close the connection whose client has left an answer unread for longest; return how many."""
        return self._drop([each for each in self._open.values() if each.answered], 1)

    def leave(self, protocol: asyncio.Protocol) -> None:
        """Count it no more."""
        self._open.pop(protocol, None)

    def may_refuse(self) -> bool:
        """Return whether a refused client can still get an answer."""
        return len(self.refusals) < _MOST_REFUSALS

    async def _admit(self, accepted: socket.socket) -> None:
        tls = self._ssl_context
        await self._loop.connect_accepted_socket(
            lambda: Connection(self, self._make_protocol()),
            accepted,
            ssl=tls,
            ssl_handshake_timeout=self.limits.handshake_seconds if tls else None,
            ssl_shutdown_timeout=self.limits.goodbye_seconds if tls else None,
        )

    def _arrived(self, task: asyncio.Task[None]) -> None:
        accepted = self._arriving.pop(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            accepted.close()
        if isinstance(error, OSError):
            log.debug("a connection was not made: %s", type(error).__name__)
        elif error is not None:
            log.error("a connection failed", exc_info=error)


class Connection(asyncio.Protocol):
    """One connection, in front of the HTTP server's own protocol."""

    def __init__(self, door: Door, inner: asyncio.Protocol) -> None:
        self._door = door
        self._inner = inner
        self._receiver = inner
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._requests = 0
        self._last_bytes = b""
        self.idle_since = self._loop.time()

    @property
    def idle(self) -> bool:
        """Whether nothing is asked and nothing is left to send."""
        unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return self.answered and unsent == 0

    @property
    def answered(self) -> bool:
        """Whether every request has its answer, which its client may not have read."""
        return self._requests == 0

    def drop(self) -> None:
        """End it at once, without a word: there is no request to answer."""
        self._door.leave(self._inner)
        if self._transport is not None:
            self._transport.abort()

    def request_begins(self) -> None:
        """Note that a request has arrived."""
        self._requests += 1
        self._stop_timer()

    def request_ends(self) -> None:
        """Note that it has been answered."""
        self._requests = max(0, self._requests - 1)
        self.idle_since = self._loop.time()
        if self._requests == 0 and self._last_bytes != _END_OF_HEAD:
            # The next one has begun to arrive with this one.
            self._start_timer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or become a refusal."""
        self._transport = cast("asyncio.Transport", transport)
        if self._door.enter(self._inner, self):
            self._start_timer()
        else:
            self._receiver = Refusal(self._door)
        self._receiver.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on; a request that begins must have its whole header soon."""
        self._last_bytes = (self._last_bytes + data[-len(_END_OF_HEAD) :])[-len(_END_OF_HEAD) :]
        if self.answered and self._timer is None:
            self._start_timer()
        self._receiver.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._receiver.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._receiver.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place."""
        self._stop_timer()
        self._door.leave(self._inner)
        self._receiver.connection_lost(exc)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(self._door.limits.head_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.answered:
            log.debug("a connection was closed: it sent no whole header in time")
            self.drop()


class Refusal(asyncio.Protocol):
    """Answers the first bytes with 503; a client reads no answer before it has asked."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def drop(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait a little for a request."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._door.may_refuse():
            self._transport.abort()
            return
        self._door.refusals.add(self)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._door.limits.goodbye_seconds, self.drop)

    def data_received(self, _data: bytes) -> None:
        """Answer, whatever was asked."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._door.refusal)
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget it."""
        self._door.refusals.discard(self)
        if self._timer is not None:
            self._timer.cancel()
