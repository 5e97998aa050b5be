"""Answers questions to the ledger in threads of their own, so that none delays a scrape.

A few run at once and some wait; the others are told to come back. A question ends when it takes too long,
when its client hangs up, and when the server stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import duckdb
from aiohttp import web

from exporter.ledger.opening import LedgerError
from exporter.questions.asking import Answered, Query, Running
from exporter.questions.cost_answer import Problem
from exporter.questions.problem import QuestionError
from exporter.web.running_question import ended_or_stopped

Answer = Callable[[Query, Running], Answered]

log = logging.getLogger(__name__)


class QuestionDesk:
    """Runs questions. For use from one event loop; close it afterwards."""

    def __init__(self, *, running: int = 1, waiting: int = 15, time_limit_seconds: float = 10.0) -> None:
        """`time_limit_seconds` is for a question that runs; one that waits has as much for each before it."""
        self._executor = ThreadPoolExecutor(running, "question")
        self._places = running + waiting
        self._taken = 0
        self._time_limit_seconds = time_limit_seconds
        self._closing = False

    async def answer(
        self, request: web.BaseRequest, answer: Answer, running: Running | None = None
    ) -> web.Response:
        """Answer one question: 400 where it is wrong, 429 where too many are asked, 503 where it failed."""
        if self._closing:
            return _refused(503, "the server stops", retry_after="10")
        if self._taken >= self._places:
            text = f"{self._places} questions are being answered already; ask again in a moment"
            return _refused(429, text, retry_after="1")
        self._taken += 1
        running = running or Running()
        asked = self._executor.submit(answer, list(request.query.items()), running)
        try:
            stopped = await self._look_after(asked, running, request)
        finally:
            self._taken -= 1
        if stopped is not None:
            return _refused(503, stopped, retry_after="10")
        return _response(asked)

    def close(self) -> None:
        """Stop all questions."""
        self._closing = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _look_after(
        self, asked: Future[Answered], running: Running, request: web.BaseRequest
    ) -> str | None:
        """Wait until the question has ended; return why it was stopped before its end, if it was."""
        clock = asyncio.get_running_loop().time
        deadline: float | None = None

        def why_stop() -> str | None:
            nonlocal deadline
            if deadline is None and asked.running():
                deadline = clock() + self._time_limit_seconds
            return self._why_stop(request, late=deadline is not None and clock() > deadline)

        return await ended_or_stopped(asked, running, why_stop)

    def _why_stop(self, request: web.BaseRequest, *, late: bool) -> str | None:
        if self._closing:
            return "the server stops"
        if request.transport is None or request.transport.is_closing():
            log.debug("%s left before its question was answered", request.remote)
            return "the client has left"
        if late:
            limit = f"{self._time_limit_seconds:g} s"
            return (
                f"it took longer than {limit}; ask for a shorter span, fewer dimensions, or a narrower where"
            )
        return None


def _response(asked: Future[Answered]) -> web.Response:
    try:
        answered = asked.result()
    except QuestionError as error:
        return _refused(400, str(error), parameter=error.parameter)
    except LedgerError as error:
        return _refused(503, str(error), retry_after="10")
    except duckdb.OutOfMemoryException:
        text = "it needs more memory than questions may use; ask for a shorter span or fewer dimensions"
        return _refused(503, text, retry_after="10")
    except duckdb.Error as error:
        log.error("a question failed: %s", error)  # noqa: TRY400 (the text is complete)
        return _refused(
            503, "the ledger could not be read; the exporter's log has the reason", retry_after="10"
        )
    return web.Response(body=answered.body, content_type=answered.content_type, charset=_charset(answered))


def _charset(answered: Answered) -> str | None:
    return "utf-8" if answered.content_type.startswith("text/") else None


def _refused(
    status: int, text: str, *, parameter: str | None = None, retry_after: str | None = None
) -> web.Response:
    body = Problem(error=text, parameter=parameter).model_dump_json().encode() + b"\n"
    headers = {"Retry-After": retry_after} if retry_after else {}
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
