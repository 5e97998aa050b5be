"""The summaries of /stream as they come; a lost connection is made again, with growing pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import aiohttp
from pydantic import ValidationError

from exporter.client.access import Access
from exporter.client.errors import (
    BusyError,
    Lost,
    SpendError,
    UnreachableError,
    no_answer,
    not_trusted,
    not_understood,
    refusal,
)
from exporter.metrics.summary_schema import Summary

SILENCE_SECONDS: Final = 20.0
"""A stream without an event for this long is taken for lost."""

_LONGEST_EVENT_BYTES: Final = 64 << 20
_LONGEST_WAIT_SECONDS: Final = 30.0


async def summaries(
    access: Access, *, lost: Lost | None, backoff_seconds: float, silence_seconds: float = SILENCE_SECONDS
) -> AsyncGenerator[Summary, None]:
    """Yield each summary. Raises SpendError where no stream can be had at first, or where none ever will."""
    wait, connected = backoff_seconds, False
    while True:
        try:
            # A reader that stops closes the connection before its event loop ends.
            async with aclosing(_connected(access, silence_seconds)) as updates:
                async for update in updates:
                    wait, connected = backoff_seconds, True
                    yield update
            raise UnreachableError(f"{access.base} has ended its stream")  # noqa: TRY301 (as if it were lost)
        except (UnreachableError, BusyError) as error:
            if not connected:
                raise
            if lost is not None:
                lost(error)
        await asyncio.sleep(wait * (0.5 + random.random() / 2))  # noqa: S311 (no secret)
        wait = min(max(wait, backoff_seconds) * 2, _LONGEST_WAIT_SECONDS)


async def _connected(access: Access, silence_seconds: float) -> AsyncGenerator[Summary, None]:
    """Yield the summaries of one connection until the exporter ends it."""
    base = access.base
    timeout = aiohttp.ClientTimeout(total=None, connect=silence_seconds, sock_read=silence_seconds)
    tls = access.ssl_context() if base.startswith("https:") else True
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(
                access.at("/stream"), headers=access.headers(), ssl=tls, allow_redirects=False
            ) as answer,
        ):
            # Taken now: a connection whose answer has been read whole is no longer that of the answer.
            transport = answer.connection.transport if answer.connection is not None else None
            try:
                if answer.status != 200:
                    raise _refusal(answer.status, await answer.read(), base)
                async for data in _events(answer.content):
                    yield _summary(data, base)
            finally:
                if transport is not None:
                    # TLS would wait for the server's farewell, for which the event loop may not live.
                    transport.abort()
    except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
        raise not_trusted(base, error) from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise no_answer(base, error) from None


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the data of each server-sent event."""
    waiting = bytearray()
    async for part in content.iter_any():
        waiting += part
        while (end := waiting.find(b"\n\n")) >= 0:
            lines = bytes(waiting[:end]).splitlines()
            del waiting[: end + 2]
            yield b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        if len(waiting) > _LONGEST_EVENT_BYTES:
            raise aiohttp.ClientPayloadError("an event is too long")


def _summary(data: bytes, base: str) -> Summary:
    try:
        return Summary.model_validate_json(data)
    except ValidationError as error:
        raise not_understood(base, error) from None


def _refusal(status: int, body: bytes, base: str) -> SpendError:
    error = refusal(status, body, base)
    return error if isinstance(error, SpendError) else SpendError(f"{base} did not answer: {error}")
