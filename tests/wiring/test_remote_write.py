"""The section history.remote_write becomes a receiver that has what the section says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.config.model import parse
from exporter.core.errors import SourceError
from exporter.history.remote_write import Receiver
from exporter.ledger.charges.store import Ledger
from exporter.wiring.remote_write import history_sender, receiver
from exporter.wiring.sources import history_divisions
from tests.fakes.query_api import query_api
from tests.fakes.remote_receiver import RemoteReceiver
from tests.support.charge_rows import charge, put
from tests.support.config_documents import FROM_FILES

URL = "https://mimir.example.com/api/v1/push"
NOW = datetime(2026, 11, 11, 7, tzinfo=UTC)
"""Less than a day after the charge."""


def made(folder: Path, **section: Any) -> Receiver:
    config = parse(json.dumps({**FROM_FILES, "history": {"remote_write": {"url": URL, **section}}}), folder)
    assert config.history is not None
    assert config.history.remote_write is not None
    return receiver(config.history.remote_write, 30.0)


def test_address_headers_and_certificates_are_taken_over(tmp_path: Path) -> None:
    tls = {"ca_file": "ca.pem", "cert_file": "own.pem", "key_file": "own.key", "server_name": "mimir"}
    assert made(tmp_path, headers={"X-Scope-OrgID": "team-1"}, tls=tls) == Receiver(
        URL,
        {"X-Scope-OrgID": "team-1"},
        ca_file=str(tmp_path / "ca.pem"),
        certificate=(str(tmp_path / "own.pem"), str(tmp_path / "own.key")),
        server_name="mimir",
    )
    assert made(tmp_path) == Receiver(URL)


def test_secrets_are_read_again_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    basic = made(tmp_path, basic_auth={"username": "spend", "password_file": "secret"})
    bearer = made(tmp_path, bearer_token_file="secret")
    assert basic.authorization is not None
    assert bearer.authorization is not None
    for secret in ("hunter2", "hunter3"):
        file.write_text(f"{secret}\n")
        assert basic.authorization() == ("spend", secret)
        assert bearer.authorization() == (secret,)
    assert "hunter" not in repr(basic) + repr(bearer)
    file.unlink()
    with pytest.raises(SourceError, match="basic_auth"):
        basic.authorization()


@pytest.mark.slow
def test_a_secret_that_is_missing_is_reported_and_what_is_billed_waits(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", charge("1"))
    with RemoteReceiver() as server:
        section = {"url": server.url, "bearer_token_file": "token", "since_days": 1}
        config = parse(json.dumps({**FROM_FILES, "history": {"remote_write": section}}), tmp_path)
        sender = history_sender(config, ledger, ["files"], lambda: NOW, {"gcp": "America/Los_Angeles"})
        assert sender is not None
        assert sender.send() == 0
        assert sender.status.failures == {"no_credentials": 1}
        (tmp_path / "token").write_text("hunter2")
        assert sender.send() is None
        assert server.headers[-1]["Authorization"] == "Bearer hunter2"
        assert sorted(dict(labels)["__name__"] for labels in server.sums()) == [
            "spend_daily_usd",
            "spend_hourly_usd",
        ]
        assert list(server.sums().values()) == [1.0, 1.0]
    ledger.close()


@pytest.mark.slow
def test_two_exporters_with_jobs_of_their_own_do_not_mix_in_one_store(tmp_path: Path) -> None:
    with RemoteReceiver() as server, query_api(server) as api:
        for job, usd in (("spend-production", "8"), ("spend-staging", "1")):
            ledger = Ledger(None)
            put(ledger, tmp_path, "a", charge(usd))
            section = {"url": server.url, "since_days": 1, "query_url": api.url}
            document = {
                **FROM_FILES,
                "cost_attribution": {"all": {"projects": ["*"]}},
                "history": {"job": job, "remote_write": section},
            }
            config = parse(json.dumps(document), tmp_path)
            zones = {"gcp": "America/Los_Angeles"}
            divided = history_divisions(config)
            sender = history_sender(config, ledger, ["files"], lambda: NOW, zones, divisions=divided)
            assert sender is not None
            assert sender.send() is None
            # The store is asked for the exporter's own job alone.
            assert sender.compare() == []
            assert f'{{job="{job}"}}' in api.asked[-1]["query"]
            ledger.close()
        found = {
            (dict(labels)["job"], dict(labels)["__name__"]): usd for labels, usd in server.sums().items()
        }
    names = ("spend_hourly_usd", "spend_daily_usd", "spend_category_daily_usd")
    assert found == {
        (job, name): usd for job, usd in (("spend-production", 8.0), ("spend-staging", 1.0)) for name in names
    }


def test_without_the_section_nothing_is_sent(tmp_path: Path) -> None:
    ledger = Ledger(None)
    assert history_sender(parse(json.dumps(FROM_FILES), tmp_path), ledger, [], lambda: NOW, {}) is None
    ledger.close()
