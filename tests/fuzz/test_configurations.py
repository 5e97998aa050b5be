"""The configuration and the web configuration: any bytes are one, or a refusal that can be shown."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.model import Config, load
from exporter.config.problems import ConfigError
from exporter.web.web_config import load_web_config
from exporter.wiring.sources import configured_sources, figure_settings
from tests.fuzz.hostile import SECRET, broken, changed, fuzzing
from tests.support import places

pytestmark = pytest.mark.slow

EXAMPLE = (places.DOCS / "spend-exporter.example.yml").read_bytes()
WHOLE: dict[str, Any] = {
    "gcp": {
        "billing_account_id": "01AB23-4C5D67-89EF01",
        "project_ids": ["project-1"],
        "billing_export": {"files": ["exports/*.parquet"]},
        "live_usage": {"rate_card": {"request_usd": 0.1}},
    },
    "llm": {"openai": {"admin_key_file": "key"}, "litellm": {"url": "https://proxy", "key_env": "KEY"}},
    "focus": {"files": ["focus/*.csv", "s3://bucket/*.csv.gz"]},
    "budgets": [{"name": "a", "period": "month", "limit_usd": 10, "match": {"category": "ml"}}],
    "cost_attribution": {"ml": {"projects": ["ml-*"], "labels": {"team": "research"}}},
    "unit_costs": {"order": {"query": "sum(orders)", "prometheus": "http://prometheus:9090"}},
    "history": {"remote_write": {"url": "https://a/write", "password_file": SECRET, "username": "u"}},
    "reports": [{"name": "weekly", "period": "week", "slack": {"url_file": "hook"}}],
}
HASH = "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijklmnopqrstuu"[:60]
WEB: dict[str, Any] = {
    "tls_server_config": {"cert_file": "server.crt", "key_file": "server.key", "min_version": "TLS12"},
    "http_server_config": {"http2": True, "headers": {"X-Frame-Options": "deny"}},
    "basic_auth_users": {"alice": HASH},
}


def shown(error: ConfigError) -> str:
    """The lines of a refusal, each of which can be shown."""
    for problem in error.problems:
        assert str(problem).isprintable(), str(problem)
    return str(error)


def read(path: Path) -> str | Config:
    """Read a configuration and make of it all that needs no network; returns it, or its refusal."""
    try:
        config = load(path)
        figure_settings(config)
        configured_sources(config, {"KEY": SECRET})
    except ConfigError as error:
        return shown(error)
    return config


@fuzzing(4)
@given(data=st.data(), example=st.booleans())
def test_any_bytes_are_a_configuration_or_a_refusal(
    tmp_path: Path, data: st.DataObject, example: bool
) -> None:
    path = tmp_path / "spend.yml"
    path.write_bytes(data.draw(broken(EXAMPLE if example else json.dumps(WHOLE, indent=1).encode())))
    assert read(path)


@fuzzing(4)
@given(document=changed(WHOLE), as_yaml=st.booleans())
def test_any_values_are_a_configuration_or_a_refusal(tmp_path: Path, document: Any, as_yaml: bool) -> None:
    path = tmp_path / "spend.yml"
    text = json.dumps(document)
    if as_yaml:
        # Lone halves of surrogate pairs are not in any file that can be saved.
        with suppress(yaml.YAMLError, UnicodeEncodeError):
            text = yaml.safe_dump(document, allow_unicode=True)
    path.write_text(text, encoding="utf-8", errors="replace")
    assert read(path)


@fuzzing(4)
@given(data=st.data(), values=st.booleans())
def test_any_bytes_are_a_web_configuration_or_a_refusal_without_a_hash(
    tmp_path: Path, data: st.DataObject, values: bool
) -> None:
    path = tmp_path / "web.yml"
    if values:
        path.write_bytes(json.dumps(data.draw(changed(WEB))).encode())
    else:
        path.write_bytes(data.draw(broken(yaml.safe_dump(WEB).encode())))
    try:
        told = repr(load_web_config(path))
    except ConfigError as error:
        told = shown(error)
    assert HASH[7:40] not in told
