"""Google's FOCUS export for tests: its schema, and the rows that it has for rows of the detailed export.

The columns are those of the preview in July 2026. What each holds follows the view that Google published for
FOCUS before the export existed: BilledCost is after credits, ContractedCost before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

Row = dict[str, Any]

TABLE_NAME: Final = "gcp_billing_export_focus_0A_0B_0C"
"""Of the account 0A-0B-0C."""

_PAIR: Final = (("Key", "STRING"), ("Value", "STRING"))
_FIELDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "x_Credits": (
        ("Name", "STRING"),
        ("Amount", "NUMERIC"),
        ("FullName", "STRING"),
        ("Id", "STRING"),
        ("Type", "STRING"),
    ),
    "x_Labels": _PAIR,
    "x_ProjectLabels": _PAIR,
    "x_SystemLabels": _PAIR,
    "x_Tags": (*_PAIR, ("x_Inherited", "BOOL"), ("x_Namespace", "STRING")),
    "x_Project": (("Id", "STRING"), ("Number", "STRING"), ("Name", "STRING"), ("AncestryNumbers", "STRING")),
}
_KINDS: Final = {
    "STRING": (
        "AvailabilityZone BillingAccountId BillingCurrency ChargeCategory ChargeClass ChargeDescription "
        "ConsumedUnit PricingCategory PricingUnit ProviderName PublisherName RegionId RegionName ResourceId "
        "ResourceName ServiceName SkuId SkuPriceId SubAccountId SubAccountName PricingCurrency "
        "BillingAccountType x_CostType x_Location x_ServiceId x_SubscriptionInstanceId x_ConsumptionModelId "
        "x_ConsumptionModelDescription"
    ),
    "NUMERIC": (
        "BilledCost ConsumedQuantity ContractedCost ContractedUnitPrice ListCost ListUnitPrice "
        "PricingQuantity EffectiveCost PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost "
        "PricingCurrencyListUnitPrice x_PriceEffectivePriceDefault x_PriceListPriceConsumptionModel "
        "x_CostAtEffectivePriceDefault x_CostAtListConsumptionModel"
    ),
    "TIMESTAMP": "BillingPeriodStart BillingPeriodEnd ChargePeriodStart ChargePeriodEnd x_ExportTime",
    "FLOAT": "x_CurrencyConversionRate",
}


def schema() -> list[dict[str, Any]]:
    """Return the fields of the table, as BigQuery's API has them."""
    plain = [{"name": name, "type": kind} for kind, names in _KINDS.items() for name in names.split()]
    return plain + [
        {
            "name": name,
            "type": "RECORD",
            "mode": "NULLABLE" if name == "x_Project" else "REPEATED",
            "fields": [{"name": field, "type": kind} for field, kind in fields],
        }
        for name, fields in _FIELDS.items()
    ]


def focus_row_of(row: Row) -> Row:
    """Return the row of the FOCUS export for a row of the detailed export, in the types of JSON."""
    regular = row.get("cost_type", "regular") == "regular"
    credits = [{_pascal(key): _json(value) for key, value in credit.items()} for credit in row["credits"]]
    for credit, told in zip(credits, row["credits"], strict=True):
        credit["Amount"] = _numeric(told["amount"])
    month = row["invoice"]["month"]
    year, number = int(month[:4]), int(month[4:])
    project = row.get("project") or {}
    location = row.get("location") or {}
    usage = row.get("usage") or {}
    gross = _decimal(row["cost"])
    net = gross + sum(Decimal(credit["Amount"]) for credit in credits)
    return {
        "BilledCost": str(net),
        "EffectiveCost": str(net),
        "ContractedCost": str(gross),
        "ListCost": _numeric(row.get("cost_at_list")),
        "BillingAccountId": row["billing_account_id"],
        "BillingCurrency": row["currency"],
        # Midnight in Pacific time, in one of its two offsets.
        "BillingPeriodStart": f"{year}-{number:02}-01 {'07' if 4 <= number <= 10 else '08'}:00:00 UTC",
        "ChargeCategory": {"tax": "Tax", "regular": "Usage"}.get(row["cost_type"], "Adjustment"),
        "ChargeClass": "Correction" if any((row.get("adjustment_info") or {}).values()) else None,
        "ChargeDescription": row["sku"]["description"],
        "ChargePeriodStart": _json(row["usage_start_time"]),
        "ChargePeriodEnd": _json(row.get("usage_end_time")),
        "ConsumedQuantity": _numeric(usage.get("amount")) if regular else None,
        "ConsumedUnit": usage.get("unit") if regular else None,
        "ProviderName": "Google Cloud",
        "PublisherName": "Google Cloud",
        "RegionId": location.get("region"),
        "ResourceName": (row.get("resource") or {}).get("name"),
        "ServiceName": row["service"]["description"],
        "SkuId": row["sku"]["id"] if regular else None,
        "SubAccountId": project.get("id") or row["billing_account_id"],
        "x_CostType": row["cost_type"],
        "x_Credits": credits,
        "x_CurrencyConversionRate": row["currency_conversion_rate"],
        "x_ExportTime": _json(row["export_time"]),
        "x_Labels": _pairs(row.get("labels")),
        "x_ProjectLabels": _pairs(project.get("labels")),
        "x_SystemLabels": _pairs(row.get("system_labels")),
        "x_Tags": [
            {"Key": tag["key"], "Value": tag["value"], "x_Inherited": tag.get("inherited")}
            for tag in row.get("tags") or ()
        ],
        "x_Location": location.get("location"),
        "x_Project": {"Id": project.get("id"), "Name": project.get("name")},
        "x_ServiceId": row["service"]["id"],
    }


def _pairs(pairs: list[dict[str, str]] | None) -> list[dict[str, str]]:
    return [{"Key": pair["key"], "Value": pair["value"]} for pair in pairs or ()]


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _decimal(value: Any) -> Decimal:
    """A float as NUMERIC has it: nine decimals."""
    return Decimal(repr(value)).quantize(Decimal("1e-9"))


def _numeric(value: Any) -> str | None:
    return None if value is None else str(_decimal(value))


def _json(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S.%f} UTC" if hasattr(value, "strftime") else value
