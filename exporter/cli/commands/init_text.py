"""Writes the configuration that `spend-exporter init` makes, with a comment where one would change it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

_PLAIN: Final = re.compile(r"[A-Za-z~/][A-Za-z0-9~/._@-]*")
"""A text that YAML reads as a text without quotes, wherever it stands in a list."""

_WORDS_OF_YAML: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"})


@dataclass(frozen=True, slots=True)
class Answers:
    """What is to be read, and where it is."""

    tables: Sequence[str] = ()
    """Export tables, as project.dataset.table; of different billing accounts."""
    billing_account_id: str | None = None
    project_ids: Sequence[str] = ()
    """Projects with live usage."""
    credentials: Path | None = None
    impersonate: str | None = None
    export_files: Sequence[str] = ()
    focus_files: Sequence[str] = ()
    openai_key_file: Path | None = None
    anthropic_key_file: Path | None = None
    usage_logs: Sequence[str] = ()
    monthly_budget_usd: float | None = None

    @property
    def has_source(self) -> bool:
        """Whether anything is read at all."""
        return any((self.tables, self.export_files, self.focus_files, self.usage_logs)) or bool(
            self.openai_key_file or self.anthropic_key_file
        )


def configuration_text(answers: Answers) -> str:
    """Return the configuration as YAML with comments."""
    lines = [
        "# Made by `spend-exporter init`. docs/configuration.md explains every key.",
        "# `spend-exporter check --config` this file after each change.",
        "",
        "# Only this machine reaches it. For others set web_config_file (TLS, users) as well.",
        "listen: 127.0.0.1:9877",
        "",
        "# The database of what was read. Keep it on a disk that survives restarts.",
        "ledger: spend.duckdb",
        *_google(answers),
        *_llm(answers),
        *_focus(answers),
        *_budget(answers),
    ]
    return "\n".join(lines) + "\n"


def _google(answers: Answers) -> Iterator[str]:
    if not answers.tables and not answers.export_files:
        return
    yield ""
    yield "gcp:"
    if answers.billing_account_id:
        yield f"  billing_account_id: {_text(answers.billing_account_id)}"
    if answers.credentials:
        yield f"  credentials_path: {_text(str(answers.credentials))}"
    if answers.impersonate:
        yield f"  impersonate_service_account: {_text(answers.impersonate)}"
    if answers.project_ids:
        yield "  # Their usage is read live, by the minute, from Cloud Monitoring (roles/monitoring.viewer)."
        yield f"  project_ids: {_list(answers.project_ids)}"
    yield "  billing_export:"
    if answers.export_files:
        yield f"    files: {_list(answers.export_files)}"
        return
    yield "    bigquery:"
    for table in answers.tables:
        yield f"      - table: {_text(table)}"
        yield "        # No query may bill more than this. `check` says what a month of reading costs."
        yield "        max_bytes_billed: 10GiB"


def _llm(answers: Answers) -> Iterator[str]:
    if not (answers.openai_key_file or answers.anthropic_key_file or answers.usage_logs):
        return
    yield ""
    yield "llm:"
    for section, key_file in (("openai", answers.openai_key_file), ("anthropic", answers.anthropic_key_file)):
        if key_file:
            yield f"  {section}: {{admin_key_file: {_text(str(key_file))}}}"
    if answers.usage_logs:
        yield f"  usage_logs: {_list(answers.usage_logs)}"


def _focus(answers: Answers) -> Iterator[str]:
    if answers.focus_files:
        yield ""
        yield "# Bills of any other provider, in the format FOCUS."
        yield "focus:"
        yield f"  files: {_list(answers.focus_files)}"


def _budget(answers: Answers) -> Iterator[str]:
    if answers.monthly_budget_usd is not None:
        yield ""
        yield "# All providers together. docs/budgets.md has budgets by project, label, service and team."
        yield "budgets:"
        yield f"  - {{name: everything, period: month, limit_usd: {answers.monthly_budget_usd:.2f}}}"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    """A text as YAML reads it back."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML
    return text if plain else yaml.safe_dump(text, default_style='"', width=math.inf).strip()
