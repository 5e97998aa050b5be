"""A LiteLLM source with the ledger that it fills, for tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.store import UsageLedger
from exporter.refresh.intake import Intake
from exporter.sources.base import Finding, RefreshTally, Rejected
from exporter.sources.litellm.source import LiteLLMSource

NOW = datetime(2026, 11, 20, 16, 37, 20, tzinfo=UTC)
Total = dict[tuple[str, str, str, str], float]
"""By provider, team, key alias and model."""


@dataclass
class Reading:
    """One source and its ledger; sleeping is noted and takes no time."""

    ledger: Ledger
    spool: Path
    source: LiteLLMSource
    now: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source.sleep = self.slept.append
        self.source.jitter = lambda: 0.0
        self.source.monotonic = lambda: sum(self.slept)

    def refresh(self, after: timedelta = timedelta(0), lose: bool = False) -> list[Rejected]:
        """Let time pass and refresh; `lose` is a process that dies before anything is stored."""
        self.now += after
        intake = self.intake
        context = intake.context(self.source, RefreshTally(), lambda: False)
        rejected: list[Rejected] = []
        for change in self.source.refresh(context):
            if not lose:
                rejected += intake.store(self.source, change, context.latest_plausible)[2]
        return rejected

    def restart(self, **changes: Any) -> None:
        """Go on with a new source, which knows only what the ledger knows."""
        self.source = LiteLLMSource(**{"url": self.source.url, "key": self.source.key, **changes})
        self.__post_init__()

    def check(self) -> list[Finding]:
        return list(self.source.check(self.intake.context(self.source, RefreshTally(), lambda: False)))

    @property
    def intake(self) -> Intake:
        return Intake(self.ledger, self.spool, timedelta(days=395), lambda: self.now)

    @property
    def cursors(self) -> dict[str, str]:
        return UsageLedger(self.ledger).cursors("litellm")

    def used(self, meter: str, dimension: str = "", day: str | None = None) -> Total:
        """What the ledger's hours hold, without zeros; of one day (YYYY-MM-DD) or all."""
        sums: Total = defaultdict(float)
        with self.ledger.reading() as connection:
            rows = connection.execute(
                """SELECT provider, project_id, revision, resource, amount
                   FROM usage_hour JOIN usage_series USING (usage_series_id)
                   WHERE meter = ? AND dimension = ? AND coalesce(hour::DATE = ?::DATE, true)""",
                [meter, dimension, day],
            ).fetchall()
        for *caller, amount in rows:
            sums[tuple(caller)] += amount
        return {caller: amount for caller, amount in sums.items() if abs(amount) > 1e-12}

    def counted(self, meter: str) -> float:
        """Sum of the counters, which never fall."""
        with UsageLedger(self.ledger).view() as view:
            totals = view.totals(datetime(2020, 1, 1, tzinfo=UTC))
        return sum(each.total for each in totals if each.meter == meter)


@contextmanager
def reading(spool: Path, url: str, key: str | None, **changes: Any) -> Iterator[Reading]:
    """Read a proxy into an empty ledger in memory."""
    ledger = Ledger(None)
    try:
        source = LiteLLMSource(url, key=None if key is None else lambda: key, **changes)
        yield Reading(ledger, spool, source)
    finally:
        ledger.close()
