"""Small valid configurations, and how one key of them is set: where the tests of the configuration start."""

from __future__ import annotations

import copy
from typing import Any

TABLE = "project-1.billing.gcp_billing_export_v1_01AB23_4C5D67_89EF01"
BY_NAME: dict[str, Any] = {
    "gcp": {"billing_account_id": "01AB23-4C5D67-89EF01", "project_ids": ["project-1"]}
}
FROM_FILES: dict[str, Any] = {"gcp": {"billing_export": {"files": ["exports/*.parquet"]}}}
FROM_BIGQUERY: dict[str, Any] = {"gcp": {"billing_export": {"bigquery": {"table": TABLE}}}}

REQUIRED: dict[tuple[str, ...], Any] = {
    ("gcp", "live_usage", "rate_card"): {
        "request_usd": 0.000024,
        "cpu_second_usd": 0.000009,
        "memory_gb_second_usd": 0.0000025,
        "transferred_gb_usd": 0.12,
    },
    ("llm", "openai"): {"admin_key_file": "openai.key"},
    ("llm", "anthropic"): {"admin_key_file": "anthropic.key"},
    ("llm", "litellm"): {"url": "http://127.0.0.1:4000"},
    ("focus",): {"files": ["focus/*.csv"]},
    ("history", "remote_write"): {"url": "https://receiver.internal/api/v1/write"},
    ("history", "remote_write", "basic_auth"): {"username": "spend", "password_file": "receiver.password"},
    ("history", "remote_write", "tls"): {"cert_file": "client.pem", "key_file": "client.key"},
}
"""Sections in which some keys must be given, with values for these."""


def with_value(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """A copy of the document with one key set, its sections made as needed."""
    changed = copy.deepcopy(document)
    section: Any = changed
    for part in path[:-1]:
        section = section.setdefault(part, {})
    section[path[-1]] = value
    return changed


def with_required(document: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """A copy of the document with what the section around a key needs, but for the key itself."""
    for section, values in REQUIRED.items():
        if path[: len(section)] == section and len(path) > len(section):
            kept = {key: value for key, value in values.items() if key != path[len(section)]}
            if path[len(section)] == "admin_key_env":
                kept = {}
            document = with_value(document, section, kept)
    return document


def document_for(path: tuple[str, ...]) -> dict[str, Any]:
    """A valid document into which the key at the path can be put."""
    if path[:3] == ("gcp", "billing_export", "files"):
        return {}
    if path[0] == "unit_costs":
        return with_value(BY_NAME, ("cost_attribution",), {"shop": ["run"]})
    return with_required(FROM_BIGQUERY if "billing_export" in path else BY_NAME, path)
