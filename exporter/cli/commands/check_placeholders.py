"""Names from the documentation's examples that still stand in a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from exporter.config.model import Config
from exporter.sources.base import Finding
from exporter.sources.google.bigquery.table import account_of

_ACCOUNTS: Final = frozenset({"01AB23-4C5D67-89EF01", "0123AB-4567CD-89EF01", "0A0A0A-1B1B1B-2C2C2C"})
_PROJECT: Final = re.compile(r"(my|your|other)-project.*|project-\d|my-gcp-project")


def placeholder_findings(config: Config) -> Iterator[Finding]:
    """Report each account and project that is one of the documentation's examples."""
    google = config.google
    if google is None:
        return
    tables = [each.table for each in (google.billing_export and google.billing_export.bigquery) or ()]
    accounts = [google.billing_account_id or "", *((account_of(table) or "") for table in tables)]
    for account in dict.fromkeys(each.replace("_", "-") for each in accounts):
        if account in _ACCOUNTS:
            yield Finding(
                False,
                "placeholder",
                f"the billing account {account} is the documentation's example: "
                "`gcloud billing accounts list` shows yours",
            )
    projects = [*google.project_ids, *(table.rsplit(".", 2)[0] for table in tables)]
    for project in dict.fromkeys(projects):
        if _PROJECT.fullmatch(project):
            yield Finding(
                False,
                "placeholder",
                f"the project {project} is the documentation's example: `gcloud projects list` shows yours",
            )
