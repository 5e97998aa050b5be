"""Charges for tests, and spool files of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.sources.spool import write_spool_csv

HOUR = timedelta(hours=1)

_CHARGE = Charge(
    provider="gcp",
    billing_account_id="01AB23-4C5D67-89EF01",
    project_id="shop-prod",
    service_id="6F81-5844-456A",
    service_name="Compute Engine",
    sku_id="CF4E-A0C7-E3BF",
    sku="N2 Core",
    region_id="europe-west4",
    charge_category="usage",
    charge_period_start=datetime(2026, 11, 10, 8, tzinfo=UTC),
    export_hour=datetime(2026, 11, 10, 13, tzinfo=UTC),
    exported_at=datetime(2026, 11, 10, 13, tzinfo=UTC),
    invoice_month="202611",
    billing_currency="USD",
    billed_cost=Decimal("1.25"),
    billed_cost_usd=Decimal("1.25"),
    consumed_quantity=3600.0,
    consumed_unit="seconds",
)

_numbers = count()


def charge(usd: str | Decimal = "1.25", **changes: Any) -> Charge:
    """Return an ordinary charge of so many dollars; `exported_at` follows `export_hour` unless given."""
    if "export_hour" in changes:
        changes.setdefault("exported_at", changes["export_hour"])
    amounts = {"billed_cost": Decimal(usd), "billed_cost_usd": Decimal(usd)}
    return replace(_CHARGE, **{**amounts, **changes})


def put(ledger: Ledger, folder: Path, partition: str, *charges: Charge, source: str = "files") -> None:
    """Put charges into the ledger as a source would have them put."""
    spool = write_spool_csv(folder / f"spool-{next(_numbers)}.csv", charges)
    ledger.put(source, partition, f"cursor of {partition}", spool, len(charges))
    spool.unlink()
