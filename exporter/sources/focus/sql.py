"""The SQL that turns rows of a FOCUS file into charges, and says which rows it cannot take.

A row that covers more than an hour (a day, a month's fee) stays one charge, at the hour in which it starts:
FOCUS does not tell how its cost spreads, and the bill has it at that start too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from exporter.core.charges import (
    CHARGE_CATEGORIES,
    CHARGE_COLUMNS,
    EARLIEST_PLAUSIBLE,
    FARTHEST_AHEAD,
    LARGEST_PLAUSIBLE,
)
from exporter.core.kept_tags import KeptTag, tags_expression
from exporter.core.providers import LEGAL_FORMS, PROVIDERS
from exporter.core.sql_texts import quoted
from exporter.core.sql_times import sql_time
from exporter.sources.focus.columns import (
    CATEGORY_COLUMNS,
    COST_COLUMNS,
    LIST_COLUMN,
    LIST_USD_COLUMN,
    PROVIDER_COLUMNS,
    USD_COLUMNS,
    Cost,
    FocusColumns,
)
from exporter.sources.google.export.columns import MONEY
from exporter.sources.google.export.sql import list_cost

REASONS: Final[Mapping[str, str]] = {
    "bad_provider": "no column names the provider or the publisher (ServiceProviderName, ProviderName, "
    "PublisherName); the row was left out",
    "bad_timestamp": "ChargePeriodStart is missing or not a timestamp; the row was left out",
    "undated_usage": "ChargePeriodStart is before 2015, which cannot be a time of usage; the row counts on "
    "its invoice, and is missing from the sums by day and month",
    "far_timestamp": "ChargePeriodStart lies more than ten years ahead; the row was left out",
    "future_timestamp": "x_ExportTime lies in the future; the row was left out: check this machine's clock",
    "bad_cost": "the cost is missing, not a number, or implausibly large; the row was left out",
    "bad_currency": "BillingCurrency is missing; the row was left out, because its cost in US dollars is "
    "unknown",
    "no_usd_rate": "there is no rate for the billing currency; the row counts on its invoice in its own "
    "currency, and is missing from all US dollars: set the value of one unit in focus.usd_per",
}
"""Why a row can be set aside, in the words that go to the log."""

INVOICE_ONLY: Final = ("no_usd_rate", "undated_usage")
"""Reasons to count a row on its invoice alone: its amount is known, its dollars or its day are not."""

OWNED_ELSEWHERE: Final = "owned_elsewhere"
"""The `reason` of a row that is fine, and that another source counts."""

UNNAMED_SERVICE: Final = "unnamed service"
"""The service of a row that names none: rounding and fees of Azure, for instance."""

RATE_DECIMALS: Final = 12
LARGEST_RATE: Final = Decimal(10) ** 6
"""Dollars for a unit of a currency: beyond this no currency has ever been worth."""


@dataclass(frozen=True, slots=True)
class FocusReading:
    """How the rows of one file are to be read, apart from its columns."""

    cost: Cost
    usd_per: Mapping[str, Decimal]
    """Currency -> dollars for a unit of it, with no more than RATE_DECIMALS decimals."""
    owned_by_others: Collection[str]
    """Providers whose rows are another source's."""
    written: str
    """When the file was written, as SQL: when its charges became known, where no row says so."""
    now: datetime
    latest_plausible: datetime
    """Times after this are refused."""
    kept: tuple[KeptTag, ...] = ()
    """Tags to be kept; those of Google's resource hierarchy are not in FOCUS."""
    only: Collection[str] = ()
    """Providers whose rows alone count; all of them where it is empty."""
    counts: str = "1"
    """Expression for how many rows of the bill a row stands for."""
    file: str = "0"
    """Expression for the number of the file that a row is from, where several are read at once."""


def judged_rows(relation: str, columns: FocusColumns, reading: FocusReading) -> str:
    """Return a SELECT of one row per row of the file: its leaves, exact cost, and `reason` where left out."""
    owned = ", ".join(map(quoted, sorted(reading.owned_by_others))) or "NULL"
    only = ", ".join(map(quoted, sorted(reading.only)))
    others = f" OR (provider <> '' AND provider NOT IN ({only}))" if only else ""
    tags = tags_expression({tag: columns.tag(tag.key) for tag in reading.kept if tag.origin == "label"})
    rated = ", ".join(map(quoted, sorted({"USD", *reading.usd_per})))
    return f"""
    SELECT *,
      CASE
        WHEN provider IN ({owned}){others} THEN '{OWNED_ELSEWHERE}'
        WHEN provider = '' THEN 'bad_provider'
        WHEN period IS NULL THEN 'bad_timestamp'
        WHEN exported > {sql_time(reading.latest_plausible)} THEN 'future_timestamp'
        WHEN period > {sql_time(reading.latest_plausible + FARTHEST_AHEAD)} THEN 'far_timestamp'
        WHEN cost IS NULL OR NOT abs(cost) < {LARGEST_PLAUSIBLE} THEN 'bad_cost'
        WHEN billing_currency = '' THEN 'bad_currency'
        WHEN billing_currency NOT IN ({rated}) AND told_usd IS NULL THEN 'no_usd_rate'
        WHEN period < {sql_time(EARLIEST_PLAUSIBLE)} THEN 'undated_usage'
      END AS reason
    FROM (
      SELECT *,
        {_provider("provider_slug")} AS provider,
        coalesce(told_export, greatest(written, least(period, {sql_time(reading.now)})))
          AS exported
      FROM (
        SELECT
          {_slug(columns.text(*PROVIDER_COLUMNS, "PublisherName", "Publisher"))} AS provider_slug,
          {columns.text("BillingAccountId")} AS billing_account_id,
          {columns.text("SubAccountId")} AS project_id,
          {columns.text("x_ServiceId")} AS service_id,
          coalesce({columns.text("ServiceName", "x_SkuMeterCategory")}, '{UNNAMED_SERVICE}') AS service_name,
          {columns.text("SkuId", "SkuPriceId")} AS sku_id,
          {columns.text("x_SkuDescription", "ChargeDescription", "SkuMeter")} AS sku,
          {columns.text("RegionId", "Region")} AS region_id,
          {_category(columns)} AS told_category,
          coalesce(lower({columns.text("ChargeClass")}) = 'correction', false) AS corrects,
          {columns.timestamp("ChargePeriodStart")} AS period,
          {columns.timestamp("ChargePeriodEnd")} AS period_end,
          {columns.timestamp("x_ExportTime")} AS told_export,
          {columns.timestamp("BillingPeriodStart")} AS billing_period,
          coalesce(upper({columns.text("BillingCurrency")}), '') AS billing_currency,
          {columns.money(*COST_COLUMNS[reading.cost])} AS cost,
          {columns.money(*COST_COLUMNS["billed"])} AS as_billed,
          {columns.money(*COST_COLUMNS["effective"])} AS as_effective,
          {_told_usd(columns, reading.cost)} AS told_usd,
          {_list_cost(columns, LIST_COLUMN, reading.cost)} AS list_cost,
          {_list_cost(columns, LIST_USD_COLUMN, reading.cost)} AS told_list_usd,
          TRY_CAST({columns.text("ConsumedQuantity", "UsageQuantity")} AS DOUBLE) AS quantity,
          {columns.text("ConsumedUnit", "UsageUnit")} AS consumed_unit,
          {tags} AS tags,
          {reading.counts} AS bill_rows,
          {reading.file} AS file,
          {reading.written} AS written,
          {columns.unread_tag_text()} AS unread_tags
        FROM {relation}
      )
    )"""


def aggregate(judged: str) -> str:
    """Return a SELECT that sums judged rows to the grain of a charge; rows left out keep their reason."""
    texts = ", ".join(
        f"coalesce({name}, '') AS {name}"
        for name in ("billing_account_id", "project_id", "service_id", "service_name", "sku_id", "sku")
    )
    return f"""
    SELECT
      file, provider, {texts}, coalesce(region_id, '') AS region_id,
      CASE WHEN corrects THEN 'adjustment' WHEN {known_category("told_category")} THEN told_category
        ELSE 'usage' END AS charge_category,
      date_trunc('hour', greatest(period, TIMESTAMP '1970-01-01')) AS charge_period_start,
      date_trunc('hour', exported) AS export_hour,
      {invoice_month("billing_period")} AS invoice_month,
      billing_currency, coalesce(consumed_unit, '') AS consumed_unit, tags, reason,
      told_usd IS NOT NULL AND billing_currency <> 'USD' AS has_usd,
      list_cost IS NOT NULL AS listed, told_list_usd IS NOT NULL AS listed_in_usd,
      sum(told_usd) AS told_usd,
      sum(list_cost) AS list_cost,
      sum(told_list_usd) AS told_list_usd,
      max(exported) AS exported_at,
      max(period_end) AS charge_period_end,
      sum(cost) AS billed_cost,
      coalesce(sum(quantity) FILTER (isfinite(quantity)), 0) AS consumed_quantity,
      sum(bill_rows) AS export_rows
    FROM ({judged})
    GROUP BY ALL"""


def charges_of(aggregated: str, usd_per: Mapping[str, Decimal], *also: str) -> str:
    """Return a SELECT of the columns CHARGE_COLUMNS, and `also` others, from a table made by `aggregate`."""
    made = {
        "corrects": "NULL::BOOLEAN",
        "service_id": f"CASE WHEN service_id <> '' THEN service_id ELSE {_slug('service_name')} END",
        "billed_cost_usd": (
            "CASE WHEN reason IS NOT NULL THEN NULL WHEN has_usd THEN told_usd "
            f"ELSE {_in_usd('billed_cost', usd_per)} END"
        ),
        "list_cost_usd": (
            "CASE WHEN reason IS NOT NULL OR charge_category = 'credit' THEN NULL WHEN has_usd "
            f"THEN told_list_usd ELSE {_in_usd('list_cost', usd_per)} END"
        ),
    }
    selected = ", ".join(f"{made.get(name, name)} AS {name}" for name in (*CHARGE_COLUMNS, *also))
    counts = f"reason IS NULL OR reason IN ({', '.join(map(quoted, INVOICE_ONLY))})"
    return f"SELECT {selected} FROM {aggregated} WHERE {counts}"


def _category(columns: FocusColumns) -> str:
    """Return the category in lower case. Previews have credits as a kind of adjustment."""
    category = f"lower({columns.text(*CATEGORY_COLUMNS)})"
    kind = f"lower({columns.text('ChargeSubcategory')})"
    return f"CASE WHEN {category} = 'adjustment' AND {kind} = 'credit' THEN 'credit' ELSE {category} END"


def _told_usd(columns: FocusColumns, cost: Cost) -> str:
    """Return the dollars that the file itself gives; NULL where it gives none that can be true."""
    usd = columns.money(USD_COLUMNS[cost])
    return f"CASE WHEN abs({usd}) < {LARGEST_PLAUSIBLE} THEN {usd} END"


def _list_cost(columns: FocusColumns, name: str, cost: Cost) -> str:
    """Return what a row costs at list prices; NULL where it does not tell.

    A commitment and what it covers both have a list price. Of the two, the one that the counted cost leaves
    out is 0, so that nothing is there twice: FOCUS asks for that of sums of ListCost.
    """
    counted = columns.money(*COST_COLUMNS[cost])
    elsewhere = f"{columns.text('CommitmentDiscountId')} IS NOT NULL AND {counted} = 0"
    stated = columns.money(name)
    zero = f"CAST(0 AS {MONEY})"
    return f"CASE WHEN {stated} IS NOT NULL AND {elsewhere} THEN {zero} ELSE {list_cost(stated, counted)} END"


def _in_usd(amount: str, usd_per: Mapping[str, Decimal]) -> str:
    """Return dollars of an amount in billing currency; NULL where there is no rate."""
    rates = "".join(
        f" WHEN {quoted(currency)} THEN {_times(amount, rate)}"
        for currency, rate in sorted(usd_per.items())
        if currency != "USD"
    )
    return f"CASE billing_currency WHEN 'USD' THEN {amount}{rates} END"


def known_category(name: str) -> str:
    """Return a BOOLEAN expression: the category, in lower case, is one that FOCUS has."""
    return f"coalesce({name} IN ({', '.join(map(quoted, CHARGE_CATEGORIES))}), false)"


def invoice_month(name: str) -> str:
    """Return the expression of YYYYMM, or '', from the start of a billing period.

    A provider whose months begin at its own midnight writes them in UTC, so that they can start on the last
    day of the month before; no zone is more than 14 hours ahead.
    """
    return f"coalesce(strftime({name} + INTERVAL 14 HOUR, '%Y%m'), '')"


def _provider(slug: str) -> str:
    """Return an expression for the label of the provider that a slug names."""
    bare = f"regexp_replace({slug}, '(-({LEGAL_FORMS}))+$', '')"
    labels = {name: each.label for each in PROVIDERS for name in (each.label, *each.bills)}
    table = f"MAP {{{', '.join(f'{quoted(name)}: {quoted(label)}' for name, label in labels.items())}}}"
    cases = "".join(
        f" WHEN starts_with({slug}, {quoted(beginning)}) THEN {quoted(each.label)}"
        for each in PROVIDERS
        for beginning in each.bill_beginnings
    )
    known = [f"map_extract_value({table}, {name})" for name in (slug, bare)]
    return f"coalesce({', '.join(known)}, CASE{cases} END, {bare}, '')"


def _slug(text: str) -> str:
    """Return an expression: lower case, with a hyphen for all that is neither letter nor digit."""
    return rf"trim(regexp_replace(lower({text}), '[^\p{{L}}\p{{N}}]+', '-', 'g'), '-')"


def _times(amount: str, rate: Decimal) -> str:
    """Return the exact product, rounded once to MONEY. In two parts, which a product of 38 digits holds."""
    factor = f"CAST('{rate:f}' AS DECIMAL(18,{RATE_DECIMALS}))"
    whole = f"CAST({amount} AS DECIMAL(20,0))"
    rest = f"CAST({amount} - CAST({whole} AS {MONEY}) AS DECIMAL(18,18))"
    return f"CAST({whole} * {factor} AS {MONEY}) + CAST({rest} * {factor} AS {MONEY})"
