"""The whole time of a request is limited, whatever is sent; what is given up leaves nothing open."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
import requests

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.history.remote_write import NotDelivered, Receiver, Sample
from exporter.history.store import Store
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.delivery.web import _post
from exporter.sources.base import RefreshTally
from exporter.sources.http.deadline import cuttable, within
from exporter.sources.http.json_api import ApiError, JsonApi
from exporter.sources.prometheus_units import UnitCounts, UnitFailure, UnitQuery
from tests.fakes.slow_server import Manner, SlowServer
from tests.fakes.web_api import Reply, WebApi
from tests.support.exposed import until

SECONDS = 0.15
_NOW = datetime(2026, 11, 20, tzinfo=UTC)
LONG = 30.0
"""Far more than a request of these tests may take, on a busy machine too."""


def json_api(address: str, backoff: Backoff, seconds: float = SECONDS) -> JsonApi:
    return JsonApi(
        address,
        dict,
        name="Example",
        config_key="llm.example.key_file",
        tally=RefreshTally(),
        backoff=backoff,
        timeout_seconds=seconds,
    )


@pytest.mark.slow
@pytest.mark.parametrize("manner", get_args(Manner))
def test_no_manner_of_dripping_holds_a_request_longer_and_its_connection_ends(manner: Manner) -> None:
    with SlowServer(manner) as server, json_api(server.address, Backoff(call_seconds=0)) as api:
        begun = time.monotonic()
        with pytest.raises(ApiError, match=r"no answer within 0\.15 s") as raised:
            api.get("/v1/things")
        assert time.monotonic() - begun < LONG
        until(lambda: server.open == 0, "the connection to be cut")
    assert raised.value.reason == "timeout"


def test_a_handshake_of_tls_that_gets_no_answer_is_given_up() -> None:
    with SlowServer("silent") as server, json_api(f"https://{server.host}", Backoff(call_seconds=0)) as api:
        with pytest.raises(ApiError, match=r"no answer within 0\.15 s"):
            api.get("/v1/things")
        until(lambda: server.open == 0, "the connection to be cut")


def test_a_name_that_is_looked_up_for_ever_holds_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hangs(*_: object, **__: object) -> list[object]:
        answered.wait(LONG)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    begun = time.monotonic()
    with (
        json_api("http://api.example.com", Backoff(call_seconds=0)) as api,
        pytest.raises(ApiError, match="no answer within"),
    ):
        api.get("/v1/things")
    assert time.monotonic() - begun < LONG
    answered.set()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
def test_a_session_works_on_after_a_timeout_and_keeps_no_file_open() -> None:
    session = cuttable(requests.Session())
    with session, SlowServer("header") as slow, WebApi(lambda _: Reply()) as quick:
        assert within(LONG, lambda: session.get(quick.address).status_code, session) == 200
        before = open_files()
        for _ in range(5):
            with pytest.raises(requests.exceptions.Timeout):
                within(0.05, lambda: session.get(slow.address), session)
            assert within(LONG, lambda: session.get(quick.address).status_code, session) == 200
        until(lambda: slow.open == 0, "the connections to be cut")
        until(lambda: open_files() <= before, "their files to be closed")


def test_what_a_call_raises_comes_back() -> None:
    def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        within(LONG, fails)


def test_a_refresh_without_time_left_asks_for_nothing_more() -> None:
    left = 1.0
    with WebApi(lambda _: Reply()) as server:
        with json_api(server.address, Backoff(seconds_left=lambda: left), LONG) as api:
            api.get("/v1/things")
            left = 0.0
            with pytest.raises(SourceError, match=r"timeouts\.refresh_seconds") as raised:
                api.get("/v1/things")
        assert len(server.requests) == 1
    assert raised.value.reason == "timeout"


def test_a_request_gets_no_more_time_than_its_refresh_has() -> None:
    with SlowServer("silent") as server:
        backoff = Backoff(seconds_left=lambda: SECONDS, call_seconds=0)
        with json_api(server.address, backoff, LONG) as api, pytest.raises(ApiError, match=r"0\.15 s"):
            api.get("/v1/things")


@pytest.mark.slow
@pytest.mark.parametrize("manner", ["silent", "header", "body"])
def test_a_slow_receiver_store_prometheus_and_webhook_are_given_up_too(
    manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.reports.delivery.web._TIMEOUT_SECONDS", SECONDS)
    with SlowServer(manner) as server:
        receiver = Receiver(server.address, timeout_seconds=SECONDS)
        with receiver.session() as session, pytest.raises(NotDelivered) as not_sent:
            receiver.write(session, [Sample((("__name__", "cost"),), 1, 1.0)])
        assert not_sent.value.reason == "timeout"
        with pytest.raises(NotDelivered, match="cannot be queried"):
            Store(server.address, receiver)._ask(query="cost")
        units = UnitCounts([UnitQuery("order", "orders", server.address)], answer_seconds=SECONDS)
        found = units._number(units.queries[0], _NOW)
        assert isinstance(found, UnitFailure)
        assert found.reason == "timeout"
        with pytest.raises(DeliveryError, match="cannot be reached"):
            _post("the webhook", "webhook.url", server.address, body={}, headers={})
        until(lambda: server.open == 0, "the connections to be cut")
