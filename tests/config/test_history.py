"""The section `history`: which combinations are refused, and that no secret can be put into the file."""

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.config.history import History
from exporter.config.model import parse
from exporter.config.problems import ConfigError
from tests.support.config_documents import BY_NAME, with_value

BASE = Path("/etc/spend-exporter")
URL = "https://receiver.internal/api/v1/write"


def history(section: dict[str, Any]) -> History:
    config = parse(json.dumps(with_value(BY_NAME, ("history",), section)), BASE)
    assert config.history is not None
    return config.history


def reported(section: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        history(section)
    return str(caught.value)


def test_both_parts_are_off_unless_they_are_given() -> None:
    assert history({}) == History(remote_write=None, jsonl=None)
    log = history({"jsonl": {}}).jsonl
    assert log is not None
    assert (log.directory, log.keep_days, log.interval_minutes) == (Path("history"), 400, 15.0)


def test_a_full_remote_write_section_is_ready_to_use() -> None:
    section = {
        "url": f"{URL}/",
        "headers": {"X-Scope-OrgID": "team-1"},
        "basic_auth": {"username": "spend", "password_file": "receiver.password"},
        "tls": {"ca_file": "/ca.pem", "cert_file": "a.pem", "key_file": "a.key", "server_name": "mimir"},
        "since_days": 45,
    }
    remote = history({"remote_write": section}).remote_write
    assert remote is not None
    assert remote.url == URL
    assert remote.headers == {"X-Scope-OrgID": "team-1"}
    assert remote.basic_auth is not None
    assert remote.basic_auth.password_file == BASE / "receiver.password"
    assert remote.tls is not None
    assert (remote.tls.ca_file, remote.tls.key_file) == (Path("/ca.pem"), BASE / "a.key")
    assert remote.since_days == 45


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Proxy-Authorization", "X-Api-Key"])
def test_a_secret_among_the_headers_is_refused_and_not_repeated(name: str) -> None:
    text = reported({"remote_write": {"url": URL, "headers": {name: "Bearer s3cr3t"}}})
    assert f"history.remote_write.headers.{name}" in text
    assert "bearer_token_file" in text
    assert "s3cr3t" not in text


def test_a_header_that_the_protocol_sets_is_refused() -> None:
    text = reported({"remote_write": {"url": URL, "headers": {"Content-Encoding": "gzip"}}})
    assert "headers.Content-Encoding" in text


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"url": URL, "headers": {"X-A": "one\r\nX-B: two"}}, "headers"),
        (
            {"url": URL, "basic_auth": {"username": "a", "password_file": "b"}, "bearer_token_file": "c"},
            "has both basic_auth and bearer_token_file",
        ),
        ({"url": "http://receiver/api/v1/write", "tls": {"ca_file": "ca.pem"}}, "the address is not https"),
        ({"url": URL, "tls": {"cert_file": "a.pem"}}, "has cert_file but not key_file"),
        ({"url": URL, "tls": {"key_file": "a.key"}}, "has key_file but not cert_file"),
        ({"url": "https://me:pw@receiver/"}, "contains a user or a password"),
        ({"headers": {}}, "history.remote_write.url"),
    ],
)
def test_combinations_that_cannot_work_are_reported(section: dict[str, Any], expected: str) -> None:
    assert expected in reported({"remote_write": section})
