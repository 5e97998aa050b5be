"""What Google credentials can see: projects, billing accounts and billing exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import RefreshTally
from exporter.sources.google.bigquery.table import account_of, export_kind

if TYPE_CHECKING:
    from exporter.sources.google.bigquery.session import BigQuerySession
    from exporter.sources.google.credentials import GoogleIdentity
    from exporter.sources.http.json_api import JsonApi

BILLING_URL: Final = "https://cloudbilling.googleapis.com"
PATIENCE_SECONDS: Final = 20.0
"""For one call: somebody waits."""

_KINDS: Final = ("detailed", "standard", "FOCUS")
"""The one to be read first."""

_MOST_PROJECTS: Final = 300
"""Each takes a call; whoever has more names the one that has the export."""


@dataclass(frozen=True, slots=True)
class FoundExport:
    """A table that Google writes its bill to."""

    table_id: str
    """project.dataset.table"""
    billing_account_id: str
    """As the console writes it, with dashes."""
    location: str

    @property
    def kind(self) -> str:
        """`detailed`, which names resources as well, `standard` or `FOCUS`."""
        return export_kind(self.table_id)


@dataclass(frozen=True, slots=True)
class BillingAccount:
    """A billing account that may be seen."""

    billing_account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, and what could not be looked at."""

    principal: str
    projects: tuple[str, ...]
    exports: tuple[FoundExport, ...]
    """Of an account, the detailed one, then the standard one, then the one in FOCUS, which is a preview."""
    accounts: tuple[BillingAccount, ...]
    """Empty also where accounts may not be listed; `unread` says so then."""
    unread: tuple[str, ...]
    """A sentence for each thing that could not be listed."""

    @property
    def best_exports(self) -> tuple[FoundExport, ...]:
        """One export of each account: two of one account would count every dollar twice."""
        first: dict[str, FoundExport] = {}
        for export in self.exports:
            first.setdefault(export.billing_account_id, export)
        return tuple(first.values())

    @property
    def accounts_without_export(self) -> tuple[BillingAccount, ...]:
        """Accounts whose bill is written nowhere that can be seen."""
        exported = {export.billing_account_id for export in self.exports}
        return tuple(account for account in self.accounts if account.billing_account_id not in exported)


def discover(
    session: BigQuerySession,
    accounts: Callable[[], Sequence[BillingAccount]],
    project_ids: Sequence[str],
    progress: Callable[[str], None],
) -> Discovery:
    """Look through these projects, or all that can be seen. Raises SourceError where none can be listed.

    A project that refuses costs no other: it is in `unread`.
    """
    session.authenticate()
    unread: list[str] = []
    projects = list(project_ids) or session.project_ids()
    if len(projects) > _MOST_PROJECTS:
        unread.append(
            f"only the first {_MOST_PROJECTS} of {len(projects)} projects were looked at: name the one that "
            "has the export with --project"
        )
    exports = list(_exports(session, projects[:_MOST_PROJECTS], progress, unread))
    exports.sort(key=lambda each: (each.billing_account_id, _KINDS.index(each.kind), each.table_id))
    progress("looking for billing accounts")
    found: Sequence[BillingAccount] = ()
    try:
        found = accounts()
    except SourceError as error:
        unread.append(f"the billing accounts cannot be listed: {error}")
    return Discovery(session.principal, tuple(projects), tuple(exports), tuple(found), tuple(unread))


def _exports(
    session: BigQuerySession, projects: Sequence[str], progress: Callable[[str], None], unread: list[str]
) -> Iterator[FoundExport]:
    for number, project in enumerate(projects, 1):
        progress(f"looking for billing exports in {project} ({number} of {len(projects)} projects)")
        try:
            for dataset in session.dataset_ids(project):
                for table in session.table_ids(project, dataset):
                    account = account_of(table)
                    if account is not None:
                        table_id = f"{project}.{dataset}.{table}"
                        location = session.location(f"{project}.{dataset}")
                        yield FoundExport(table_id, account.replace("_", "-"), location)
        except SourceError as error:
            unread.append(str(error))


def billing_accounts(identity: GoogleIdentity, *, base_url: str = BILLING_URL) -> list[BillingAccount]:
    """List the open billing accounts that may be seen. Raises SourceError."""
    from exporter.sources.google.credentials import access_headers  # noqa: PLC0415 (loads an HTTP client)
    from exporter.sources.http.json_api import JsonApi  # noqa: PLC0415

    patience = Backoff(call_seconds=PATIENCE_SECONDS)
    api = JsonApi(
        base_url,
        lambda: access_headers(identity, patience, base_url),
        name="Cloud Billing",
        config_key="gcp.credentials_path",
        tally=RefreshTally(),
        backoff=patience,
        now=lambda: datetime.now(UTC),
        advice={
            403: f"grant {identity.principal} the role Billing Account Viewer (roles/billing.viewer), and "
            "enable the Cloud Billing API; this is needed only to list accounts",
        },
    )
    with api:
        return list(_listed(api))


def _listed(api: JsonApi) -> Iterator[BillingAccount]:
    token = ""
    while True:
        page = api.get("/v1/billingAccounts", {"pageSize": 100, **({"pageToken": token} if token else {})})
        found = page.get("billingAccounts", [])
        for each in found if isinstance(found, list) else ():
            if isinstance(each, dict) and each.get("open"):
                account = str(each.get("name", "")).removeprefix("billingAccounts/")
                yield BillingAccount(account, str(each.get("displayName") or account))
        token = str(page.get("nextPageToken") or "")
        if not token:
            return
