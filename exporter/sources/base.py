"""What a source is: something that, when asked to refresh, yields changed partitions of charges.

A source knows no ledger, no analysis and no metrics; whoever calls it stores what it yields.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Final, Protocol

from exporter.core.charges import CHARGE_COLUMNS, USAGE_COLUMNS, Charge, UsagePoint

NULL_TEXT: Final = "\\0"
"""How a CSV spool file writes that there is no value."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Input that was set aside: counted in spend_source_errors_total{reason} and told in the log."""

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


@dataclass(frozen=True, slots=True)
class Retraction:
    """The partition no longer exists at the source: its charges leave the ledger."""

    partition: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The partition exists but could not be read: the ledger keeps its last good charges."""

    partition: str
    rejected: Rejected


Change = Batch | Retraction | Unreadable


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a look at the set-up found out; see Source.check."""

    ok: bool
    """False is trouble: what was looked at does not work as configured."""
    what: str
    """What was looked at, in two or three words: `credentials`, `a first fill`, …"""
    detail: str
    """What is so and, where needed, what to do; one or two plain sentences, never a secret."""
    warning: bool = False
    """It works, and somebody should know this all the same."""


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
class Meter:
    """What one refresh used, counted while it runs; and a way to say how far it is."""

    requests: int = 0
    billed_bytes: int = 0
    series_returned: int = 0
    """Time series that Cloud Monitoring returned: reads are billed by them."""
    progress: Callable[[str], None] = field(default=lambda _text: None)
    """Called with one short line now and then by a refresh that takes long."""


@dataclass(frozen=True, slots=True)
class RefreshContext:
    """Everything a refresh is told from outside."""

    known: Mapping[str, str]
    """Cursor by partition, as committed to the ledger."""
    now: datetime
    latest_plausible: datetime
    """Rows with usage or export times after this are set aside as `future_timestamp`."""
    oldest_kept: datetime
    """Usage before this is not kept by the ledger, so it need not be read."""
    spool: Path
    """An existing folder for spool files; the caller deletes each after it was stored."""
    meter: Meter
    stopping: Callable[[], bool] = lambda: False
    """True once the process wants to end: a long refresh then returns early, between batches."""


class Source(Protocol):
    """One outside system."""

    @property
    def name(self) -> str:
        """Label value of `source`, and the key of its partitions in the ledger."""
        ...

    @property
    def provider(self) -> str:
        """Label value of `provider` on all its charges."""
        ...

    @property
    def billing_timezone(self) -> str:
        """IANA name of the zone whose days and months are the provider's billing days and months."""
        ...

    def refresh(self, context: RefreshContext) -> Iterator[Change | UsageChange]:
        """Yield every partition that changed since its cursor in `context.known`, and usage if it knows any.

        Lazily: each batch is stored before the next is asked for. Raises SourceError when the source as a
        whole cannot be read; what was yielded before stays valid.
        """
        ...

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Yield, one by one as it is known, whether a refresh would work and what it would cost.

        Changes nothing, stores nothing, costs nothing. What goes wrong is a finding rather than a
        SourceError; what cannot be looked at because of it is left out.
        """
        ...


class UsageSource(Protocol):
    """One outside system that tells live usage rather than money."""

    @property
    def name(self) -> str:
        """Label value of `source`, and the key of its cursors in the ledger."""
        ...

    @property
    def provider(self) -> str:
        """Label value of `provider` on all its usage points."""
        ...

    def refresh(self, context: RefreshContext) -> Iterator[UsageChange]:
        """Yield what was used since the cursors in `context.known`, and again what may have been late.

        Lazily, as Source.refresh. Raises SourceError when nothing at all could be read.
        """
        ...

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Say whether a refresh would work and what it would cost, as Source.check."""
        ...


def write_usage_csv(path: Path, points: Iterable[UsagePoint]) -> Path:
    """Write usage points row by row as a CSV spool file (exact floats, UTC times) and return its path."""
    return _write_csv(path, tuple(USAGE_COLUMNS), points)


def write_spool_csv(path: Path, charges: Iterable[Charge]) -> Path:
    """Write charges row by row as a CSV spool file (exact decimals, UTC times) and return its path."""
    return _write_csv(path, tuple(CHARGE_COLUMNS), charges)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[Charge] | Iterable[UsagePoint]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        # Not dataclasses.astuple: it copies every value deeply, which takes longer than all the rest.
        fields = attrgetter(*columns)
        for row in rows:
            writer.writerow([_csv_value(value) for value in fields(row)])
    return path


def _csv_value(value: object) -> object:
    if value is None:
        return NULL_TEXT
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value
