"""A mail server on loopback, which leaves no connection open when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

from aiosmtpd.smtp import SMTP


@contextlib.contextmanager
def smtp_server(protocol: Callable[[], SMTP]) -> Iterator[int]:
    """Serve each connection with a protocol of its own, and yield the port."""
    listening = threading.Event()
    connections: list[SMTP] = []
    port = 0

    def connected() -> SMTP:
        connections.append(protocol())
        return connections[-1]

    async def serve(stop: asyncio.Event) -> None:
        nonlocal port
        server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            listening.set()
            await stop.wait()
        for each in connections:
            if each.transport is not None:
                each.transport.abort()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        if answering:
            await asyncio.wait(answering)

    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(stop),))
    thread.start()
    try:
        assert listening.wait(30)
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
