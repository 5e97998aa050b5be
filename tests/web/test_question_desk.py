"""A question that takes too long is stopped, and says so."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence

from aiohttp import web
from aiohttp.test_utils import RawTestServer, TestClient

from exporter.questions.asking import Answered, Running
from exporter.web.question_desk import QuestionDesk


def test_a_question_that_takes_too_long_is_stopped_and_the_next_is_answered() -> None:
    async def asked() -> tuple[int, str, int]:
        desk = QuestionDesk(running=1, waiting=1, time_limit_seconds=0.05)
        stopped = threading.Event()

        class Endless(Running):
            def stop(self) -> None:
                stopped.set()

        def slow(_query: Sequence[tuple[str, str]], _running: Running) -> Answered:
            assert stopped.wait(10)
            return Answered(b"late", "text/plain")

        def quick(_query: Sequence[tuple[str, str]], _running: Running) -> Answered:
            return Answered(b"here", "text/plain")

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            chosen = slow if request.path == "/slow" else quick
            return await desk.answer(request, chosen, Endless())

        async with TestClient(RawTestServer(answer)) as client:
            late = await client.get("/slow")
            text = json.loads(await late.text())["error"]
            following = await client.get("/quick")
            desk.close()
            return late.status, text, following.status

    status, text, following = asyncio.run(asked())
    assert (status, following) == (503, 200)
    assert "took longer than 0.05 s; ask for a shorter span" in text
