"""Source `focus_bigquery`: bills of any provider in FOCUS that lie in tables of BigQuery, or that SQL makes.

The partitions of an entry are the months of its bills. One entry that fails costs no other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.core.kept_tags import kept_tags
from exporter.sources.base import BilledReads, Change, Finding, RefreshContext, Retraction, Source
from exporter.sources.focus.bigquery.check import Checking, findings
from exporter.sources.focus.bigquery.entry import FocusEntry
from exporter.sources.focus.bigquery.opening import Opening
from exporter.sources.focus.bigquery.refreshing import EntryRefresh, Rules
from exporter.sources.focus.columns import Cost

logger = logging.getLogger(__name__)

_CHECK_PATIENCE_SECONDS: Final = 10.0
"""For each call of a check, because a user waits; a refresh has more time."""


@dataclass(slots=True)
class FocusBigQuerySource(Source):
    """Entries of `focus.bigquery`, each with bills of other providers than the others."""

    entries: Sequence[FocusEntry]
    cost: Cost = field(default="billed", kw_only=True)
    usd_per: Mapping[str, Decimal] = field(default_factory=dict, kw_only=True)
    """Currency code -> dollars for a unit of it."""
    owned_by_others: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Providers whose bills another source reads: their rows are left out, so that no dollar counts twice."""
    kept_tags: tuple[str, ...] = field(default=(), kw_only=True)
    update_interval: timedelta = field(default=timedelta(minutes=15), kw_only=True)
    opening: Opening = field(default_factory=Opening, kw_only=True)
    name: str = field(default="focus_bigquery", init=False)
    provider: str = field(default="", init=False)
    """No one provider: each charge has its own."""
    billing_timezone: str = field(default="UTC", init=False)
    billed_reads: BilledReads = field(default=BilledReads.BYTES, init=False)
    _told: set[tuple[str, str]] = field(default_factory=set, init=False, repr=False)

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        """Yield the months that changed in each entry. Raises SourceError after all, with every failure."""
        names = {entry.name for entry in self.entries}
        unlisted = [each for each in context.known if each.rpartition("/")[0] not in names]
        yield from (Retraction(partition, explained=True) for partition in sorted(unlisted))
        rules = Rules(self.cost, self.usd_per, self.owned_by_others, kept_tags(self.kept_tags))
        failures: list[SourceError] = []
        for entry in self.entries:
            if context.stopping():
                return
            try:
                with self.opening.session(entry, context, Backoff()) as session:
                    refresh = EntryRefresh(entry, session, rules, context)
                    yield from refresh.changes()
                    self._tell_owned(entry, refresh.owned)
            except SourceError as error:
                text = f"{entry.place} ({entry.name}): {entry.in_its_words(str(error))}"
                failures.append(SourceError(error.reason, text))
        if failures:
            raise SourceError(failures[0].reason, "; ".join(map(str, failures)))

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Report on each entry by dry runs: credentials, columns, permissions, and what reading costs."""
        checking = Checking(self.cost, bool(self.kept_tags), self.update_interval, _CHECK_PATIENCE_SECONDS)
        for entry in self.entries:
            yield from findings(self.opening, entry, checking, context)

    def _tell_owned(self, entry: FocusEntry, owned: Mapping[str, int]) -> None:
        """Log once for each provider that its rows are left out."""
        for provider, rows in owned.items():
            if (entry.name, provider) not in self._told:
                self._told.add((entry.name, provider))
                logger.info(
                    "%s: %d rows of %s in %s are left out, since they are not among its providers or another "
                    "source reads that bill",
                    self.name,
                    rows,
                    provider,
                    entry.shown,
                )
