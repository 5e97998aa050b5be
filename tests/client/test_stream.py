"""The stream of the client from a real server: updates, the callback form, lost connections, refusals."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from pathlib import Path

import pytest

from exporter.client import AccessError, SpendClient, SpendError, Summary, UnreachableError
from exporter.client.stream import summaries
from exporter.metrics.snapshot import Snapshot
from exporter.web.server import Server
from tests.client.answering import Prepared, answering
from tests.client.test_client import a_summary, quick, secured
from tests.metrics.test_summary import full_snapshot
from tests.support.served import snapshot
from tests.web.test_event_stream import large_snapshot

LOOPBACK = ("127.0.0.1", 0)


def event(data: bytes) -> bytes:
    return b"event: summary\ndata: " + data + b"\n\n"


async def first(client: SpendClient, count: int, lost: list[SpendError] | None = None) -> list[Summary]:
    found = []
    updates = client.stream(lost=None if lost is None else lost.append)
    async with aclosing(updates):
        async for update in updates:
            found.append(update)
            if len(found) == count:
                break
    return found


def fast(made: Snapshot) -> Server:
    return Server(LOOPBACK, lambda: made, stream_interval_seconds=0.01)


def test_updates_come_one_after_the_other() -> None:
    with fast(full_snapshot()) as server:
        updates = asyncio.run(first(quick(server.url), 3))
    assert [update.currency for update in updates] == ["USD"] * 3
    assert sorted(update.time for update in updates) == [update.time for update in updates]
    assert updates[0].budgets[0].budget == "gcp daily limit"


@pytest.mark.slow
def test_an_update_larger_than_any_buffer_is_read_whole() -> None:
    with fast(large_snapshot()) as server:
        assert len(asyncio.run(first(quick(server.url), 1))[0].by_service) == 1000


def test_a_callback_gets_updates_until_it_wants_no_more() -> None:
    found: list[Summary] = []

    def take(update: Summary) -> bool:
        found.append(update)
        return len(found) < 3

    with fast(snapshot()) as server:
        quick(server.url).watch(take)
    assert len(found) == 3


def test_a_lost_connection_is_told_and_made_again() -> None:
    lost: list[SpendError] = []
    once = Prepared(200, event(a_summary()), {"Content-Type": "text/event-stream"})
    with answering(once, Prepared(0, hangs_up=True), Prepared(503), once) as server:
        updates = asyncio.run(first(quick(server.url), 2, lost))
    assert len(updates) == 2
    # The library asks a second time by itself when the server hangs up.
    assert str(lost[0]) == f"{server.url} has ended its stream"
    assert str(lost[-1]) == f"{server.url} did not answer: status 503"
    assert len(server.asked) == 4


@pytest.mark.slow
def test_a_stream_that_falls_silent_is_taken_for_lost() -> None:
    async def told() -> str:
        lost: list[SpendError] = []
        updates = summaries(
            quick(server.url).access, lost=lost.append, backoff_seconds=0.0, silence_seconds=0.2
        )
        async with aclosing(updates):
            async for _ in updates:
                if lost:
                    break
        return str(lost[0])

    with Server(LOOPBACK, snapshot, stream_interval_seconds=3600.0) as server:
        assert "no exporter answers" in asyncio.run(told())


@pytest.mark.parametrize("status", [400, 401, 404, 503])
def test_a_stream_that_was_never_there_is_an_error(status: int) -> None:
    with answering(Prepared(status)) as server, pytest.raises(SpendError, match=server.url):
        asyncio.run(first(quick(server.url), 1))
    assert len(server.asked) == 1


@pytest.mark.slow
def test_users_and_tls_are_those_of_the_web_configuration(tmp_path: Path) -> None:
    web_config, ca_file = secured(tmp_path)
    with Server(LOOPBACK, snapshot, web_config, stream_interval_seconds=0.01) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        right = quick(url, user="ann", password="secret", ca_file=ca_file)
        assert len(asyncio.run(first(right, 2))) == 2
        with pytest.raises(AccessError, match="needs a user and a password"):
            asyncio.run(first(quick(url, ca_file=ca_file), 1))
        with pytest.raises(UnreachableError, match="is not trusted"):
            asyncio.run(first(quick(url, user="ann", password="secret"), 1))
    # A connection that was left open would be an error of this test.
    gc.collect()
