"""What a source is: it yields changed partitions of charges or usage when it is refreshed.

A source knows no ledger, no analysis and no metrics; its caller stores what it yields.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from exporter.sources.provider_budgets import ProviderBudget
from exporter.sources.recommendations import NOTHING_RECOMMENDED, Recommendations


@dataclass(frozen=True, slots=True)
class Rejected:
    """Input that was set aside: counted in spend_source_errors_total{reason} and named in the log."""

    reason: str
    """Short snake-case word, a label value: `bad_json`, `bad_cost`, `unreadable_file`, …"""
    count: int
    place: str
    """Where: a file and line, or a table and partition."""
    detail: str
    """What is wrong with it and what to do; never holds a secret."""


@dataclass(frozen=True, slots=True)
class Batch:
    """All charges of one partition; it replaces whatever the ledger had for that partition."""

    partition: str
    cursor: str
    """Opaque state of the partition when it was read; handed back as RefreshContext.known[partition]."""
    charges: Path
    """A spool file with exactly the columns CHARGE_COLUMNS: `.parquet`, or `.csv` by write_spool_csv."""
    rows: int
    """Rows of the provider's export that the charges were made from, without the rejected ones."""
    rejected: tuple[Rejected, ...] = ()
    same_data: bool = False
    """Whether the source still has what it had: it is only read otherwise, by another version or setting."""
    more_follow: bool = False
    """Whether the next change is ready, so that both can be stored at once: small files and days are many."""


@dataclass(frozen=True, slots=True)
class Retraction:
    """The partition no longer exists at the source: its charges leave the ledger."""

    partition: str
    doubt: str = ""
    """Why it is perhaps not gone on purpose; empty where nothing speaks for that."""
    explained: bool = False
    """Whether the configuration no longer asks for it, so that its going needs no other reason."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The partition exists but could not be read: the ledger keeps its last good charges."""

    partition: str
    rejected: Rejected


@dataclass(frozen=True, slots=True)
class Hidden(Unreadable):
    """A place with partitions that cannot be looked into: the source counts as down, the others are read."""


@dataclass(frozen=True, slots=True)
class Doubtful(Unreadable):
    """The partition was read and counts, perhaps wrongly: counted at each refresh, logged when it is new."""


Change = Batch | Retraction | Unreadable


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of checking the set-up; see Source.check."""

    ok: bool
    """False means trouble: it does not work as configured."""
    what: str
    """What was checked, in two or three words: `credentials`, `a first fill`, …"""
    detail: str
    """The result and, where needed, what to do; one or two plain sentences, never a secret."""
    warning: bool = False
    """It works, but the user should know about it."""


@dataclass(frozen=True, slots=True)
class HoursRead:
    """One meter of one project as read for whole hours: what the ledger had for them is replaced."""

    project_id: str
    meter: str
    since: datetime
    """Start of the first hour, aware."""
    until: datetime
    """End of the last hour; it may lie ahead, where the hour has only begun."""
    through: datetime
    """Up to here all usage that can be known was read."""
    cursor: str
    """Opaque; handed back as RefreshContext.known[partition]."""

    @property
    def partition(self) -> str:
        """Key of the cursor."""
        return f"{self.project_id}/{self.meter}"


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """All usage points of some meters of one project, for the hours named by `reads`."""

    reads: tuple[HoursRead, ...]
    points: Path
    """A spool file with exactly the columns USAGE_COLUMNS, by write_usage_csv."""
    rows: int
    """Points in the spool file."""
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageAddition:
    """Usage that was not known before, such as further lines of a log: it is added to what the ledger has."""

    partition: str
    """Key of the cursor; it holds a slash."""
    cursor: str
    """Opaque, kept together with the points or not at all; handed back as RefreshContext.known[partition]."""
    points: Path
    """A spool file with exactly the columns USAGE_COLUMNS, by write_usage_csv."""
    rows: int
    """What the points were made from, in the source's own rows: lines of a log."""
    rejected: tuple[Rejected, ...] = ()
    obsolete: tuple[str, ...] = ()
    """Partitions whose cursors are not needed any more; what was added with them stays."""


UsageChange = UsageBatch | UsageAddition | Unreadable


@dataclass(slots=True)
class RefreshTally:
    """What one refresh used, counted while it runs, and how it reports its progress."""

    requests: int = 0
    billed_bytes: int = 0
    series_returned: int = 0
    """Time series that Cloud Monitoring returned: reads are billed by them."""
    progress: Callable[[str], None] = field(default=lambda _text: None)
    """Called now and then by a long refresh, with one short line."""


@dataclass(frozen=True, slots=True)
class RefreshContext:
    """Everything that a refresh gets."""

    known: Mapping[str, str]
    """Cursor by partition, as committed to the ledger."""
    now: datetime
    latest_plausible: datetime
    """Rows with usage or export times after this are set aside as `future_timestamp`."""
    oldest_kept: datetime
    """Usage before this is not kept by the ledger, so it need not be read."""
    spool: Path
    """An existing folder for spool files; the caller deletes each after it was stored."""
    tally: RefreshTally
    seconds_left: Callable[[], float] = lambda: math.inf
    """Until the refresh must have ended; a request gets no more time than this."""
    stopping: Callable[[], bool] = lambda: False
    """True once the process wants to end: a long refresh then returns early, between batches."""


class BilledReads(Enum):
    """What a provider bills for reading."""

    BYTES = "bytes"
    """Bytes that queries scan, as BigQuery bills them."""
    SERIES = "series"
    """Time series that are returned, as Cloud Monitoring bills them."""


class Source(ABC):
    """One outside system. It overrides what it can do; the defaults say that it cannot."""

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """Label value of `source`, and the key of its partitions in the ledger."""

    @property
    @abstractmethod
    def provider(self) -> str:
        """Label value of `provider` on all that it yields; empty where each row has its own."""

    @property
    def billing_timezone(self) -> str | None:
        """IANA name of the zone of the provider's billing days and months; None where it reads no bill."""
        return None

    @property
    def update_interval(self) -> timedelta | None:
        """How often it is refreshed; None for the interval that is common to all."""
        return None

    @property
    def reads_live_usage(self) -> bool:
        """Whether it reports what the provider's own meters count, before it is billed."""
        return False

    @property
    def billed_reads(self) -> BilledReads | None:
        """What the provider bills for reading; None where reading is free."""
        return None

    @property
    def own_keys(self) -> Mapping[str, str]:
        """Configuration keys that its texts name -> where it has its own: of one entry of a list."""
        return {}

    @abstractmethod
    def refresh(self, context: RefreshContext) -> Iterator[Change | UsageChange]:
        """Yield every partition that changed since its cursor in `context.known`, and usage where it has any.

        Each batch is stored before the next is requested, or together with it where `more_follow`. But after
        the first retraction, all changes of a
        bill are kept, and stored together at the end. So yield retractions first, before a batch that may be
        the same partition under another name. Raises SourceError when the source cannot be read at all.
        """

    @abstractmethod
    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Yield findings one by one: whether a refresh would work, and what it would cost.

        Changes nothing, stores nothing, costs nothing. A problem is a finding, not a SourceError; what cannot
        be checked because of it is left out.
        """

    def reads_partition(self, _partition: str) -> bool | None:
        """Return whether a partition of a source of the same kind is what this one reads; None: not known.

        Asked where an entry of the configuration was renamed, or a list of accounts took the place of one.
        """
        return None

    def account(self, _context: RefreshContext) -> str | None:
        """Return whose usage or bill it reads, where the provider was asked for that; None: not known.

        Asked before each refresh: two sources of a kind with the same account would count it twice. Raises
        SourceError.
        """
        return None

    def recognises(self, _context: RefreshContext) -> bool:
        """Return whether `known` of the context, of a source that is gone, is what this one reads.

        Asked before its first refresh where the ledger does not say whose account that was. Raises
        SourceError.
        """
        return False

    def provider_budgets(self) -> Sequence[ProviderBudget]:
        """Return the budgets that are kept at the provider, as the last refresh read them."""
        return ()

    def recommendations(self) -> Recommendations:
        """Return the provider's suggestions for saving, as the last refresh read them."""
        return NOTHING_RECOMMENDED


def with_own_keys(source: Source, text: str) -> str:
    """Return a text of a source with the keys of its own entry of the configuration."""
    for key, own in source.own_keys.items():
        text = text.replace(key, own)
    return text


def reads_bill(source: Source) -> bool:
    """Return whether the source reports dollars that were billed."""
    return source.billing_timezone is not None


def billing_zones(sources: Iterable[Source]) -> dict[str, str]:
    """Return the billing zone of each provider whose bill one of the sources reads.

    Other sources of the same provider, such as its live usage, have no zone and change none.
    """
    return {
        source.provider: source.billing_timezone
        for source in sources
        if source.provider and source.billing_timezone is not None
    }
