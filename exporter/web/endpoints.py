"""The HTTP server's answer at each path. Only questions to the ledger have parameters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from exporter.metrics.exposition import gzip_member
from exporter.metrics.snapshot import Snapshot
from exporter.metrics.summary import summary_json
from exporter.metrics.summary_schema import schema_json
from exporter.questions.asking import Questions
from exporter.questions.openapi import openapi_json
from exporter.web.basic_auth import BasicAuth
from exporter.web.content_negotiation import CONTENT_TYPES, Format, accepts_gzip, negotiate_format
from exporter.web.event_stream import EventStream
from exporter.web.front.front import Peer
from exporter.web.page.page import POLICY, LandingPage
from exporter.web.process_metrics import ProcessMetrics
from exporter.web.question_desk import Answer, QuestionDesk
from exporter.web.scrape_counts import ScrapeCounts
from exporter.web.tls import client_names
from exporter.web.web_config import WebConfig

_WRITE_BYTES: Final = 1 << 20
"""Bytes written to a connection at a time: limits the memory that a slow reader uses besides the snapshot."""

log = logging.getLogger(__name__)


class Endpoints:
    """Answers requests, each from one snapshot. For use from one event loop; close it afterwards."""

    def __init__(
        self,
        get_snapshot: Callable[[], Snapshot],
        web_config: WebConfig,
        *,
        version: str,
        max_concurrent_scrapes: int,
        max_streams: int,
        stream_interval_seconds: float,
        response_timeout_seconds: float,
        now: Callable[[], datetime],
        questions: Questions | None = None,
        grafana_url: str | None = None,
        report: Answer | None = None,
        peer: Callable[[web.BaseRequest], Peer | None] = lambda _request: None,
    ) -> None:
        """`peer` returns the client of a request that the front has passed on."""
        self._get_snapshot = get_snapshot
        self._peer = peer
        self._auth = BasicAuth(web_config.password_hashes) if web_config.password_hashes else None
        self._client_allowed_sans = web_config.client_allowed_sans
        self._page = LandingPage(version, questions, grafana_url)
        self._max_concurrent_scrapes = max_concurrent_scrapes
        self._response_timeout_seconds = response_timeout_seconds
        self._now = now
        self._process_metrics = ProcessMetrics()
        self.counts = ScrapeCounts()
        self._running_scrapes = 0
        self._questions = questions
        self._report_answer = report
        self._desk = QuestionDesk()
        self._stream = EventStream(
            "summary",
            self._summary_json,
            interval_seconds=stream_interval_seconds,
            max_readers=max_streams,
            write_timeout_seconds=response_timeout_seconds,
        )
        self._routes: Mapping[str, Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]] = {
            "/": self._landing_page,
            "/page.css": self._page_style,
            "/page.js": self._page_script,
            "/metrics": self._metrics,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/api/v1/summary": self._summary,
            "/api/v1/summary/schema": self._summary_schema,
            "/api/v1/costs": self._costs,
            "/api/v1/explain": self._explain,
            "/api/v1/report": self._report,
            "/api/v1/openapi.json": self._openapi,
            "/stream": self._stream.answer,
        }
        self.headers: Mapping[str, str] = {
            "Server": "spend-exporter",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": POLICY,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            **web_config.headers,
        }
        """For every response, errors included."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        denied = await self._denied(request)
        if denied is not None:
            return denied
        handler = self._routes.get(request.path)
        if handler is None:
            return web.Response(status=404, text="Not found. The metrics are at /metrics.\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(
                status=405, text="Only GET and HEAD are allowed.\n", headers={"Allow": "GET, HEAD"}
            )
        return await handler(request)

    def end_streams(self) -> None:
        """End the responses that would never end by themselves, or only after a while."""
        self._stream.end()
        self._desk.close()
        self._page.close()

    def close(self) -> None:
        """Stop the password checks, the questions and the page."""
        self._desk.close()
        self._page.close()
        if self._auth is not None:
            self._auth.close()

    async def _denied(self, request: web.BaseRequest) -> web.Response | None:
        if self._client_allowed_sans:
            peer = self._peer(request)
            names = peer.names if peer else client_names(request.get_extra_info("peercert"))
            if not names & self._client_allowed_sans:
                return web.Response(
                    status=403, text="The client certificate has no name that is allowed here.\n"
                )
        if self._auth is not None and not await self._auth.allows(request.headers.get("Authorization", "")):
            return web.Response(
                status=401,
                text="A user name and a password are needed.\n",
                headers={"WWW-Authenticate": 'Basic realm="spend-exporter", charset="UTF-8"'},
            )
        return None

    async def _health(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, _request: web.BaseRequest) -> web.Response:
        snapshot = self._get_snapshot()
        if snapshot.ready:
            return web.Response(text="ready\n" + _not_shown(snapshot))
        return web.Response(status=503, text=_why_not_ready(snapshot))

    async def _landing_page(self, request: web.BaseRequest) -> web.Response:
        page = await self._page.made(self._get_snapshot(), self._now())
        gzipped = accepts_gzip(request.headers.get("Accept-Encoding", ""))
        return web.Response(
            body=page.gzipped if gzipped else page.html,
            content_type="text/html",
            charset="utf-8",
            headers={"Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if gzipped else {})},
        )

    async def _page_style(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=self._page.style, content_type="text/css", charset="utf-8")

    async def _page_script(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=self._page.script, content_type="text/javascript", charset="utf-8")

    async def _summary(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=self._summary_json() + b"\n", content_type="application/json")

    async def _summary_schema(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=schema_json().encode(), content_type="application/schema+json")

    async def _costs(self, request: web.BaseRequest) -> web.Response:
        return await self._answered(request, self._questions.costs if self._questions else None)

    async def _explain(self, request: web.BaseRequest) -> web.Response:
        return await self._answered(request, self._questions.explain if self._questions else None)

    async def _report(self, request: web.BaseRequest) -> web.Response:
        return await self._answered(request, self._report_answer)

    async def _answered(self, request: web.BaseRequest, answer: Answer | None) -> web.Response:
        if answer is None:
            return web.Response(status=404, text="This server answers no questions.\n")
        return await self._desk.answer(request, answer)

    async def _openapi(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(body=openapi_json().encode(), content_type="application/json")

    def _summary_json(self) -> bytes:
        return summary_json(self._get_snapshot(), self._now())

    async def _metrics(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._running_scrapes >= self._max_concurrent_scrapes:
            self.counts.count(503)
            text = f"{self._max_concurrent_scrapes} scrapes are running already.\n"
            return web.Response(status=503, text=text, headers={"Retry-After": "1"})
        self._running_scrapes += 1
        try:
            return await self._scrape(request)
        finally:
            self._running_scrapes -= 1

    async def _scrape(self, request: web.BaseRequest) -> web.StreamResponse:
        form = negotiate_format(request.headers.get("Accept", ""))
        gzipped = accepts_gzip(request.headers.get("Accept-Encoding", ""))
        body, tail = self._body(form, gzipped)
        headers = {"Content-Type": CONTENT_TYPES[form], "Vary": "Accept, Accept-Encoding"}
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        response = web.StreamResponse(headers=headers)
        response.content_length = len(body) + len(tail)
        try:
            async with asyncio.timeout(self._response_timeout_seconds):
                await _send(request, response, body, tail)
        except TimeoutError:
            log.warning(
                "aborted a scrape by %s: it was not read within %g s",
                request.remote,
                self._response_timeout_seconds,
            )
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError as error:
            log.debug("%s closed the connection during a scrape: %s", request.remote, error)
        else:
            self.counts.count(200)
        return response

    def _body(self, form: Format, gzipped: bool) -> tuple[memoryview, bytes]:
        """Return the cached bytes of one snapshot, then the process metrics."""
        snapshot = self._get_snapshot()
        exposition, outcomes, process = snapshot.exposition, snapshot.outcomes, self._process_metrics
        counts = self.counts.rendered(process.began)
        if form == "openmetrics":
            tail = outcomes.openmetrics + process.openmetrics() + counts.openmetrics + b"# EOF\n"
        else:
            tail = outcomes.text + process.text() + counts.text
        if gzipped:
            member = exposition.openmetrics_gzip if form == "openmetrics" else exposition.text_gzip
            return gzip_member.extend(member, tail)
        return memoryview(exposition.openmetrics if form == "openmetrics" else exposition.text), tail

    def tail_for_front(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return what follows the exposition but the counts of scrapes, and what those begin with."""
        return {
            "text": (snapshot.outcomes.text + self._process_metrics.text()).decode(),
            "openmetrics": (snapshot.outcomes.openmetrics + self._process_metrics.openmetrics()).decode(),
            "began": self._process_metrics.began,
            "scrapes": self.counts.here,
        }


async def _send(
    request: web.BaseRequest, response: web.StreamResponse, body: memoryview, tail: bytes
) -> None:
    """Send head and body; return when the operating system has taken all of it."""
    if request.transport is not None:
        # Not 0 for both: asyncio's TLS would then treat an empty buffer as full and never continue.
        request.transport.set_write_buffer_limits(high=1, low=0)
    await response.prepare(request)
    if request.method != "HEAD":
        for start in range(0, len(body), _WRITE_BYTES):
            await response.write(body[start : start + _WRITE_BYTES])
        await response.write(tail)
    await response.write_eof()
    await request.writer.drain()


def _why_not_ready(snapshot: Snapshot) -> str:
    return "Not ready: no bill has been read yet.\n" + _not_shown(snapshot)


def _not_shown(snapshot: Snapshot) -> str:
    """Return a line for each source without figures, what is awaited and what failed, and on the storage."""
    awaited = [
        f"{source.name}: awaited, its first read has not ended\n"
        for source in snapshot.sources
        if source.awaited
    ]
    missing = [
        f"{source.name}: missing, {source.last_error}\n" for source in snapshot.sources if source.missing
    ]
    return "".join([*awaited, *missing, *(f"{note}\n" for note in snapshot.storage_notes)])
