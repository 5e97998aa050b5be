"""One entry of `focus.bigquery`: what it reads, as whom, and how its failures are worded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from exporter.sources.google.bigquery.errors import Advice

DEFAULT_MAX_BYTES_BILLED: Final = 10 * 2**30

SECTION: Final = "focus.bigquery"


@dataclass(frozen=True, slots=True)
class FocusEntry:
    """A table or a query with FOCUS columns."""

    name: str
    """Its partitions begin with it."""
    table: str | None = None
    """project.dataset.table; None for a query."""
    sql: str | None = None
    providers: frozenset[str] = frozenset()
    """The only providers whose rows count; all where it is empty."""
    max_bytes_billed: int = DEFAULT_MAX_BYTES_BILLED
    location: str | None = None
    job_project: str | None = None
    """Project that runs, and pays for, the queries; else that of the credentials, else that of the table."""
    credentials_path: Path | None = None
    impersonate_service_account: str | None = None
    place: str = SECTION
    """Its key path in the configuration."""
    own_credentials: bool = False
    """Whether the entry has credentials of its own, in place of those of `gcp`."""

    @property
    def relation(self) -> str:
        """What follows FROM."""
        # On a line of its own, so that a comment at a query's end is no trouble.
        return f"`{self.table}`" if self.table else f"(\n{(self.sql or '').strip().rstrip(';')}\n)"

    @property
    def shown(self) -> str:
        """What is read, for people."""
        return self.table or f"the query {self.name}"

    def partition(self, month: str) -> str:
        """Return the name of the partition of a month."""
        return f"{self.name}/{month}"

    def month_of(self, partition: str) -> str | None:
        """Return the month of a partition of this entry; None for one of another."""
        name, _, month = partition.rpartition("/")
        return month if name == self.name else None

    def in_its_words(self, text: str) -> str:
        """Return a text with the keys of the billing export replaced by those of the entry."""
        keys = {
            "gcp.billing_export.bigquery.max_bytes_billed": f"{self.place}.max_bytes_billed",
            "gcp.billing_export.bigquery.table": f"{self.place}.table",
            "gcp.update_interval_minutes": "focus.update_interval_minutes",
        }
        if self.own_credentials:
            keys["gcp.credentials_path"] = f"{self.place}.credentials_path"
            keys["gcp.impersonate_service_account"] = f"{self.place}.impersonate_service_account"
        for key, own in keys.items():
            text = text.replace(key, own)
        return text

    def advice(self) -> Mapping[str, Advice]:
        """What to do of Google's reasons where the billing export's advice does not fit."""
        data = f"the dataset of {self.table}" if self.table else f"the datasets that {self.place}.sql reads"
        return {
            "accessDenied": (
                "permission_denied",
                lambda at: (
                    f"grant {at.principal} roles/bigquery.jobUser on the project {at.job_project} "
                    f"and roles/bigquery.dataViewer on {data}"
                ),
            ),
            "notFound": ("not_found", lambda at: self._not_found(at.location)),
            "invalidQuery": (
                "invalid_query",
                lambda _at: (
                    f"correct {self.place}.sql: it has to be one SELECT in BigQuery's SQL"
                    if self.sql
                    else f"BigQuery cannot read {self.table} like this: where it needs a condition, or gives "
                    f"columns in other types, write {self.place}.sql in place of {self.place}.table"
                ),
            ),
        }

    def _not_found(self, location: str | None) -> str:
        key = f"{self.place}.{'table' if self.table else 'sql'}"
        if self.location:
            return f"check {key}, and that its data is in {self.location}, as {self.place}.location says"
        found = f" (the queries ran in {location})" if location else ""
        return f"check {key}; if its data is in another location, set {self.place}.location{found}"
