"""What the tests of the LLM sources share: a context, refreshing without waiting, and a real ledger."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from exporter.core.charges import CHARGE_COLUMNS, USAGE_COLUMNS
from exporter.ledger.charges.store import Ledger
from exporter.refresh.intake import Intake
from exporter.sources.base import Batch, RefreshContext, RefreshTally, Unreadable, UsageBatch
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource
from exporter.sources.spool import NULL_TEXT

NOW = datetime(2026, 11, 20, 14, 25, tzinfo=UTC)
TODAY = NOW.replace(hour=0, minute=0)
LlmSource = OpenAISource | AnthropicSource


def quick(kind: type[Any], key: str, address: str, **settings: Any) -> Any:
    """A source that waits for nothing, and begins ten days ago."""
    source: LlmSource = kind(
        lambda: key,
        base_url=address,
        sleep=lambda _: None,
        jitter=lambda: 0.5,
        **{"timeout_seconds": 5.0, "history_days": 9, **settings},
    )
    return source


def fresh_context(spool: Path, now: datetime = NOW, **changes: Any) -> RefreshContext:
    spool.mkdir(exist_ok=True)
    told: dict[str, Any] = {
        "known": {},
        "now": now,
        "latest_plausible": now + timedelta(days=1),
        "oldest_kept": now - timedelta(days=400),
        "spool": spool,
        "tally": RefreshTally(),
    }
    return RefreshContext(**(told | changes))


@dataclass
class Told:
    """Everything that one refresh yielded."""

    charges: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By partition."""
    points: list[dict[str, Any]] = field(default_factory=list)
    unread: list[Unreadable] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    usage: list[UsageBatch] = field(default_factory=list)

    @property
    def usd(self) -> Decimal:
        return sum((charge["billed_cost_usd"] for day in self.charges.values() for charge in day), Decimal(0))

    @property
    def set_aside(self) -> list[tuple[str, int]]:
        all_rejected = [rejected for batch in self.batches for rejected in batch.rejected]
        all_rejected += [each.rejected for each in self.unread]
        return sorted((rejected.reason, rejected.count) for rejected in all_rejected)

    def sums(self, *names: str) -> dict[Any, float]:
        """Usage summed by some columns."""
        sums: defaultdict[Any, float] = defaultdict(float)
        for point in self.points:
            sums[tuple(point[name] for name in names)] += point["value"]
        return dict(sums)

    @property
    def known(self) -> dict[str, str]:
        """The cursors that a ledger would keep."""
        cursors = {batch.partition: batch.cursor for batch in self.batches}
        return cursors | {read.partition: read.cursor for batch in self.usage for read in batch.reads}


def told_by(source: LlmSource, context: RefreshContext, told: Told | None = None) -> Told:
    """Refresh once; what came before an error is in `told`."""
    told = told or Told()
    for change in source.refresh(context):
        match change:
            case Batch():
                told.batches.append(change)
                told.charges[change.partition] = _rows(change.charges, CHARGE_COLUMNS)
            case UsageBatch():
                told.usage.append(change)
                told.points += _rows(change.points, USAGE_COLUMNS)
            case Unreadable():
                told.unread.append(change)
            case _:
                raise AssertionError(change)
    return told


def _rows(spool: Path, columns: dict[str, str]) -> list[dict[str, Any]]:
    with spool.open(encoding="utf-8", newline="") as lines:
        rows = [
            {
                name: None if value == NULL_TEXT else _READ.get(columns[name], str)(value)
                for name, value in row.items()
            }
            for row in csv.DictReader(lines)
        ]
    spool.unlink()
    return rows


_READ: dict[str, Callable[[str], Any]] = {
    "DECIMAL(38,18)": Decimal,
    "DOUBLE": float,
    "TIMESTAMP": datetime.fromisoformat,
}


def stored(
    ledger: Ledger, source: LlmSource, spool: Path, clock: Callable[[], datetime], *, at_most: int = 10**6
) -> int:
    """Refresh into a ledger, giving up after some batches; return how many were stored."""
    spool.mkdir(exist_ok=True)
    intake = Intake(ledger, spool, timedelta(days=400), clock)
    context = intake.context(source, RefreshTally(), lambda: False)
    count = 0
    for change in source.refresh(context):
        if count == at_most:
            break
        intake.store(source, change, context.latest_plausible)
        count += not isinstance(change, Unreadable)
    return count


def ledger_state(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """All that a ledger has of money and usage, but for when it was read."""
    queries = {
        "charges": """SELECT provider, project_id, sku_id, sku, charge_category, charge_period_start,
                        sum(billed_cost_usd) FROM charge JOIN series USING (series_id) GROUP BY ALL
                      ORDER BY ALL""",
        "billed": "SELECT sku, billed_usd_total, credit_usd_total FROM series ORDER BY ALL",
        "hours": """SELECT project_id, resource, meter, dimension, hour, sum(amount)
                    FROM usage_hour JOIN usage_series USING (usage_series_id) GROUP BY ALL ORDER BY ALL""",
        "counters": "SELECT project_id, resource, meter, dimension, total FROM usage_series ORDER BY ALL",
    }
    with ledger.reading() as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in queries.items()}
