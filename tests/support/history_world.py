"""Months of charges for tests of history: Google's bill by the hour, OpenAI's by the day."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from tests.support.charge_rows import HOUR, charge, put

PACIFIC = ZoneInfo("America/Los_Angeles")


def charges(first: date, end: date, seed: int = 1) -> Iterator[Charge]:
    """Yield the charges of the billing days in [first, end), amounts to the billionth of a dollar."""
    chance = random.Random(seed)

    def usd(limit: int) -> Decimal:
        return Decimal(chance.randrange(limit * 10**9)) / 10**9

    hour, last = (datetime.combine(day, time(), PACIFIC).astimezone(UTC) for day in (first, end))
    while hour < last:
        billed = usd(3)
        yield charge(billed, charge_period_start=hour, list_cost_usd=2 * billed)
        yield charge(-usd(1), charge_period_start=hour, charge_category="credit")
        yield charge(usd(2), charge_period_start=hour, sku_id="another", project_id='odd "name"')
        hour += HOUR
    day = datetime.combine(first, time(), UTC)
    while day.date() < end:
        yield charge(
            usd(90),
            provider="openai",
            billing_account_id="org",
            service_id="openai-api",
            service_name="OpenAI API",
            sku_id="gpt-4o/input",
            sku="gpt-4o, input",
            charge_period_start=day,
            export_hour=day + timedelta(days=1),
        )
        day += timedelta(days=1)


def billing_day(each: Charge) -> date:
    """Return the billing day of a charge."""
    return each.charge_period_start.astimezone(PACIFIC if each.provider == "gcp" else UTC).date()


def keep(folder: Path, rows: list[Charge]) -> Path:
    """Put the charges into a ledger in the folder and return the path of a configuration of it."""
    ledger = Ledger(folder / "spend.duckdb")
    put(ledger, folder, "all", *(row for row in rows if row.provider == "gcp"))
    put(ledger, folder, "all", *(row for row in rows if row.provider == "openai"), source="openai")
    ledger.close()
    path = folder / "config.yml"
    gcp = {"billing_export": {"files": [str(folder / "export/*.csv")]}}
    llm = {"openai": {"admin_key_env": "SPEND_TEST_KEY"}}
    path.write_text(json.dumps({"ledger": str(folder / "spend.duckdb"), "gcp": gcp, "llm": llm}))
    return path
