"""One row of the detailed billing export, in the shape and the words that Google writes it.

A field that would be NULL is left out, as in BigQuery's JSON; an empty record is `{}`.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from exporter.simulator.google.catalogue import SERVICES, Service, Sku, made_up_id
from exporter.simulator.google.company import Account, Line, Project
from exporter.simulator.google.corrections import Correction
from exporter.simulator.google.credits import Credit
from exporter.simulator.google.invoice import Posting
from exporter.simulator.google.usage import MICROS, SQL_COMMITMENT_PRICE, Meter, Use
from exporter.simulator.moment import Moment, from_microseconds, hour_start

ExportRow = dict[str, Any]
"""Column to value: Decimal where NUMERIC, aware datetime where TIMESTAMP, dict and list where nested."""

_COUNTRIES: Final = {"us": "US", "europe-west1": "BE", "europe-west2": "GB"}
_PRICES_KEPT: Final = 1024
_PREVIEW_DAYS: Final = 7
_MEMORY_MIB_PER_CORE: Final = 4096
_DEFAULT_MODEL: Final = {"id": "7754-699E-0EBF", "description": "Default"}
_SQL_MODEL: Final = {"id": "61F8-639B-D89C", "description": "Cloud SQL CUD - 1 Year"}
_SQL_SUBSCRIPTION: Final = "5a1f0c62-94d7-4e1b-8f60-2b7c9de4a310"
_DESCRIPTIONS: Final = {
    "USAGE_CORRECTION": "Correction of usage reported in error",
    "PRICE_CORRECTION": "Correction of the price applied",
    "SLA_VIOLATION": "Credit for an SLA violation of Cloud SQL",
}


class RowMaker:
    """Makes rows; what stays the same for a meter is made once and shared between its rows."""

    def __init__(self, meters: tuple[Meter, ...]) -> None:
        self._fixed = [_fixed(meter) for meter in meters]
        self._prices: dict[tuple[int, float, float], tuple[float, dict[str, Any]]] = {}

    def usage_row(
        self,
        meter: Meter,
        use: Use,
        at: Moment,
        *,
        rate: float,
        exported_microseconds: int,
        invoice_month: str,
        correction: Correction | None = None,
    ) -> ExportRow:
        """The row that bills a use, or a part or a correction of one."""
        listed, price = self._price(meter, use.price, rate)
        at_list = round(use.amount / meter.sku.price_quantity * listed, 6) + 0.0
        exact_at_list = numeric(at_list)
        return {
            **self._fixed[meter.index],
            "usage_start_time": at.start,
            "usage_end_time": at.end,
            "export_time": from_microseconds(exported_microseconds),
            "cost": use.cost_micros / MICROS,
            "currency_conversion_rate": rate,
            "usage": _usage(meter.sku, use, at),
            "credits": [_credit(credit) for credit in use.credits],
            "invoice": {"month": invoice_month, "publisher_type": _publisher(meter)},
            "adjustment_info": {} if correction is None else _adjustment(correction),
            "cost_at_list": at_list,
            "price": price,
            "cost_at_effective_price_default": exact_at_list,
            "cost_at_list_consumption_model": numeric(at_list * SQL_COMMITMENT_PRICE)
            if meter.line.model
            else exact_at_list,
            **({"labels": _preview_labels(meter.line, at)} if meter.line.branches else {}),
        }

    def _price(self, meter: Meter, effective: float, rate: float) -> tuple[float, dict[str, Any]]:
        """The list price in billing currency, and the `price` record."""
        key = (meter.index, effective, rate)
        found = self._prices.get(key)
        if found is None:
            if len(self._prices) >= _PRICES_KEPT:
                self._prices.clear()
            listed = round(meter.sku.price_usd * rate, 9)
            found = self._prices[key] = (listed, _price(meter, effective, listed))
        return found


def posting_row(posting: Posting, rate: float) -> ExportRow:
    """The row of an amount that belongs to no project."""
    account, adjusts = posting.account, posting.kind == "adjustment"
    service, sku = ("Cloud SQL", "SLA credit") if adjusts else ("Invoice", _invoice_sku(posting))
    service_id = SERVICES["sql"].id if adjusts else made_up_id("Invoice")
    info = {
        "id": f"{account.id}/{posting.invoice_month}",
        "description": _DESCRIPTIONS["SLA_VIOLATION"],
        "mode": "MANUAL_ADJUSTMENT",
        "type": "SLA_VIOLATION",
    }
    cost = posting.micros() / MICROS
    return {
        "billing_account_id": account.id,
        "service": {"id": service_id, "description": service},
        "sku": {"id": made_up_id(service, sku), "description": sku},
        "usage_start_time": hour_start(posting.hour),
        "usage_end_time": hour_start(posting.hour + 1),
        "project": {"labels": [], "ancestors": []},
        "labels": [],
        "system_labels": [],
        "location": {},
        "tags": [],
        "transaction_type": "GOOGLE",
        "export_time": from_microseconds(posting.exported_microseconds),
        "cost": cost,
        "currency": account.currency,
        "currency_conversion_rate": rate,
        "usage": {},
        "credits": [],
        "invoice": {"month": posting.invoice_month, "publisher_type": "GOOGLE"},
        "cost_type": posting.kind,
        "adjustment_info": info if adjusts else {},
        "cost_at_list": cost,
        "price": {},
        "consumption_model": {},
        "resource": {},
        "subscription": {},
    }


def _fixed(meter: Meter) -> ExportRow:
    """The columns that are the same in every usage row of a meter."""
    line, sku, service, project = meter.line, meter.sku, meter.service, meter.project
    fixed: ExportRow = {
        "billing_account_id": meter.account.id,
        "service": {"id": service.id or made_up_id(service.name), "description": service.name},
        "sku": {"id": sku.id or made_up_id(service.name, sku.description), "description": sku.description},
        "project": _project(project, meter.account),
        "labels": _pairs(line.labels),
        "system_labels": _system_labels(line.machine),
        "location": _location(line.location),
        "tags": _tags(project, meter.account),
        "transaction_type": "THIRD_PARTY_RESELLER" if service.seller else "GOOGLE",
        "currency": meter.account.currency,
        "cost_type": "regular",
        "consumption_model": _SQL_MODEL if line.model else _DEFAULT_MODEL,
        "resource": _resource(line, service, project),
        "subscription": {"instance_id": _SQL_SUBSCRIPTION} if line.credit == "fee_utilization" else {},
    }
    if service.seller:
        fixed["seller_name"] = service.seller
    return fixed


def _publisher(meter: Meter) -> str:
    return "PARTNER" if meter.service.seller else "GOOGLE"


def _price(meter: Meter, effective: float, listed: float) -> dict[str, Any]:
    return {
        "effective_price": numeric(effective),
        "tier_start_amount": numeric(meter.sku.tier_start),
        "unit": meter.sku.unit.pricing,
        "pricing_unit_quantity": numeric(float(meter.sku.price_quantity)),
        "list_price": numeric(listed),
        "effective_price_default": numeric(listed),
        "list_price_consumption_model": numeric(listed * (SQL_COMMITMENT_PRICE if meter.line.model else 1.0)),
    }


def _usage(sku: Sku, use: Use, at: Moment) -> dict[str, Any]:
    per_unit = sku.unit.usage_per_pricing
    if sku.unit.per_month:
        per_unit *= at.month_days * 86400.0
    return {
        "amount": round(use.amount * per_unit, 3) + 0.0,
        "unit": sku.unit.usage,
        "amount_in_pricing_units": use.amount + 0.0,
        "pricing_unit": sku.unit.pricing,
    }


@lru_cache(maxsize=8192)
def numeric(value: float) -> Decimal:
    """A NUMERIC: at most nine decimals, no trailing zeros."""
    return Decimal(f"{value:.9f}").normalize() + 0


def _credit(credit: Credit) -> dict[str, Any]:
    scheme = credit.scheme
    return {
        "name": scheme.name,
        "amount": credit.micros / MICROS,
        "full_name": scheme.name,
        "id": scheme.id,
        "type": scheme.type,
    }


def _adjustment(correction: Correction) -> dict[str, str]:
    return {
        "id": correction.id,
        "description": _DESCRIPTIONS[correction.kind],
        "mode": correction.mode,
        "type": correction.kind,
    }


def _invoice_sku(posting: Posting) -> str:
    return posting.account.tax if posting.kind == "tax" else "Rounding error"


def _preview_labels(line: Line, at: Moment) -> list[dict[str, str]]:
    """The labels of a resource that runs the preview of another branch each week."""
    branches = line.branches.split()
    branch = branches[at.billing_day // _PREVIEW_DAYS % len(branches)]
    return [*_pairs(line.labels), {"key": "branch", "value": branch}]


def _pairs(text: str) -> list[dict[str, str]]:
    pairs = (item.partition("=") for item in text.split())
    return [{"key": key, "value": value} for key, _, value in pairs]


def _project(project: Project, account: Account) -> dict[str, Any]:
    folder, _, folder_name = project.folder.partition(" ")
    return {
        "id": project.id,
        "number": project.number,
        "name": project.name,
        "labels": _pairs(project.labels),
        "ancestry_numbers": f"/{account.organization}/{folder}/",
        "ancestors": [
            {"resource_name": f"projects/{project.number}", "display_name": project.name},
            {"resource_name": f"folders/{folder}", "display_name": folder_name},
            {"resource_name": f"organizations/{account.organization}", "display_name": "northwind.example"},
        ],
    }


def _tags(project: Project, account: Account) -> list[dict[str, Any]]:
    environment = project.labels.split()[0].removeprefix("env=")
    if environment != "prod":
        return []
    tag = {"key": "environment", "value": "production", "inherited": True}
    return [{**tag, "namespace": account.organization}]


def _location(location: str) -> dict[str, str]:
    if location == "global":
        return {"location": location}
    region = location[:-2] if location[-2] == "-" else location
    country = _COUNTRIES.get(region) or _COUNTRIES[region.partition("-")[0]]
    found = {"location": location, "country": country}
    if location != "us":
        found["region"] = region
    if region != location:
        found["zone"] = location
    return found


def _system_labels(machine: str) -> list[dict[str, str]]:
    if not machine:
        return []
    cores = int(machine.rpartition("-")[2])
    return [
        {"key": "compute.googleapis.com/machine_spec", "value": machine},
        {"key": "compute.googleapis.com/cores", "value": str(cores)},
        {"key": "compute.googleapis.com/memory", "value": str(cores * _MEMORY_MIB_PER_CORE)},
    ]


def _resource(line: Line, service: Service, project: Project) -> dict[str, str]:
    if not line.resource:
        return {}
    kind, _, name = line.resource.partition("/")
    place = "zones" if line.location[-2] == "-" else "locations"
    path = f"projects/{project.number}/{place}/{line.location}/{kind}/{name}"
    return {"name": name, "global_name": f"//{service.api}.googleapis.com/{path}"}
