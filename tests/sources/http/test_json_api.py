"""The client for JSON APIs: what passes is tried again, what does not is explained, no key is ever told."""

from __future__ import annotations

import gzip
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.core.backoff import Backoff
from exporter.sources.base import RefreshTally
from exporter.sources.http.json_api import ApiError, JsonApi, retry_after_seconds
from tests.fakes.web_api import Asked, Fault, Reply, WebApi

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "sk-admin-4f8bQx71LrT0aZeW9pYcVn2H"


@contextmanager
def client(
    address: str, *, key: str = KEY, timeout: float = 5.0, largest: int = 2**20
) -> Iterator[tuple[JsonApi, list[float]]]:
    """A client, and the waits that it made."""
    waits: list[float] = []
    clock = iter(range(10**6))
    api = JsonApi(
        address,
        lambda: {"Authorization": f"Bearer {key}"},
        name="Example",
        config_key="llm.example.key_file",
        tally=RefreshTally(),
        backoff=Backoff(sleep=waits.append, jitter=lambda: 1.0, monotonic=lambda: next(clock) / 1000),
        timeout_seconds=timeout,
        now=lambda: NOW,
        largest_answer_bytes=largest,
    )
    with api:
        yield api, waits


def refusal(server: WebApi) -> ApiError:
    with client(server.address) as (api, _), pytest.raises(ApiError) as raised:
        api.get("/v1/things")
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(api)
    assert KEY not in told
    assert KEY[:14] not in told
    assert str(raised.value).startswith("Example: reading /v1/things failed: ")
    return raised.value


def answering(reply: Reply) -> WebApi:
    return WebApi(lambda _: reply)


def echo(asked: Asked) -> Reply:
    return Reply(
        body={
            "query": asked.query,
            "key": asked.headers["Authorization"],
            "agent": asked.headers["User-Agent"],
        }
    )


def test_it_sends_the_key_and_every_value_of_a_parameter() -> None:
    with WebApi(echo) as server, client(server.address + "/") as (api, _):
        answer = api.get("/v1/things", {"limit": 31, "group_by": ["model", "project id"]})
        assert api.tally.requests == 1
    assert answer["query"] == {"limit": ["31"], "group_by": ["model", "project id"]}
    assert answer["key"] == f"Bearer {KEY}"
    assert str(answer["agent"]).startswith("spend-exporter/")


def test_a_netrc_file_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with WebApi(echo) as server, client(server.address) as (api, _):
        assert api.get("/v1/things")["key"] == f"Bearer {KEY}"


def test_fractions_are_exact_decimals() -> None:
    body = b'{"value": 0.1000000000000000055511151231257827, "count": 12345678901234567890}'
    with WebApi(lambda _: Reply(body=body)) as server, client(server.address) as (api, _):
        answer = api.get("/v1/things")
    assert answer == {"value": Decimal("0.1000000000000000055511151231257827"), "count": 12345678901234567890}


@pytest.mark.parametrize(
    "reply", [Reply(429), Reply(500), Reply(503), Reply(408), Reply(body=b"{}", breaks_off=True)]
)
def test_what_may_pass_is_tried_again(reply: Reply) -> None:
    with WebApi(echo, [Fault("/v1", reply, times=2)]) as server, client(server.address) as (api, waits):
        assert api.get("/v1/things")["query"] == {}
        assert api.tally.requests == 3
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize("asked", ["17", "17.0", "Fri, 20 Nov 2026 12:00:17 GMT"])
def test_it_waits_as_long_as_the_server_asks(asked: str) -> None:
    fault = Fault("/v1", Reply(429, headers={"Retry-After": asked}))
    with WebApi(echo, [fault]) as server, client(server.address) as (api, waits):
        api.get("/v1/things")
    assert waits == [17.0]


def test_a_wait_longer_than_there_is_time_for_is_not_begun() -> None:
    with WebApi(lambda _: Reply(429, headers={"Retry-After": "3600"})) as server:
        error = refusal(server)
        assert len(server.requests) == 1
    assert error.reason == "rate_limited"
    assert "wait 3600 s" in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("²", 0.0),
        ("Thu, 19 Nov 2026 12:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2026 12:01:00 -0000", 60.0),
        ("Fri, 20 Nov 2026 13:01:00 +0100", 60.0),
        ("1e9", 0.0),
    ],
)
def test_retry_after_in_all_its_forms(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "reason", "advice"),
    [
        (401, "unauthorized", "check llm.example.key_file"),
        (403, "permission_denied", "llm.example.key_file"),
        (404, "not_found", "check the address"),
        (422, "bad_request", "please report this"),
        (400, "bad_request", "please report this"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_tried_again(status: int, reason: str, advice: str) -> None:
    body = {"error": {"message": f"Incorrect API key provided: {KEY[:20]}***. Or all of it: {KEY}.\nSorry"}}
    with WebApi(lambda _: Reply(status, body)) as server:
        error = refusal(server)
        assert len(server.requests) == 1
    assert (error.reason, error.status) == (reason, status)
    assert f"HTTP {status}" in str(error)
    assert "Incorrect API key provided: *** Or all of it: ***. Sorry" in str(error)
    assert advice in str(error)


def test_a_long_message_is_cut_only_after_the_key_was_taken_out() -> None:
    for padding in range(840, 900, 7):
        reply = Reply(403, {"error": "x" * padding + f" {KEY}" + "y" * 5000})
        with answering(reply) as server:
            assert len(str(refusal(server))) < 1100


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<!DOCTYPE html><title>Sign in</title>", headers={"Content-Type": "text/html"}),
        Reply(body=b""),
        Reply(body=b'{"value": NaN}'),
        Reply(body=b'{"value": 1e99999999999999999999999}'),
        Reply(body=b'{"value": ' + b"9" * 5000 + b"}"),
        Reply(body=b"[" * 100_000),
        Reply(body=b'"\xff\xfe"'),
        Reply(body=[1, 2]),
        Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
        Reply(body=gzip.compress(b" " * 2**21), headers={"Content-Encoding": "gzip"}),
        Reply(body=b" " * 2**21),
        Reply(302, headers={"Location": f"https://elsewhere.example/login?key={KEY}"}),
    ],
)
def test_an_answer_that_is_no_json_object_is_refused(reply: Reply) -> None:
    with WebApi(lambda _: reply) as server:
        error = refusal(server)
        assert len(server.requests) == 1
    assert error.reason == "bad_response"


def test_the_key_does_not_follow_a_redirect() -> None:
    with WebApi(echo) as other:
        moved = Reply(307, headers={"Location": f"{other.address}/v1/things"})
        with WebApi(lambda _: moved) as server:
            assert other.address.removeprefix("http://") in str(refusal(server))
        assert other.requests == []


def test_a_web_page_in_an_error_is_not_quoted() -> None:
    with WebApi(lambda _: Reply(403, b"<html>" + KEY.encode() + b"</html>")) as server:
        assert "html" not in str(refusal(server))


def test_a_server_that_is_not_there_is_said_so() -> None:
    with WebApi(echo) as server:
        address = server.address
    with (
        client(address) as (api, waits),
        pytest.raises(ApiError, match=r"\(Connection refused\); check the network") as raised,
    ):
        api.get("/v1/things")
    assert (raised.value.reason, raised.value.status) == ("unavailable", None)
    assert len(waits) > 2


@pytest.mark.slow
def test_a_slow_answer_is_given_up() -> None:
    done = threading.Event()

    def slow(_: Asked) -> Reply:
        done.wait(10.0)
        return Reply()

    with WebApi(slow) as server, client(server.address, timeout=0.02) as (api, waits):
        with pytest.raises(ApiError, match=r"no answer within 0\.02 s") as raised:
            api.get("/v1/things")
        done.set()
    assert raised.value.reason == "timeout"
    assert len(waits) > 2


@pytest.mark.parametrize("key", ["sk-admin\nX-Evil: 1", "sk-ädmin-key", "sk-\u2028admin"])
def test_a_key_that_cannot_be_sent_is_not_shown(key: str) -> None:
    with (
        WebApi(echo) as server,
        client(server.address, key=key) as (api, _),
        pytest.raises(ApiError) as raised,
    ):
        api.get("/v1/things")
    assert raised.value.reason == "bad_credentials"
    assert key not in "".join(traceback.format_exception(raised.value))
    assert server.requests == []


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1", "http://user:pass@127.0.0.1:99999"])
def test_an_address_that_is_none_is_said_so(address: str) -> None:
    with client(address) as (api, _), pytest.raises(ApiError) as raised:
        api.get("/v1/things")
    assert raised.value.reason == "bad_url"
    assert "pass" not in str(raised.value)
