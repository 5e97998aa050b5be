"""What the process that estimates is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from exporter.core.ownership import Ownership
from exporter.metrics.families import FamilySamples
from exporter.metrics.outcomes import Outcome
from exporter.metrics.outlooks.outlook import Outlook

EXTRACT_SPAN: Final = timedelta(days=100)
"""How much of the ledger an estimate reads: 62 days of a bill, and 60 of one by the day."""

OUT_OF_MEMORY: Final = 3
"""Exit code of a process that reached its memory limit."""

DISK_FULL_CODE: Final = 4
"""Exit code of a process that had no room for its result."""

FOLDER_GONE: Final = 5
"""Exit code of a process whose extract somebody has removed."""

Task = Literal["outlooks", "grades"]


@dataclass(frozen=True, slots=True)
class EstimationJob:
    """One estimation, from an extract of the ledger."""

    task: Task
    folder: Path
    """Holds the extract; the result is written here."""
    now: datetime
    sources: tuple[str, ...]
    """Names of those configured."""
    timezones: Mapping[str, str]
    """Billing zone of each provider that has a source of its own."""
    reads_live_usage: bool
    ownership: Ownership
    """Whose usage counts, and which bills have the hour of each cost."""
    carried: bytes = b""
    """What an earlier estimation returned as `carried`."""
    memory_bytes: int = 0
    """Most that the process may allocate; 0 for no limit."""
    cpu_seconds: int = 0
    """Most of a processor's time that it may use; 0 for no limit."""

    @property
    def result(self) -> Path:
        """Where the result is written."""
        return self.folder / "result"

    @property
    def begun(self) -> Path:
        """A file that is there once the process has started and has read the job."""
        return self.folder / "begun"


@dataclass(frozen=True, slots=True)
class Estimates:
    """What an estimation returns."""

    outlooks: tuple[Outlook, ...] = ()
    grades: tuple[FamilySamples, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """How each figure ended."""
    carried: bytes = b""
    """What the next estimation need not compute again; opaque."""
