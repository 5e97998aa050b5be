"""The HTTP server: serves the current snapshot, in its own thread and event loop.

No request waits for a refresh or a lock: every answer is made from bytes in memory, but those to questions,
which are answered in threads of their own. With a front, a process of its own accepts connections and answers
scrapes, so that they do not even wait for this interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from exporter.metrics.snapshot import Snapshot
from exporter.questions.asking import Questions
from exporter.web.door import Door
from exporter.web.endpoints import Endpoints
from exporter.web.front.front import Front, Peer
from exporter.web.front.settings import FrontSettings
from exporter.web.incoming_requests import answered, is_our_fault, note_request, request_factory
from exporter.web.limits import ConnectionLimits
from exporter.web.listening import listening_socket
from exporter.web.question_desk import Answer
from exporter.web.web_config import WebConfig

_KEEP_ALIVE_SECONDS: Final = 150.0
"""Longer than the usual scrape intervals, so that a scraper's connection stays open."""
_PAUSE_SECONDS: Final = 0.005
_LINGERING_SECONDS: Final = 1.0
"""How long what is left of a request's body is thrown away, so that its client can read the answer."""
_TAIL_SECONDS: Final = 1.0
"""How old the metrics of this process may be in a scrape that the front answers."""

log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Server:
    """Serves the current snapshot as metrics, summary, stream and page. Start it once, then stop it."""

    def __init__(
        self,
        listen: tuple[str, int],
        get_snapshot: Callable[[], Snapshot],
        web_config: WebConfig | None = None,
        *,
        version: str = "",
        max_concurrent_scrapes: int = 8,
        max_streams: int = 32,
        stream_interval_seconds: float = 2.0,
        response_timeout_seconds: float = 60.0,
        stop_timeout_seconds: float = 10.0,
        now: Callable[[], datetime] = _utc_now,
        questions: Questions | None = None,
        grafana_url: str | None = None,
        report: Answer | None = None,
        limits: ConnectionLimits = ConnectionLimits(),  # noqa: B008 - frozen
        front: bool = False,
        when_front_ends: Callable[[], None] = lambda: None,
        listening: socket.socket | None = None,
    ) -> None:
        """Prepare to listen on host and port; an empty host is every interface, port 0 any free port.

        `get_snapshot` is called by the server's thread at each request and must return at once. A response
        or event that its reader has not taken within `response_timeout_seconds` is aborted. `questions`
        answers those to the ledger, `report` those for reports; the page links to `grafana_url`. With
        `front`, scrapes show what `show` was last given; `when_front_ends` is called if its process ends by
        itself.
        `listening` listens there already; it is closed at the stop.
        """
        self._get_snapshot = get_snapshot
        self._listen = listen
        self._listening = listening
        self._web_config = web_config or WebConfig()
        self._endpoints = Endpoints(
            get_snapshot,
            self._web_config,
            version=version,
            max_concurrent_scrapes=max_concurrent_scrapes,
            max_streams=max_streams,
            stream_interval_seconds=stream_interval_seconds,
            response_timeout_seconds=response_timeout_seconds,
            now=now,
            questions=questions,
            grafana_url=grafana_url,
            report=report,
            peer=self._peer,
        )
        self._front = (
            Front(
                FrontSettings(
                    headers=self._endpoints.headers,
                    max_concurrent_scrapes=max_concurrent_scrapes,
                    response_timeout_seconds=response_timeout_seconds,
                    keep_alive_seconds=_KEEP_ALIVE_SECONDS,
                    tls=self._web_config.tls,
                    client_allowed_sans=self._web_config.client_allowed_sans,
                    password_hashes=self._web_config.password_hashes,
                    log_level=logging.getLogger().getEffectiveLevel(),
                )
            )
            if front
            else None
        )
        self._when_front_ends = when_front_ends
        self._peers: dict[int, Peer] = {}
        """By descriptor; those of closed connections stay until it is used again."""
        self._showing = threading.Lock()
        self._shown: Snapshot | None = None
        self._stop_timeout_seconds = stop_timeout_seconds
        self._limits = limits
        self._address: tuple[str, int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._started: Future[None] = Future()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, and return once requests are answered. Raises OSError if the address cannot be used."""
        listening = self._listening or listening_socket(*self._listen)
        self._address = listening.getsockname()[:2]
        if self._front is not None:
            self._front.start(listening)
            self.show(self._get_snapshot())
        self._thread = threading.Thread(target=self._run, args=(listening,), name="http-server", daemon=True)
        self._thread.start()
        self._started.result()

    def show(self, snapshot: Snapshot) -> None:
        """Have the front show a snapshot, in the next scrape on. Any thread may call it."""
        with self._showing:
            self._shown = snapshot
            self._hand_over(snapshot)

    def _hand_over(self, snapshot: Snapshot) -> None:
        if self._front is None:
            return
        try:
            self._front.show(snapshot.exposition, self._endpoints.tail_for_front(snapshot))
        except OSError as error:
            log.error("scrapes show the last snapshot: there is no memory for the next one (%s)", error)  # noqa: TRY400

    def stop(self) -> None:
        """Accept no more, let running responses finish, close. Returns within `stop_timeout_seconds`."""
        if self._thread is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that the server listens on. Raises RuntimeError before the start."""
        if self._address is None:
            raise RuntimeError("the server has not been started")
        return self._address

    @property
    def url(self) -> str:
        """Address of the landing page."""
        host, port = self.address
        scheme = "http" if self._web_config.ssl_context is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    @property
    def front_process_id(self) -> int | None:
        """The front's process, if there is one."""
        return self._front.process_id if self._front is not None else None

    def _run(self, listening: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listening))
        finally:
            if not self._started.done():
                self._started.set_exception(
                    RuntimeError("the HTTP server has not started; the log has the reason")
                )

    async def _serve(self, listening: socket.socket) -> None:
        request_log = log.getChild("requests")
        request_log.addFilter(is_our_fault)
        server = web.Server(
            lambda request: answered(request, self._endpoints.answer, door),
            request_factory=request_factory(
                self._endpoints.headers, self._peer, lambda *of_request: note_request(door, *of_request)
            ),
            logger=request_log,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            # A small body may expand to a large one; none is read.
            auto_decompress=False,
            lingering_time=_LINGERING_SECONDS,
        )
        door = Door(
            server,
            # What the front passes on has been decrypted.
            ssl_context=self._web_config.ssl_context if self._front is None else None,
            limits=self._limits,
            headers=self._endpoints.headers,
        )
        # Running responses get this long to finish; the others get the same time to be cancelled.
        runner = web.ServerRunner(server, shutdown_timeout=self._stop_timeout_seconds / 2)
        await runner.setup()
        self._loop = asyncio.get_running_loop()
        if self._front is None:
            door.open(listening)
            self._started.set_result(None)
            await self._stopping.wait()
        else:
            listening.close()
            await self._serve_behind(self._front, door)
        self._endpoints.end_streams()
        door.stop()
        await asyncio.sleep(_PAUSE_SECONDS)
        await door.close()
        await _close(runner, server, self._loop.time() + self._stop_timeout_seconds)
        self._endpoints.close()
        if self._front is not None:
            await asyncio.to_thread(self._front.end, self._stop_timeout_seconds)
            # Only now, and here: its last message may have come and be waiting to be taken.
            self._loop.remove_reader(self._front.fileno())
            self._front.close()

    async def _serve_behind(self, front: Front, door: Door) -> None:
        """Answer what the front passes on, until the stop."""
        loop = asyncio.get_running_loop()

        def connected(connection: socket.socket, peer: Peer) -> None:
            self._peers[connection.fileno()] = peer
            door.admit(connection)

        def take_messages() -> None:
            if not front.take_messages(connected, self._endpoints.counts.know):
                loop.remove_reader(front.fileno())
                if not self._stopping.is_set():
                    log.critical("the process that answers scrapes has ended, and the exporter with it")
                    self._when_front_ends()

        loop.add_reader(front.fileno(), take_messages)
        self._started.set_result(None)
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TAIL_SECONDS):
                    await self._stopping.wait()
            # A snapshot that is being handed over brings its own.
            if self._showing.acquire(blocking=False):
                try:
                    self._hand_over(self._shown or self._get_snapshot())
                finally:
                    self._showing.release()
        front.stop(self._stop_timeout_seconds)

    def _peer(self, request: web.BaseRequest) -> Peer | None:
        connection = request.get_extra_info("socket")
        return self._peers.get(connection.fileno()) if connection is not None else None


async def _close(runner: web.ServerRunner, server: web.Server, deadline: float) -> None:
    """Finish running responses, and close every connection by the deadline (loop time)."""
    transports = [connection.transport for connection in server.connections if connection.transport]
    sockets = [its for transport in transports if (its := transport.get_extra_info("socket")) is not None]
    await runner.cleanup()
    # A closed connection still sends its buffer while the loop runs.
    while any(open_socket.fileno() >= 0 for open_socket in sockets):
        if asyncio.get_running_loop().time() >= deadline:
            for transport in transports:
                transport.abort()
        await asyncio.sleep(_PAUSE_SECONDS)
