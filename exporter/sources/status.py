"""The state of one source, immutable, so that any thread may read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from exporter.sources.base import BilledReads, Rejected


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source is doing. Counts are since the process began."""

    name: str
    up: bool | None
    """Whether the last refresh succeeded; None before the first one has ended, False while one is late."""
    last_success: datetime | None
    """Aware; None if it has not succeeded yet."""
    last_error: str
    """What failed last and what to do, empty if nothing did; never holds a secret."""
    rows: int
    """Rows read so far, without those set aside."""
    rejected: tuple[Rejected, ...]
    """What is set aside in the partitions read since the process began, and what could not be read now."""
    refresh_duration_seconds: float | None = None
    withheld_usd: Decimal | None = None
    """Dollars before credits that are gone at the source and were kept; None where nothing is withheld."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Failures and rows set aside, by reason."""
    requests: int = 0
    billed_bytes: int = 0
    reads_bill: bool = True
    """Whether it reports charges, rather than live usage."""
    billed_reads: BilledReads | None = None
    """What the provider bills for its being read; None where reading is free."""
    series_returned: int = 0
    """Time series that Cloud Monitoring returned, which is what reading them is billed by."""
    update_interval_seconds: float | None = None
    """How often it is refreshed."""
    failed_with: str = ""
    """The reason of the last refresh's failure, empty where it succeeded."""
    read_whole: bool = False
    """Whether it has been read once to its end before now, by this process or an earlier one."""

    @property
    def unreadable_files(self) -> int:
        """How many files cannot be read as a whole."""
        return len({each.place for each in self.rejected if each.reason == "unreadable_file"})

    @property
    def shown(self) -> bool:
        """Whether there are whole figures of it; parts of a first read are not shown."""
        return self.read_whole or self.up is True

    @property
    def awaited(self) -> bool:
        """Whether its first read is under way: what depends on it is not shown until that has ended."""
        return not self.shown and self.up is None

    @property
    def missing(self) -> bool:
        """Whether its first read has failed: sums are without it until it has been read."""
        return not self.shown and self.up is False
