"""When a report is due: some days after its period, at a time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from exporter.reports.period import Kind, ReportPeriod, last_whole

_WAIT_DAYS: Final[dict[Kind, int]] = {"day": 1, "week": 2, "month": 3}
"""Most of a bill arrives within a day or two; the last corrections of a month take longer."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A report for each period of a kind."""

    kind: Kind
    wait_days: int | None = None
    """Whole days after the last of the period; None: as many as the kind needs."""
    at: time = time(8)
    timezone: str = "UTC"

    def due_at(self, period: ReportPeriod) -> datetime:
        """Return when the report on a period is due."""
        wait = _WAIT_DAYS[self.kind] if self.wait_days is None else self.wait_days
        day = period.end + timedelta(days=wait - 1)
        return datetime.combine(day, self.at, ZoneInfo(self.timezone)).astimezone(UTC)

    def latest_due(self, now: datetime) -> ReportPeriod:
        """Return the last period whose report is due."""
        period = last_whole(self.kind, now, [self.timezone])
        while self.due_at(period) > now:
            period = period.before
        return period
