"""A small company whose bills come from two sources, and the real program that reads them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import POLL_SECONDS, Samples, by, until
from tests.support.focus_rows import focus_row, write_focus_csv
from tests.support.running import Running, serving

GOOGLE_USD = 60.0
"""Thirty rows of two dollars, in three files of one day each."""
AWS_USD = 20.0
"""Ten rows of two dollars, in one file."""
SECONDS_BETWEEN_REFRESHES = 0.3


@dataclass
class World:
    """The folder, the configuration in it, and the program."""

    folder: Path
    now: datetime
    keys: Mapping[str, Any] = field(default_factory=dict)
    """More keys of the configuration."""
    program: Running = field(init=False)
    log_begins: int = 0
    """Length of the log when the fault happened."""
    starting: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    kept: dict[str, Any] = field(default_factory=dict)
    """What a fault has to remember until it is healed."""

    @property
    def exports(self) -> Path:
        """The folder of Google's export."""
        return self.folder / "exports"

    @property
    def bills(self) -> Path:
        """The folder of the FOCUS bill of AWS."""
        return self.folder / "bills"

    @property
    def ledger(self) -> Path:
        """The database."""
        return self.folder / "data" / "spend.duckdb"

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "config.yml"

    def write(self) -> None:
        """Write the bills and the configuration."""
        for folder in (self.exports, self.bills, self.ledger.parent):
            folder.mkdir()
        for day in (2, 3, 4):
            self.write_day(day)
        self.write_bill()
        minutes = SECONDS_BETWEEN_REFRESHES / 60
        self.config.write_text(
            json.dumps(
                {
                    "ledger": str(self.ledger),
                    "gcp": {
                        "billing_export": {"files": ["exports/*.jsonl"]},
                        "update_interval_minutes": minutes,
                    },
                    "focus": {"files": ["bills/*.csv"], "update_interval_minutes": minutes},
                    **self.keys,
                }
            )
        )

    def start(self) -> None:
        """Start the program, and wait until both bills are shown whole."""
        self.program = self.starting.enter_context(serving(self.config))
        self.wait(self.is_whole, "both bills")

    def write_day(self, days_ago: int) -> Path:
        """Write the export of a day: ten rows, two dollars each."""
        hours = [self.now - timedelta(days=days_ago, hours=hour) for hour in range(10)]
        rows = [
            export_row(
                cost=2.0,
                usage_start_time=export_time(hour),
                usage_end_time=export_time(hour + timedelta(hours=1)),
                export_time=export_time(hour + timedelta(hours=5)),
                invoice={"month": f"{hour:%Y%m}"},
            )
            for hour in hours
        ]
        return write_json_lines(self.exports / f"{days_ago}.jsonl", rows)

    def write_bill(self, name: str = "aws.csv", usd: str = "2") -> Path:
        """Write the bill of AWS: ten rows, two dollars each."""
        begin = self.now - timedelta(days=2)
        rows = [
            focus_row(
                BilledCost=usd,
                ChargePeriodStart=f"{begin + timedelta(hours=hour):%Y-%m-%dT%H:00:00Z}",
                ChargePeriodEnd=f"{begin + timedelta(hours=hour + 1):%Y-%m-%dT%H:00:00Z}",
                BillingPeriodStart=f"{begin:%Y-%m-01T00:00:00Z}",
            )
            for hour in range(10)
        ]
        return write_focus_csv(self.bills / name, rows)

    def scrape(self, *names: str) -> Samples:
        """What the program shows."""
        return self.program.scrape(*names)

    def value(self, name: str, **labels: str) -> float | None:
        """The one value of a metric with these labels; None where there is none."""
        wanted = set(labels.items())
        found = [value for key, value in self.scrape(name)[name].items() if wanted <= set(key)]
        return found[0] if found else None

    def billed(self, provider: str) -> float:
        """Dollars of a provider's bill, over all of it."""
        sums = by(self.scrape("spend_billed_usd_total")["spend_billed_usd_total"], "provider")
        return round(sums.get((provider,), 0.0), 6)

    def google_is_right(self) -> bool:
        """Whether Google's bill is shown whole."""
        return self.billed("gcp") == GOOGLE_USD

    def aws_is_right(self) -> bool:
        """Whether the bill of AWS is shown whole."""
        return self.billed("aws") == AWS_USD

    def is_whole(self) -> bool:
        """Whether both bills are shown whole and both sources can be read."""
        return (
            self.google_is_right()
            and self.aws_is_right()
            and self.value("spend_source_up", source="files") == 1
            and self.value("spend_source_up", source="focus") == 1
        )

    def is_down(self, source: str) -> bool:
        """Whether the program says that it cannot read a source."""
        return self.value("spend_source_up", source=source) == 0

    def wait(self, condition: Any, what: str) -> None:
        """Wait until the condition holds."""
        until(condition, what, pause_seconds=POLL_SECONDS)


@contextlib.contextmanager
def world(folder: Path, **keys: Any) -> Iterator[World]:
    """Run the program until both bills are shown whole, and yield it."""
    made = World(folder, datetime.now(UTC).replace(minute=0, second=0, microsecond=0), keys)
    made.write()
    with made.starting:
        made.start()
        yield made
