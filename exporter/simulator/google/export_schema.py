"""The columns of the detailed billing export as DuckDB types, in the order of Google's schema.

NUMERIC is DECIMAL(38,9), TIMESTAMP is TIMESTAMP WITH TIME ZONE, as BigQuery writes them to Parquet.
"""

from __future__ import annotations

from typing import Final

_NUMERIC: Final = "DECIMAL(38,9)"
_TIMESTAMP: Final = "TIMESTAMP WITH TIME ZONE"
_LABELS: Final = "STRUCT(key VARCHAR, value VARCHAR)[]"

EXPORT_COLUMNS: Final[dict[str, str]] = {
    "billing_account_id": "VARCHAR",
    "service": "STRUCT(id VARCHAR, description VARCHAR)",
    "sku": "STRUCT(id VARCHAR, description VARCHAR)",
    "usage_start_time": _TIMESTAMP,
    "usage_end_time": _TIMESTAMP,
    "project": (
        f'STRUCT(id VARCHAR, "number" VARCHAR, "name" VARCHAR, labels {_LABELS}, ancestry_numbers VARCHAR,'
        " ancestors STRUCT(resource_name VARCHAR, display_name VARCHAR)[])"
    ),
    "labels": _LABELS,
    "system_labels": _LABELS,
    "location": 'STRUCT("location" VARCHAR, country VARCHAR, region VARCHAR, "zone" VARCHAR)',
    "tags": 'STRUCT(key VARCHAR, value VARCHAR, inherited BOOLEAN, "namespace" VARCHAR)[]',
    "transaction_type": "VARCHAR",
    "seller_name": "VARCHAR",
    "export_time": _TIMESTAMP,
    "cost": "DOUBLE",
    "currency": "VARCHAR",
    "currency_conversion_rate": "DOUBLE",
    "usage": "STRUCT(amount DOUBLE, unit VARCHAR, amount_in_pricing_units DOUBLE, pricing_unit VARCHAR)",
    "credits": 'STRUCT("name" VARCHAR, amount DOUBLE, full_name VARCHAR, id VARCHAR, "type" VARCHAR)[]',
    "invoice": 'STRUCT("month" VARCHAR, publisher_type VARCHAR)',
    "cost_type": "VARCHAR",
    "adjustment_info": 'STRUCT(id VARCHAR, description VARCHAR, "mode" VARCHAR, "type" VARCHAR)',
    "cost_at_list": "DOUBLE",
    "price": (
        f"STRUCT(effective_price {_NUMERIC}, tier_start_amount {_NUMERIC}, unit VARCHAR,"
        f" pricing_unit_quantity {_NUMERIC}, list_price {_NUMERIC}, effective_price_default {_NUMERIC},"
        f" list_price_consumption_model {_NUMERIC})"
    ),
    "cost_at_effective_price_default": _NUMERIC,
    "cost_at_list_consumption_model": _NUMERIC,
    "consumption_model": "STRUCT(id VARCHAR, description VARCHAR)",
    "resource": 'STRUCT("name" VARCHAR, global_name VARCHAR)',
    "subscription": "STRUCT(instance_id VARCHAR)",
}
