"""Files with secrets that everyone on the machine may read are named, each under its key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config.model import parse
from exporter.core.open_files import everyone_reads
from exporter.web.tls import TlsSettings
from exporter.web.web_config import WebConfig
from exporter.wiring.secret_files import open_secrets


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that everyone may enter, with all above it."""
    closed = [each for each in tmp_path.parents if not each.stat().st_mode & 0o001]
    modes = [each.stat().st_mode for each in closed]
    for each in closed:
        each.chmod(0o711)
    tmp_path.chmod(0o755)
    yield tmp_path
    for each, mode in zip(closed, modes, strict=True):
        each.chmod(mode)


def secret(path: Path, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    path.write_text("hidden", encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_file_is_open_if_all_folders_above_it_are(folder: Path) -> None:
    path = secret(folder / "inner" / "key")
    assert everyone_reads(path)
    path.chmod(0o640)
    assert not everyone_reads(path)
    path.chmod(0o644)
    path.parent.chmod(0o750)
    assert not everyone_reads(path)
    assert not everyone_reads(folder / "missing")


def test_a_link_counts_as_what_it_leads_to(folder: Path) -> None:
    link = folder / "link"
    link.symlink_to(secret(folder / "key", 0o600))
    assert not everyone_reads(link)


def test_every_secret_of_the_configuration_is_looked_at_and_none_is_shown(folder: Path) -> None:
    document = {
        "gcp": {"billing_export": {"files": ["a.jsonl"]}, "credentials_path": "google.json"},
        "llm": {"openai": {"admin_key_file": "openai.key"}, "usage_logs": ["a.jsonl"]},
        "history": {
            "remote_write": {
                "url": "https://receiver",
                "bearer_token_file": "token",
                "tls": {"ca_file": "ca", "cert_file": "own", "key_file": "own.key"},
            }
        },
        "reports": [{"name": "a", "period": "month", "slack": {"url_file": "slack.url"}}],
    }
    names = ["google.json", "openai.key", "token", "own.key", "slack.url", "server.key", "adc.json"]
    for name in [*names, "ca", "own", "a.jsonl"]:
        secret(folder / name)
    web = WebConfig(tls=TlsSettings(folder / "server.crt", folder / "server.key"))
    config = parse(json.dumps(document), folder)
    told = open_secrets(config, web, {"GOOGLE_APPLICATION_CREDENTIALS": str(folder / "adc.json")})
    assert [text.partition(":")[0] for text in told] == [
        "gcp.credentials_path",
        "llm.openai.admin_key_file",
        "history.remote_write.bearer_token_file",
        "history.remote_write.tls.key_file",
        "reports[0].slack.url_file",
        "tls_server_config.key_file",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ]
    assert all("run chmod o-r" in text and "hidden" not in text for text in told)
    for name in names:
        (folder / name).chmod(0o600)
    assert not open_secrets(config, web, {})
