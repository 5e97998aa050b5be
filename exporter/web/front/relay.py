"""Passes bytes between a client's connection and the server behind, until either has ended."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from exporter.web.front.connection import Connection

_READ_BYTES: Final = 64 * 1024
_LATER_SECONDS: Final = 5.0
"""The server behind has the same limit and says so in its log; here it counts if that was of no use."""


async def relay(connection: Connection, begun: bytes, behind: socket.socket, timeout_seconds: float) -> None:
    """Pass on what was read already, then everything; return when the server has closed its side.

    Raises TimeoutError when the client does not take for so long what the server has sent.
    """
    reader, writer = await asyncio.open_connection(sock=behind)
    # Bytes count as taken when the operating system has them, not while they are buffered here.
    connection.writer.transport.set_write_buffer_limits(high=1, low=0)
    writer.write(begun)
    asked = asyncio.create_task(_pass(connection.reader, writer, None))
    try:
        await _pass(reader, connection.writer, timeout_seconds + _LATER_SECONDS)
    finally:
        asked.cancel()
        writer.transport.abort()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_seconds: float | None
) -> None:
    try:
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            async with asyncio.timeout(timeout_seconds):
                await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
