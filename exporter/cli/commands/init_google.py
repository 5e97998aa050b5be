"""The part of `spend-exporter init` that finds billing exports with the credentials that there are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from exporter.cli.commands.init_questions import Questions
from exporter.cli.commands.init_text import Answers
from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import RefreshTally
from exporter.sources.google.credentials_settings import CredentialsSettings
from exporter.sources.google.discovery import (
    BILLING_URL,
    PATIENCE_SECONDS,
    Discovery,
    FoundExport,
    billing_accounts,
    discover,
)

_MOST_LIVE_PROJECTS = 20
"""Each project costs calls of Cloud Monitoring; whoever wants more adds them."""


def google_answers(answers: Answers, project_ids: Sequence[str], questions: Questions | None) -> Answers:
    """Add the export tables that are found, their account, and the projects for live usage."""
    try:
        found = _discovery(answers, project_ids)
    except SourceError as error:
        _say(f"Google Cloud: {error}")
        return answers
    _report(found)
    chosen = _chosen(found.best_exports, questions)
    if not chosen:
        return answers
    accounts = {export.billing_account_id for export in chosen}
    return replace(
        answers,
        tables=[export.table_id for export in chosen],
        billing_account_id=accounts.pop() if len(accounts) == 1 else None,
        project_ids=found.projects[:_MOST_LIVE_PROJECTS],
    )


def _discovery(answers: Answers, project_ids: Sequence[str]) -> Discovery:
    # Loads google-cloud-bigquery only where there is something to look for.
    from exporter.sources.google.bigquery.session import SCOPE, BigQuerySession  # noqa: PLC0415
    from exporter.sources.google.credentials import (  # noqa: PLC0415
        CLOUD_PLATFORM,
        load_identity,
    )

    settings = CredentialsSettings(answers.credentials, answers.impersonate)
    identity = load_identity(settings, [SCOPE, CLOUD_PLATFORM])
    session = BigQuerySession(
        identity,
        job_project=next(iter(project_ids), None) or identity.project_id or "unknown",
        max_bytes_billed=0,
        tally=RefreshTally(),
        backoff=Backoff(call_seconds=PATIENCE_SECONDS),
    )
    with session:
        return discover(
            session, lambda: billing_accounts(identity, base_url=BILLING_URL), project_ids, _progress
        )


def _report(found: Discovery) -> None:
    _progress("")
    count = len(found.projects)
    seen = "1 project is looked at" if count == 1 else f"{count} projects are looked at"
    _say(f"signed in to Google Cloud as {found.principal}; {seen}")
    for export in found.exports:
        _say(f"  found {_described(export)}")
    for account in found.accounts_without_export:
        _say(
            f"  the billing account {account.billing_account_id} ({account.name}) has no export that can be "
            "seen: turn it on in the console under Billing, Billing export, or ask for "
            "roles/bigquery.dataViewer on its dataset"
        )
    for text in found.unread:
        _say(f"  {text}")
    if not found.exports:
        _say(
            "  no billing export was found. Turn it on in the console under Billing, Billing export, "
            "BigQuery export (the first rows take some hours), or name its project with --project"
        )


def _chosen(exports: Sequence[FoundExport], questions: Questions | None) -> Sequence[FoundExport]:
    """All of them, each of another account, unless somebody says which."""
    if questions is None or len(exports) < 2:
        return exports
    return questions.some_of("Which exports are to be read?", exports, _described)


def _described(export: FoundExport) -> str:
    return f"{export.table_id} ({export.kind} export in {export.location})"


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)  # noqa: T201
