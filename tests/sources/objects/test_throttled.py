"""Stores of Azure and Google that answer 429 on a socket: asked again, and told as rate limiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from exporter.core.errors import SourceError
from tests.fakes.s3_proxy import Refusal, S3Proxy, s3_proxy
from tests.support.bucket_world import S3World

pytestmark = pytest.mark.integration

_NOWHERE = ("127.0.0.1", 9)


@pytest.fixture
def throttling() -> Iterator[S3Proxy]:
    with s3_proxy(_NOWHERE) as proxy:
        yield proxy


@pytest.fixture
def world(throttling: S3Proxy, tmp_path: Path) -> Iterator[S3World]:
    made = S3World(tmp_path / "world", throttling, None)
    yield made
    made.ledger.close()


def failure(world: S3World) -> SourceError:
    with pytest.raises(SourceError) as caught:
        world.refresh()
    return caught.value


@pytest.mark.parametrize(
    ("headers", "slept"),
    [((), [1.0, 2.0]), ((("Retry-After", "3"),), [3.0])],
    ids=["without Retry-After", "with Retry-After"],
)
def test_azure_is_asked_again_after_the_pause_that_it_asks_for(
    world: S3World,
    monkeypatch: pytest.MonkeyPatch,
    headers: tuple[tuple[str, str], ...],
    slept: list[float],
) -> None:
    url = f"{world.proxy.url}/devstoreaccount1"
    key = "bm8gc2VjcmV0IGF0IGFsbA=="
    text = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={url};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    world.reads("az://bills/exports/*.csv")
    world.proxy.trouble = lambda _kind, _key: Refusal(429, "TooManyRequests", headers)
    error = failure(world)
    assert (error.reason, world.slept) == ("quota", slept)
    assert "az://bills/exports/* could not be listed" in str(error)
    assert "rate limiting" in str(error)
    assert key not in str(error)


def test_google_is_asked_again_and_told_as_rate_limiting(
    world: S3World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The client has pauses of its own, half a minute of them.
    without_pauses = SimpleNamespace(sleep=lambda _seconds: asyncio.sleep(0))
    monkeypatch.setattr("gcsfs.retry.asyncio", without_pauses)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", world.proxy.url)
    world.patience_seconds = 0
    world.reads("gs://bills/exports/*.csv")
    world.proxy.trouble = lambda _kind, _key: Refusal(429, "")
    error = failure(world)
    assert error.reason == "quota"
    assert "gs://bills/exports/* could not be listed (429): rate limiting" in str(error)
    assert sum(world.proxy.counts.values()) > 1
    assert not [record for record in caplog.records if record.exc_info]
