"""Small valid configurations, and how one key of them is set: where the tests of the configuration start."""

from __future__ import annotations

import copy
from typing import Any

from exporter.config.model import Config
from exporter.config.problems import every_key, section_of

TABLE = "project-1.billing.gcp_billing_export_v1_01AB23_4C5D67_89EF01"
BY_NAME: dict[str, Any] = {
    "gcp": {"billing_account_id": "01AB23-4C5D67-89EF01", "project_ids": ["project-1"]}
}
FROM_FILES: dict[str, Any] = {"gcp": {"billing_export": {"files": ["exports/*.parquet"]}}}
FROM_BIGQUERY: dict[str, Any] = {"gcp": {"billing_export": {"bigquery": {"table": TABLE}}}}

_BY_A_RULE = {"openai", "anthropic", "tls", "focus", "bigquery"}
"""Sections whose keys all have defaults, but in which a rule needs some of them."""

REQUIRED: dict[tuple[str, ...], Any] = {
    **{
        path: field.examples[0]
        for path, field in every_key(Config)
        if (section := section_of(field)) is not None
        and field.examples
        and (path[-1] in _BY_A_RULE or any(key.is_required() for key in section.model_fields.values()))
    },
    # An address for which certificates make sense, and both halves of one.
    ("history", "remote_write"): {"url": "https://receiver.internal/api/v1/write"},
    ("history", "remote_write", "tls"): {"cert_file": "client.pem", "key_file": "client.key"},
    # A user and its password.
    ("reports", "mail"): {
        "host": "smtp.example.com",
        "sender": "spend@example.com",
        "to": "finops@example.com",
        "username": "spend",
        "password_file": "mail.password",
    },
}
"""Sections in which some keys must be given, with values for these: the examples that errors give."""


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
            if path[len(section)] == "sql":
                kept = {"name": "aws", "providers": ["aws"]}
            if path[len(section)] == "password_env":
                kept.pop("password_file")
            document = with_value(document, section, kept)
    return document


def document_for(path: tuple[str, ...]) -> dict[str, Any]:
    """A valid document into which the key at the path can be put."""
    if path[:3] == ("gcp", "billing_export", "files"):
        return {}
    if path[0] == "unit_costs":
        return with_value(BY_NAME, ("cost_attribution",), {"shop": ["run"]})
    return with_required(FROM_BIGQUERY if "billing_export" in path else BY_NAME, path)
