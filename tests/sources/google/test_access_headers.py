"""The headers that give access to Google's REST APIs: tokens are renewed, tried again, and never told."""

from __future__ import annotations

import pytest
from google.oauth2.credentials import Credentials

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.google.credentials import GoogleIdentity, access_headers
from tests.fakes.web_api import Asked, Fault, Reply, WebApi

API = "https://billingbudgets.googleapis.com"
SECRET = "1//refresh-token-that-nobody-may-see"


def token_service(asked: Asked) -> Reply:
    return Reply(body={"access_token": f"ya29.{asked.path.strip('/')}", "expires_in": 3600})


def a_user(address: str) -> GoogleIdentity:
    credentials = Credentials(  # type: ignore[no-untyped-call]
        None,
        refresh_token=SECRET,
        token_uri=f"{address}/token",
        client_id="id",
        client_secret="secret",
        quota_project_id="shop-prod",
    )
    return GoogleIdentity(credentials, None, "the account in use")


def quick(slept: list[float]) -> Backoff:
    return Backoff(sleep=slept.append, jitter=lambda: 0.5, monotonic=lambda: sum(slept))


def test_a_users_token_comes_with_the_project_that_is_charged_and_is_kept() -> None:
    with WebApi(token_service) as server:
        identity = a_user(server.address)
        first, second = (access_headers(identity, quick([]), API) for _ in range(2))
        assert len(server.asked("/token")) == 1
    assert first == second
    assert first["authorization"] == "Bearer ya29.token"
    assert first["x-goog-user-project"] == "shop-prod"


def test_a_token_service_that_is_gone_is_tried_again_and_then_named() -> None:
    with WebApi(token_service) as server:
        identity = a_user(server.address)
    slept: list[float] = []
    with pytest.raises(SourceError, match="asking for an access token failed") as raised:
        access_headers(identity, quick(slept), API)
    assert raised.value.reason == "unavailable"
    assert slept


def test_a_refused_token_says_what_to_check_and_nothing_of_the_answer() -> None:
    refusal = Reply(400, {"error": "invalid_grant", "error_description": f"bad {SECRET}"})
    with WebApi(token_service, [Fault("/token", refusal, times=9)]) as server:
        slept: list[float] = []
        with pytest.raises(SourceError, match=r"gcp\.credentials_path is still valid") as raised:
            access_headers(a_user(server.address), quick(slept), API)
    assert raised.value.reason == "bad_credentials"
    assert SECRET not in str(raised.value) + repr(raised.value.__cause__)
    assert not slept
