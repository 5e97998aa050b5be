"""Waits for a question that runs in another thread, and stops it where there is a reason to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from exporter.questions.asking import Running

_LOOK_SECONDS: Final = 0.05
"""How often a running question is looked after."""


async def ended_or_stopped(
    asked: Future[Any], running: Running, why_stop: Callable[[], str | None]
) -> str | None:
    """Wait until a question has ended; return why it was stopped before its end, if it was.

    `why_stop` is called now and then, until it gives a reason.
    """
    why: str | None = None
    ended = asyncio.wrap_future(asked)
    while not ended.done():
        await asyncio.wait({ended}, timeout=_LOOK_SECONDS)
        if why is None:
            why = why_stop()
        if why is not None and not ended.done():
            asked.cancel()
            # Again each time: between two statements there is nothing to stop.
            running.stop()
    if not ended.cancelled():
        ended.exception()
    return why
