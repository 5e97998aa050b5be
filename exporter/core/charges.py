"""The two kinds of row: the charge, which every bill becomes, and the usage point, live and without a price.

Charges use the terms of FinOps FOCUS. Nothing downstream of a source depends on where a row came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

EARLIEST_PLAUSIBLE: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""Usage or export times before this are no real times: no billing export reaches back so far."""

FARTHEST_AHEAD: Final = timedelta(days=3660)
"""Usage may begin so long after the present: a plan can be paid for some years ahead."""

LARGEST_PLAUSIBLE: Final = Decimal(10) ** 12
"""An export row whose amount is not smaller than this (in any currency) is refused as damaged."""

CHARGE_CATEGORIES: Final = ("usage", "purchase", "tax", "adjustment", "credit")
"""The categories of a charge; together they sum to net cost. `credit` is Credit in FOCUS."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money billed for one hour of usage of one SKU, as it arrived in one hour of the export.

    Rows of a bill that agree in every field but the amounts are one charge, their amounts summed.
    Times are UTC and aware. A dimension that the bill leaves out is the empty string.
    """

    provider: str
    billing_account_id: str
    project_id: str
    service_id: str
    service_name: str
    sku_id: str
    sku: str
    region_id: str
    charge_category: str
    """One of CHARGE_CATEGORIES."""
    charge_period_start: datetime
    """Start of the hour in which the usage began."""
    export_hour: datetime
    """Start of the hour in which the provider wrote the row: when the charge became known."""
    exported_at: datetime
    """Latest exact time within export_hour at which a part of this charge was written."""
    invoice_month: str
    """YYYYMM of its invoice, or empty where the provider does not report it."""
    billing_currency: str
    billed_cost: Decimal
    """In billing_currency; credits are negative."""
    billed_cost_usd: Decimal | None
    """The same in US dollars, converted row by row at the bill's own rate. None where the bill gives no rate,
    or no real time of usage: such a charge counts on its invoice alone."""
    consumed_quantity: float
    consumed_unit: str
    tags: str = ""
    """The labels and tags that the configuration uses, in the format of `tags_text`."""
    charge_period_end: datetime | None = None
    """Latest end of the usage of a part of this charge: a month's fee ends a month after its start. None
    where the bill does not have it."""
    corrects: bool | None = None
    """Whether it changes what was billed before; None: it does if its category is `adjustment`. The rounding
    of an invoice is an adjustment that corrects nothing."""
    list_cost_usd: Decimal | None = None
    """The same usage at the provider's list prices, in US dollars; None where the bill does not have it. Rows
    with and without it are different charges, so that it is known for all of a charge or for nothing of it.
    None for credits."""


def tags_text(tags: Mapping[str, str]) -> str:
    """Return the tags of a charge as JSON with sorted keys and no spaces; empty where there are none.

    A key begins with its origin: `label:team` is a label of the resource or its project, or of another
    provider's tags; `tag:env` is a tag of Google's resource hierarchy; `resource:name` is the resource.
    """
    return json.dumps(tags, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if tags else ""


def tags_of(text: str) -> dict[str, str]:
    """Return the tags that `tags_text` wrote."""
    return dict(json.loads(text)) if text else {}


CHARGE_COLUMNS: Final[dict[str, str]] = {
    "provider": "VARCHAR",
    "billing_account_id": "VARCHAR",
    "project_id": "VARCHAR",
    "service_id": "VARCHAR",
    "service_name": "VARCHAR",
    "sku_id": "VARCHAR",
    "sku": "VARCHAR",
    "region_id": "VARCHAR",
    "charge_category": "VARCHAR",
    "charge_period_start": "TIMESTAMP",
    "export_hour": "TIMESTAMP",
    "exported_at": "TIMESTAMP",
    "invoice_month": "VARCHAR",
    "billing_currency": "VARCHAR",
    "billed_cost": "DECIMAL(38,18)",
    "billed_cost_usd": "DECIMAL(38,18)",
    "consumed_quantity": "DOUBLE",
    "consumed_unit": "VARCHAR",
    "tags": "VARCHAR",
    "charge_period_end": "TIMESTAMP",
    "corrects": "BOOLEAN",
    "list_cost_usd": "DECIMAL(38,18)",
}
"""The fields of a Charge and their DuckDB types, in order. Timestamps are UTC without a zone.

Eighteen decimals hold a single request's price (4e-7) at the export's full precision after division
by a conversion rate, and still leave room for 1e20 in a sum."""

SERIES_COLUMNS: Final = tuple(CHARGE_COLUMNS)[:9]
"""The dimensions that identify a series of charges."""


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """What one resource used of one thing within one interval; usage of neighbouring intervals adds up.

    A level (cores, stored bytes, utilisation), as opposed to a flow, comes as level times seconds. The
    interval lies within one hour of the clock. A dimension that is not reported is the empty string.
    """

    provider: str
    project_id: str
    region_id: str
    service_id: str
    """As in the bill, so that usage finds its SKUs."""
    resource: str
    """Name of the service, job, database, bucket, instance or model."""
    revision: str
    meter: str
    """Name of a row of the usage table: `cloud_run_requests`, `cloud_run_cpu_seconds`, …"""
    dimension: str
    """A further dimension: a response code class, a token type, a storage class."""
    start: datetime
    end: datetime
    value: float
    """In `unit`."""
    unit: str
    """The unit of the bill's usage where the meter explains SKUs: `seconds`, `byte-seconds`, `requests`, …"""


USAGE_COLUMNS: Final[dict[str, str]] = {
    "provider": "VARCHAR",
    "project_id": "VARCHAR",
    "region_id": "VARCHAR",
    "service_id": "VARCHAR",
    "resource": "VARCHAR",
    "revision": "VARCHAR",
    "meter": "VARCHAR",
    "dimension": "VARCHAR",
    "start": "TIMESTAMP",
    "end": "TIMESTAMP",
    "value": "DOUBLE",
    "unit": "VARCHAR",
}
"""The fields of a UsagePoint and their DuckDB types, in order. Timestamps are UTC without a zone."""


CHARGE_LABELS: Final = (
    "provider",
    "billing_account_id",
    "project_id",
    "service_name",
    "sku_id",
    "sku",
    "region_id",
    "charge_category",
)
"""Labels of a billed series."""
