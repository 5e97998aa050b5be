"""A ledger with a bill for tests of questions, and the same sums made from the charges themselves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.core.charges import Charge, tags_of, tags_text
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.ledger.charges.store import Ledger
from exporter.ledger.unit_counts import KeptUnitCounts, UnitCount
from exporter.metrics.attribution import BusinessUnit
from exporter.metrics.model_names import ModelNames
from exporter.questions.asking import Questions
from exporter.questions.dimensions import Dimensions
from tests.support.charge_rows import HOUR, charge, put
from tests.support.history_world import PACIFIC

NOW: Final = datetime(2026, 11, 20, 16, 37, tzinfo=UTC)
QUOTED: Final = 'te"am, x'
"""The key of a label."""
ZONES: Final = {"gcp": "America/Los_Angeles", "openai": "UTC"}

ORDER: Final = BusinessUnit("order", Match(projects=("shop-*",)))
COUNTED: Final = {date(2026, 10, 29) + timedelta(days=number): 10.0 + number for number in range(0, 16, 3)}
"""Orders on some days of `many_charges`."""

_PLACES: Final = [("shop-prod", "europe-west4"), ("shop-dev", "us-central1"), ('odd "name"', "")]
_CORE: Final = tags_text({"label:team": "core"})
_WEB: Final = tags_text({"label:team": "web", f"label:{QUOTED}": "1"})


def many_charges(seed: int, first: date = date(2026, 10, 29), days: int = 16) -> list[Charge]:
    """Some hundred charges around the end of summer time, of two providers, with credits and corrections."""
    chance = random.Random(seed)
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    found = []
    for _ in range(300):
        project, region = chance.choice(_PLACES)
        sku = chance.randrange(4)
        found.append(
            charge(
                Decimal(chance.randrange(-(10**9), 10**12)) / 10**12,
                charge_period_start=begin + chance.randrange(days * 24) * HOUR,
                project_id=project,
                region_id=region,
                service_name=chance.choice(["Compute Engine", "Cloud Run"]),
                sku_id=f"sku-{sku}",
                sku=f"SKU {sku}",
                charge_category=chance.choice(["usage", "usage", "credit", "adjustment", "tax"]),
                consumed_quantity=float(chance.randrange(1000)),
                consumed_unit=chance.choice(["seconds", "requests"]),
                tags=chance.choice(["", _CORE, _WEB]),
            )
        )
    for day in range(days):
        found.append(
            charge(
                Decimal(chance.randrange(10**10)) / 10**9,
                provider="openai",
                billing_account_id="org",
                project_id="",
                service_id="openai-api",
                service_name="OpenAI API",
                sku_id="gpt-4o/input",
                sku="gpt-4o, input",
                charge_period_start=begin + timedelta(days=day),
                export_hour=begin + timedelta(days=day + 1),
                consumed_unit="tokens",
            )
        )
    return found


def zone_of(each: Charge) -> object:
    return PACIFIC if each.provider == "gcp" else UTC


VALUES: Final[dict[str, Callable[[Charge], str]]] = {
    "provider": lambda each: each.provider,
    "billing_account": lambda each: each.billing_account_id,
    "project": lambda each: each.project_id,
    "service": lambda each: each.service_name,
    "sku": lambda each: each.sku,
    "sku_id": lambda each: each.sku_id,
    "region": lambda each: each.region_id,
    "charge_category": lambda each: each.charge_category,
    "category": lambda each: (
        "core"
        if tags_of(each.tags).get("label:team") == "core"
        else "shop"
        if each.project_id.startswith("shop-")
        else "unattributed"
    ),
    "model": lambda each: "gpt-4o" if each.provider == "openai" else "",
    "label.team": lambda each: tags_of(each.tags).get("label:team", ""),
    f"label.{QUOTED}": lambda each: tags_of(each.tags).get(f"label:{QUOTED}", ""),
}
"""Each dimension's value, read from the charge."""


def dimensions() -> Dimensions:
    rules = [
        Rule("core", Match(labels={"team": ("core",)}), "core"),
        Rule("shop", Match(projects=("shop-*",)), "shop"),
    ]
    return Dimensions(
        ("label:team", f"label:{QUOTED}"), Attribution(rules), ModelNames(GCP_LLM_SERVICE_IDS), (ORDER,)
    )


def questions(ledger: Ledger, now: datetime = NOW) -> Questions:
    return Questions(lambda: ledger.view(["files", "openai"]), dimensions(), ZONES, clock=lambda: now)


@contextmanager
def asked_ledger(folder: Path, rows: Sequence[Charge]) -> Iterator[Questions]:
    """Yield questions about a ledger in memory."""
    ledger = Ledger(None)
    try:
        put(ledger, folder, "all", *(row for row in rows if row.provider == "gcp"))
        put(ledger, folder, "all", *(row for row in rows if row.provider == "openai"), source="openai")
        KeptUnitCounts(ledger).keep(
            [UnitCount("order", day, each, "q", "UTC") for day, each in COUNTED.items()]
        )
        yield questions(ledger)
    finally:
        ledger.close()
