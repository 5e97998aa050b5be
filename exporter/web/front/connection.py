"""One client's connection, with or without TLS."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from exporter.web.tls import client_names

_BEGIN: Final = b"GET /metrics"
_END: Final = b"\r\n\r\n"
_LONGEST_HEAD_BYTES: Final = 8 * 1024
_WRITE_BYTES: Final = 256 * 1024
"""Encrypted at a time: what other scrapes wait for."""


class Connection:
    """Reads heads of requests and sends answers. For use from one event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        peer = writer.get_extra_info("peername")
        self.remote: str = peer[0] if peer else ""
        self.names = client_names(writer.get_extra_info("peercert"))
        """The names in the client's verified certificate."""

    async def head(self) -> bytes:
        """Return what was read until a scrape's head has ended, or until it cannot be one; empty at the end.

        What it is not is for others to say: then nothing more is read here.
        """
        head = b""
        while (_BEGIN.startswith(head) or head.startswith(_BEGIN)) and len(head) < _LONGEST_HEAD_BYTES:
            part = await self.reader.read(_LONGEST_HEAD_BYTES)
            head += part
            if not part or head.endswith(_END):
                break
        return head

    async def send(self, *parts: bytes | memoryview) -> None:
        """Return when the operating system has taken all of it. Raises ConnectionError."""
        if self.writer.get_extra_info("sslcontext") is None:
            await self._send_plain(parts)
            return
        # Not 0 for both: asyncio's TLS would then treat an empty buffer as full and never continue.
        self.writer.transport.set_write_buffer_limits(high=1, low=0)
        for part in parts:
            for start in range(0, len(part), _WRITE_BYTES):
                self.writer.write(part[start : start + _WRITE_BYTES])
                await self.writer.drain()

    def abort(self) -> None:
        """End it at once."""
        self.writer.transport.abort()

    async def _send_plain(self, parts: tuple[bytes | memoryview, ...]) -> None:
        # The stream would copy what the system does not take at once; a second descriptor needs no copy.
        own = self.writer.get_extra_info("socket")
        with socket.socket(fileno=os.dup(own.fileno())) as second:
            second.setblocking(False)
            for part in parts:
                await asyncio.get_running_loop().sock_sendall(second, part)
