"""Several export tables as one source: each with partitions, cursors and a project of its own.

One that fails costs no other: what the others have is read, and the failure is reported at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporter.core.errors import SourceError
from exporter.sources.base import BilledReads, Change, Finding, RefreshContext, Source
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.bigquery.table import account_of


@dataclass(frozen=True, slots=True)
class BigQueryTables(Source):
    """Export tables that are named in full, of different billing accounts."""

    readers: Sequence[BigQuerySource]
    """At least one; each has its table."""
    name: str = field(default="bigquery", init=False)
    provider: str = field(default="gcp", init=False)
    billing_timezone: str = field(default="America/Los_Angeles", init=False)
    billed_reads: BilledReads = field(default=BilledReads.BYTES, init=False)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        """Yield what changed in each table. Raises SourceError after all, with every table that failed."""
        failures: list[SourceError] = []
        for reader, known in self._shares(context.known):
            if context.stopping():
                return
            try:
                yield from reader.refresh(replace(context, known=known))
            except SourceError as error:
                failures.append(error)
        if failures:
            raise SourceError(failures[0].reason, "; ".join(map(str, failures)))

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Report on each table, as BigQuerySource.check."""
        for reader, known in self._shares(context.known):
            for finding in reader.check(replace(context, known=known)):
                yield replace(finding, detail=f"{reader.table}: {finding.detail}")

    def _shares(self, known: Mapping[str, str]) -> list[tuple[BigQuerySource, dict[str, str]]]:
        """Give each reader the known partitions that are its business.

        Those of a table that is listed go to its reader; those of another table to the reader of the same
        billing account, or else to the first one, which decides whether they stay.
        """
        shares: list[dict[str, str]] = [{} for _ in self.readers]
        for partition, cursor in known.items():
            shares[self._place(partition.rpartition("/")[0])][partition] = cursor
        return list(zip(self.readers, shares, strict=True))

    def _place(self, table_id: str) -> int:
        for number, reader in enumerate(self.readers):
            if reader.table == table_id or table_id in reader.replaces:
                return number
        account = account_of(table_id)
        for number, reader in enumerate(self.readers):
            if account is not None and account == account_of(reader.table or ""):
                return number
        return 0
