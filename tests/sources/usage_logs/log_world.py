"""A folder of usage logs, the source that tails it, and the ledger that what it finds goes into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.store import UsageLedger
from exporter.refresh.intake import Intake
from exporter.sources.base import RefreshTally, Rejected, Unreadable
from exporter.sources.usage_logs.source import UsageLogsSource

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
METERS = ("llm_tokens", "llm_requests", "llm_list_usd", "llm_unpriced_tokens")

Sums = dict[tuple[str, ...], float]


def call(**changes: Any) -> dict[str, Any]:
    """A line of 1,000 + 500 tokens of gpt-4o: 0.0075 $. Two underscores stand for the dot in a key."""
    fields: dict[str, Any] = {
        "timestamp": "2026-11-20T11:30:00Z",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 500,
    }
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in (fields | named).items() if value is not ...}


def text(*calls: Mapping[str, Any] | str) -> bytes:
    """The bytes of some lines."""
    lines = (each if isinstance(each, str) else json.dumps(each) for each in calls)
    return "".join(f"{line}\n" for line in lines).encode()


def unique(number: int) -> dict[str, Any]:
    """A line that no other is equal to."""
    return call(trace=number, gen_ai__usage__input_tokens=1000 + number)


@dataclass
class LogWorld:
    folder: Path
    source: UsageLogsSource
    ledger: Ledger
    intake: Intake
    rejected: list[Rejected] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    @classmethod
    def at(cls, folder: Path, *, ledger: Path | None = None, **settings: Any) -> LogWorld:
        (folder / "llm").mkdir(parents=True, exist_ok=True)
        (folder / "spool").mkdir(exist_ok=True)
        opened = Ledger(ledger)
        intake = Intake(opened, folder / "spool", timedelta(days=400), lambda: NOW)
        source = UsageLogsSource((str(folder / "llm" / "*"),), **settings)
        return cls(folder, source, opened, intake)

    def path(self, name: str) -> Path:
        return self.folder / "llm" / name

    def append(self, name: str, *calls: Mapping[str, Any] | str) -> None:
        with self.path(name).open("ab") as handle:
            handle.write(text(*calls))

    def refresh(self, *, stop_after: int | None = None) -> int:
        """Refresh and store, at most so many changes; return the rows that came."""
        context = self.intake.context(self.source, RefreshTally(), lambda: False)
        rows = 0
        for number, change in enumerate(self.source.refresh(context)):
            if number == stop_after:
                break
            if isinstance(change, Unreadable):
                self.unreadable.append(change)
            _, new, rejected = self.intake.store(self.source, change, context.latest_plausible)
            rows += new
            self.rejected += rejected
        return rows

    def restart(self) -> None:
        """Begin with a source that knows nothing but what the ledger has."""
        settings = (self.source.batch_bytes, self.source.chunk_bytes, self.source.longest_line_bytes)
        self.source = UsageLogsSource(self.source.patterns)
        self.source.batch_bytes, self.source.chunk_bytes, self.source.longest_line_bytes = settings

    def sums(self, *names: str) -> Sums:
        """Usage by meter and the fields that are named."""
        found: Sums = {}
        with UsageLedger(self.ledger).view() as view:
            for each in view.hourly(NOW - timedelta(days=300), NOW + timedelta(days=2), METERS):
                key = (each.meter, *(str(getattr(each, name)) for name in names))
                found[key] = found.get(key, 0.0) + each.amount
        return found

    @property
    def requests(self) -> float:
        return self.sums().get(("llm_requests",), 0.0)

    @property
    def reasons(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for each in self.rejected:
            counts[each.reason] = counts.get(each.reason, 0) + each.count
        return counts
