"""A small company whose bills come from two sources, and the real program that reads them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import exporter
from tests.fakes.llm_admin import OPENAI_KEY, FakeAdminApi
from tests.faults.powers import powerless
from tests.support.certificates import Authority
from tests.support.export_rows import export_row, export_time, write_json_lines
from tests.support.exposed import POLL_SECONDS, Samples, by, until
from tests.support.focus_rows import focus_row, write_focus_csv
from tests.support.running import Running, serving

GOOGLE_USD = 60.0
"""Thirty rows of two dollars, in three files of one day each."""
AWS_USD = 20.0
"""Ten rows of two dollars, in one file."""
SECONDS_BETWEEN_REFRESHES = 0.8
CALLS = 3
"""Lines of the log of calls of a language model."""

_PROGRAM = """
import faulthandler, functools, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
faulthandler.register(signal.SIGUSR1)
from exporter.cli.commands import serve as command
from exporter.cli.main import main

def clock():
    return datetime.now(UTC) + timedelta(days=float(Path("clock.days").read_text() or 0))

command.serve = functools.partial(command.serve, clock=clock)
sys.exit(main())
"""
"""`spend-exporter`, whose clock a file sets ahead."""


@dataclass
class World:
    """The folder, the configuration in it, and the program."""

    folder: Path
    now: datetime
    openai: FakeAdminApi = field(default_factory=lambda: FakeAdminApi(openai=True))
    """A provider that has billed nothing."""
    openai_address: str = ""
    program: Running = field(init=False)
    authority: Authority = field(init=False)
    """Whom the program trusts."""
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

    @property
    def key(self) -> Path:
        """The provider's key."""
        return self.folder / "openai.key"

    @property
    def calls(self) -> Path:
        """The log of calls."""
        return self.folder / "calls.log"

    def call(self, number: int) -> str:
        """A line of the log of calls."""
        line = {
            "timestamp": f"{self.now:%Y-%m-%dT%H:%M:%SZ}",
            "gen_ai.provider.name": "mistral",
            "gen_ai.request.model": "mistral-large",
            "gen_ai.usage.input_tokens": 100 + number,
            "gen_ai.usage.output_tokens": 1,
        }
        return json.dumps(line) + "\n"

    def set_clock(self, days: float) -> None:
        """Set the program's clock ahead of the machine's."""
        (self.folder / "clock.days").write_text(str(days))

    def change_config(self, **keys: Any) -> None:
        """Set keys of the configuration; restore_config sets them back."""
        self.kept.setdefault("config", self.config.read_text())
        self.config.write_text(json.dumps(json.loads(self.config.read_text()) | keys))

    def restore_config(self) -> None:
        """Write the configuration that there was before it was changed."""
        self.config.write_text(self.kept.pop("config"))

    def write(self) -> None:
        """Write the bills and the configuration."""
        for folder in (self.exports, self.bills, self.ledger.parent):
            folder.mkdir()
        self.key.write_text(OPENAI_KEY)
        self.key.chmod(0o600)
        for day in (2, 3, 4):
            self.write_day(day)
        self.write_bill()
        self.calls.write_text("".join(self.call(number) for number in range(CALLS)))
        self.set_clock(0)
        (self.folder / "web.yml").write_text("{}")
        self.authority = Authority(self.folder)
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
                    "llm": {
                        "openai": {"admin_key_file": "openai.key", "base_url": self.openai_address},
                        "usage_logs": ["calls.log"],
                    },
                    "web_config_file": "web.yml",
                    "timeouts": {"request_seconds": 5},
                }
            )
        )

    def start(self, *, whole: bool = True) -> None:
        """Start the program, and wait until both bills are shown whole."""
        certificates = {"REQUESTS_CA_BUNDLE": str(self.authority.certificate)}
        started = serving(
            self.config,
            env=certificates,
            program=_PROGRAM,
            launcher=powerless(),
            trusted=ssl.create_default_context(cafile=self.authority.certificate),
        )
        self.program = self.starting.enter_context(started)
        self.log_begins = 0
        if whole:
            self.wait(self.is_whole, "both bills")

    def stop(self) -> None:
        """Stop the program as its manager does."""
        assert self.program.end() == 0

    def log_since(self) -> str:
        """What the program has logged since the fault happened."""
        return self.program.log()[self.log_begins :]

    def environment(self) -> dict[str, str]:
        """For other programs that run this package."""
        return {**os.environ, "PYTHONPATH": str(Path(exporter.__file__).parents[1])}

    def refused_program(self) -> subprocess.CompletedProcess[str]:
        """Start the program once more on the same configuration, and wait for its end."""
        options = ["--config", str(self.config), "--listen", "127.0.0.1:0"]
        return subprocess.run(
            [*powerless(), sys.executable, "-m", "exporter", "serve", *options],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

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

    def write_many(self, name: str) -> None:
        """Write a bill of AWS with many rows that cost nothing and are hard to compress."""
        chance = random.Random(3)
        begin = self.now - timedelta(days=9)
        rows = [
            focus_row(
                BilledCost="0",
                ConsumedQuantity=f"{chance.random():.12f}",
                ListCost=f"{chance.random():.12f}",
                ChargePeriodStart=f"{begin + timedelta(hours=number % 200):%Y-%m-%dT%H:00:00Z}",
                ChargePeriodEnd=f"{begin + timedelta(hours=number % 200 + 1):%Y-%m-%dT%H:00:00Z}",
                SkuId=f"sku-{number // 200}",
            )
            for number in range(4_000)
        ]
        write_focus_csv(self.bills / name, rows)

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

    def both_are_right(self) -> bool:
        """Whether both bills are shown whole."""
        return self.google_is_right() and self.aws_is_right()

    def is_whole(self) -> bool:
        """Whether both bills are shown whole, and nothing is said to be wrong with them."""
        sources = ("files", "focus")
        return (
            self.both_are_right()
            and all(self.value("spend_source_up", source=source) == 1 for source in sources)
            and all(self.value("spend_source_unreadable_files", source=source) == 0 for source in sources)
            and all(self.value("spend_withheld_retraction_usd", source=source) == 0 for source in sources)
            and self.value("spend_disk_full") == 0
        )

    def is_down(self, source: str) -> bool:
        """Whether the program says that it cannot read a source."""
        return self.value("spend_source_up", source=source) == 0

    def wait(self, condition: Any, what: str) -> None:
        """Wait until the condition holds."""
        until(condition, what, pause_seconds=POLL_SECONDS)


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Run the program until both bills are shown whole, and yield it."""
    made = World(folder, datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    with made.openai.serve() as api, made.starting:
        made.openai_address = api.address
        made.write()
        made.start()
        yield made
