"""Answers scrapes from shared bytes, and passes every other connection on to the server behind."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from typing import Any, Final

from exporter.metrics.exposition import gzip_member
from exporter.web.basic_auth import BasicAuth
from exporter.web.content_negotiation import CONTENT_TYPES, Format, accepts_gzip, negotiate_format
from exporter.web.front.channel import Channel
from exporter.web.front.connection import Connection
from exporter.web.front.relay import relay
from exporter.web.front.scrape_request import ScrapeRequest, scrape_request
from exporter.web.front.settings import FrontSettings
from exporter.web.front.shared_exposition import SharedExposition
from exporter.web.scrape_counts import ScrapeCounts
from exporter.web.tls import server_context

_FIRST_REQUEST_SECONDS: Final = 10.0
"""How long a new connection may take to send its first request, and TLS to agree on a key."""
_MOST_CONNECTIONS: Final = 400
"""At the same time; then the one that is idle for longest makes room. Below usual limits of open files,
as a connection that is passed on takes two."""
_MESSAGE_SECONDS: Final = 0.01
_LAST_REQUEST_SHARE: Final = 0.1
"""Of the time for the stop: how long who connected just before it may take to send the request."""
_ROUNDS_TO_CONNECT: Final = 20
"""Rounds of the event loop that asyncio needs to hand over an accepted connection, with room."""
_HANDSHAKE_SECONDS: Final = 0.1
"""At the stop, for TLS to agree on a key with clients that have just connected."""

log = logging.getLogger(__name__)


class ScrapeDesk:
    """The front's connections and what it shows. For use from one event loop."""

    def __init__(self, channel: Channel, settings: FrontSettings) -> None:
        self._channel = channel
        self._settings = settings
        self._auth = BasicAuth(settings.password_hashes) if settings.password_hashes else None
        self._shown: SharedExposition | None = None
        self._tail: Mapping[str, Any] = {}
        self._first_shown = asyncio.Event()
        self._counts = ScrapeCounts()
        self._running_scrapes = 0
        self._open: dict[asyncio.Task[None], Connection] = {}
        self._idle: dict[Connection, bool] = {}
        """Whether a connection that waits for a request has had an answer. The longest idle comes first."""
        self._stop_seconds: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def serve(self, listening: socket.socket) -> None:
        """Serve until asked to stop; then finish running answers in the given time."""
        tls = server_context(self._settings.tls) if self._settings.tls is not None else None
        await self._first_shown.wait()
        server = await asyncio.start_server(
            self._connected,
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=_FIRST_REQUEST_SECONDS if tls else None,
        )
        seconds = await self._stop_seconds
        # asyncio drops a just accepted connection if the listener closes then: stop accepting first.
        asyncio.get_running_loop().remove_reader(listening)
        for _ in range(_ROUNDS_TO_CONNECT):
            await asyncio.sleep(0)
        if tls is not None:
            await asyncio.sleep(_HANDSHAKE_SECONDS)
        server.close()
        await self._finish(seconds)
        if self._auth is not None:
            self._auth.close()

    async def _finish(self, seconds: float) -> None:
        """Answer every client that has connected and had no answer yet, for at most so long; end all others.

        The next program may listen already: a client whose connection ends here would count it as refused.
        """
        for connection in [each for each, answered in self._idle.items() if answered]:
            connection.abort()
        for last_seconds in (seconds * _LAST_REQUEST_SHARE, seconds * (1 - _LAST_REQUEST_SHARE)):
            if self._open:
                await asyncio.wait(self._open, timeout=last_seconds)
            for connection in [*self._idle]:
                connection.abort()
        for connection in self._open.values():
            connection.abort()

    def take_messages(self) -> None:
        """Take what the exporter has sent until now. Raises ClosedError when it has ended."""
        while True:
            try:
                message = self._channel.receive()
                if message is None:
                    return
                self._take(*message)
            except OSError as error:
                log.error("scrapes show the last figures until there are newer ones: %s", error)  # noqa: TRY400

    def _take(self, kind: str, values: Any, files: Sequence[int]) -> None:
        """Take one message. Raises OSError."""
        if kind == "exposition":
            try:
                self._shown = SharedExposition.of_files(files, values)
            finally:
                for file in files:
                    os.close(file)
        elif kind == "tail":
            self._tail = values
            self._counts.know(values["scrapes"])
            self._first_shown.set()
        elif kind == "stop" and not self._stop_seconds.done():
            self._stop_seconds.set_result(values)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= _MOST_CONNECTIONS:
            # Without an idle one, the new one has no place.
            next(iter(self._idle), connection).abort()
        self._open[task] = connection
        try:
            await self._attend(connection)
        except OSError as error:
            log.debug("a connection of %s ended: %s", connection.remote, error)
            connection.abort()
        finally:
            del self._open[task]
            writer.close()

    async def _attend(self, connection: Connection) -> None:
        seconds = _FIRST_REQUEST_SECONDS
        answered = False
        while not (answered and self._stop_seconds.done()):
            self._idle[connection] = answered
            try:
                async with asyncio.timeout(seconds):
                    head = await connection.head()
            finally:
                del self._idle[connection]
            if not head:
                return
            scrape = scrape_request(head)
            if scrape is None or not await self._allowed(scrape, connection):
                if self._stop_seconds.done():
                    await self._unavailable(connection, "The exporter is stopping.")
                else:
                    await self._pass_on(connection, head)
                return
            # What was shown when the request came counts.
            self.take_messages()
            await self._answer(scrape, connection)
            answered = True
            if not scrape.keeps_open:
                return
            seconds = self._settings.keep_alive_seconds

    async def _allowed(self, scrape: ScrapeRequest, connection: Connection) -> bool:
        """Whether it may have an answer; the server behind tells the others why not."""
        names = self._settings.client_allowed_sans
        if names and not connection.names & names:
            return False
        return self._auth is None or await self._auth.allows(scrape.authorization)

    async def _pass_on(self, connection: Connection, head: bytes) -> None:
        ours, theirs = socket.socketpair()
        values = {
            "remote": connection.remote,
            "names": sorted(connection.names),
            "scrapes": self._counts.here,
        }
        with theirs:
            async with asyncio.timeout(self._settings.response_timeout_seconds):
                while True:
                    try:
                        self._channel.send("connection", values, [theirs.fileno()], wait=False)
                        break
                    except BlockingIOError:
                        await asyncio.sleep(_MESSAGE_SECONDS)
        await relay(connection, head, ours, self._settings.response_timeout_seconds)

    async def _answer(self, scrape: ScrapeRequest, connection: Connection) -> None:
        if self._running_scrapes >= self._settings.max_concurrent_scrapes:
            self._counts.count(503)
            most = self._settings.max_concurrent_scrapes
            await self._unavailable(connection, f"{most} scrapes are running already.")
            return
        self._running_scrapes += 1
        try:
            async with asyncio.timeout(self._settings.response_timeout_seconds):
                await connection.send(*self._scrape(scrape))
        except TimeoutError:
            log.warning(
                "aborted a scrape by %s: it was not read within %g s",
                connection.remote,
                self._settings.response_timeout_seconds,
            )
            raise
        finally:
            self._running_scrapes -= 1
        self._counts.count(200)

    async def _unavailable(self, connection: Connection, why: str) -> None:
        text = f"{why}\n".encode()
        headers = {"Content-Type": "text/plain; charset=utf-8", "Retry-After": "1"}
        await connection.send(self._head("503 Service Unavailable", headers, len(text)) + text)

    def _scrape(self, scrape: ScrapeRequest) -> Iterable[bytes | memoryview]:
        """Return head and body."""
        form = negotiate_format(scrape.accept)
        gzipped = accepts_gzip(scrape.accept_encoding)
        assert self._shown is not None
        body: bytes | memoryview = self._shown.part(form, gzipped=gzipped)
        tail = self._tail_of(form)
        headers = {"Content-Type": CONTENT_TYPES[form], "Vary": "Accept, Accept-Encoding"}
        if gzipped:
            headers["Content-Encoding"] = "gzip"
            body, tail = gzip_member.extend(body, tail)
        return self._head("200 OK", headers, len(body) + len(tail)), body, tail

    def _tail_of(self, form: Format) -> bytes:
        counts = self._counts.rendered(self._tail["began"])
        of_exporter: bytes = self._tail[form].encode()
        if form == "openmetrics":
            return of_exporter + counts.openmetrics + b"# EOF\n"
        return of_exporter + counts.text

    def _head(self, status: str, headers: Mapping[str, str], length: int) -> bytes:
        every = {
            **headers,
            "Content-Length": str(length),
            "Date": formatdate(usegmt=True),
            **self._settings.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
        return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1")
