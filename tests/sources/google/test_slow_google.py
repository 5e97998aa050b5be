"""Google's own clients give up a server that never answers whole, and so does what they get tokens from."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials

from exporter.core.errors import SourceError
from exporter.sources.base import RefreshContext, RefreshTally, Source
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.sources.google.recommender.source import RecommenderSource
from tests.fakes.slow_server import SlowServer
from tests.support.exposed import until

SECONDS = 0.2
TABLE = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
QUICK: dict[str, Any] = {"sleep": lambda _seconds: None, "jitter": lambda: 1.0}

Make = Callable[[SlowServer, Path], Source]


def service_account(folder: Path, token_uri: str) -> Path:
    """A key file whose tokens are to be had at an address of ours."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "key.json"
    content = {
        "type": "service_account",
        "project_id": "project-1",
        "private_key": pem.decode(),
        "client_email": "reader@project-1.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def ticking() -> Callable[[], float]:
    """A clock on which the time for trying again is over after some attempts."""
    seconds = iter(range(0, 10**6, 20))
    return lambda: float(next(seconds))


def bigquery(server: SlowServer, _: Path) -> Source:
    return BigQuerySource(
        table=TABLE,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        endpoint=server.address,
        request_seconds=SECONDS,
        monotonic=ticking(),
        **QUICK,
    )


def bigquery_tokens(server: SlowServer, folder: Path) -> Source:
    return BigQuerySource(
        table=TABLE,
        credentials_path=service_account(folder, server.address),
        endpoint=server.address,
        request_seconds=SECONDS,
        monotonic=ticking(),
        **QUICK,
    )


def monitoring(server: SlowServer, _: Path) -> Source:
    return CloudMonitoringSource(
        ("project-1", "project-2"),
        endpoint=server.host,
        plaintext=True,
        attempt_seconds=SECONDS,
        monotonic=ticking(),
        **QUICK,
    )


def recommender(server: SlowServer, _: Path) -> Source:
    return RecommenderSource(
        ("project-1",),
        endpoint=server.address,
        plaintext=True,
        attempt_seconds=SECONDS,
        monotonic=ticking(),
        **QUICK,
    )


def budgets(server: SlowServer, _: Path) -> Source:
    return BillingBudgetsSource(
        "01AB23-4C5D67-89EF01",
        base_url=server.address,
        token=lambda: "token",
        request_seconds=SECONDS,
        monotonic=ticking(),
        **QUICK,
    )


@pytest.mark.slow
@pytest.mark.parametrize("manner", ["silent", "header", "body"])
@pytest.mark.parametrize("make", [bigquery, bigquery_tokens, monitoring, recommender, budgets])
def test_a_server_that_never_answers_whole_is_given_up(make: Make, manner: Any, tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 15, tzinfo=UTC)
    context = RefreshContext(
        known={},
        now=now,
        latest_plausible=now + timedelta(days=1),
        oldest_kept=now - timedelta(days=400),
        spool=tmp_path,
        tally=RefreshTally(),
    )
    with SlowServer(manner) as server:
        with pytest.raises(SourceError) as raised:
            list(make(server, tmp_path).refresh(context))
        if make is not monitoring:
            until(lambda: server.open == 0, "the connections to be cut")
    # On a busy machine the connection itself may take too long.
    assert raised.value.reason in ("timeout", "unavailable", "unreachable")
    assert server.accepted < 12
