"""Google Cloud: cost by project, service, SKU, location and label; gross, credits and net; invoice months."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.colours import GREEN, ORANGE
from grafana.source.fields import COUNT, RATIO, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, over_time, ranking
from grafana.source.tables import Column, listing

CHOSEN: Final = (
    'provider="gcp", project_id=~"$project_id", service_name=~"$service_name", region_id=~"$region_id"'
)
MONTH: Final = f"spend_month_to_date_usd{{{CHOSEN}}}"
PARTS: Final = (
    ("Gross", "usage|purchase"),
    ("Credits", "credit"),
    ("Tax and corrections", "tax|adjustment"),
)
BARS: Final = Reading(USD, 2, minimum=0)
DRILL_DOWN: Final = ("project_id", "service_name", "region_id")
"""Variables that a click on this board can set; the others keep their values."""


def make() -> model.Dashboard:
    """Make the board."""
    bill = 'spend_month_to_date_usd{provider="gcp"}'
    return board(
        links.GOOGLE_CLOUD,
        "The current Google Cloud bill, and the estimated cost that is not in it yet. Click a bar to filter.",
        [
            Choice("project_id", bill, "Project"),
            Choice("service_name", bill, "Service"),
            Choice("region_id", bill, "Location"),
            Choice("label", "spend_label_month_to_date_usd", "Label", one=True),
        ],
        [
            Section("Billed cost", _totals()),
            Section("Cost breakdown", _where()),
            Section("Cost over time", _course()),
            Section("SKUs, credits and invoices", _details()),
            Section("Savings", _savings()),
        ],
        events=[BUDGET_CROSSINGS],
    )


def _totals() -> list[Placed]:
    def of(categories: str) -> str:
        return f'sum(spend_month_to_date_usd{{{CHOSEN}, charge_category=~"{categories}"}})'

    return [
        number(
            "Billed this month",
            "Gross is usage and purchases. Net is the sum of all parts, and the total that the console "
            "shows.",
            *(Query(of(categories), legend) for legend, categories in PARTS),
            Query(f"sum({MONTH})", "Net"),
            empty=reasons.NO_BILL,
            size=(12, 4),
        ),
        number(
            "Not billed",
            "Estimated cost of this month's usage that is not in the bill yet. Of the filters, only the "
            "service applies.",
            Query(
                'sum(spend_nowcast_month_to_date_usd{provider="gcp", service_name=~"$service_name", '
                'basis="estimated"})'
            ),
            empty=reasons.NO_NOWCAST,
            link=To(links.BUDGETS),
        ),
        number(
            "Yesterday",
            "Net cost of yesterday's usage that is billed so far. It still grows for a day or two.",
            Query(f"sum(spend_yesterday_usd{{{CHOSEN}}})"),
            empty=reasons.NO_BILL,
        ),
        number(
            "Last month",
            "Net cost of last month's usage.",
            Query(f"sum(spend_last_month_usd{{{CHOSEN}}})"),
            empty=reasons.NO_BILL,
        ),
    ]


def _where() -> list[Placed]:
    def narrowing(label: str, title: str, what: str, size: tuple[int, int]) -> Placed:
        others = [name for name in DRILL_DOWN if name != label]
        return ranking(
            title,
            f"Billed net cost of this month by {what}, the twelve highest. Click one to filter by it.",
            Query(f"topk(12, sum by ({label}) ({MONTH}) != 0)", f"{{{{{label}}}}}"),
            empty=reasons.NO_BILL,
            reading=BARS,
            link=To(links.GOOGLE_CLOUD, (label,), others),
            by_value=label == "region_id",
            size=size,
        )

    return [
        narrowing("project_id", "Cost by project", "project", (8, 9)),
        narrowing("service_name", "Cost by service", "service", (8, 9)),
        narrowing("region_id", "Cost by location", "location", (8, 9)),
        ranking(
            "Cost by label $label",
            "Billed net cost of this month by value of the selected label, for all providers; `unlabelled` "
            "is cost without this label.",
            Query('topk(12, sum by (value) (spend_label_month_to_date_usd{label="$label"}))', "{{value}}"),
            empty=reasons.NO_LABELS,
            reading=BARS,
            by_value=True,
            size=(12, 8),
        ),
        ranking(
            "Cost by category",
            "Billed net cost of this month by category of `cost_attribution`, for all providers.",
            Query("sum by (category) (spend_category_month_to_date_usd)", "{{category}}"),
            empty=reasons.NO_CATEGORIES,
            reading=BARS,
            by_value=True,
            size=(12, 8),
        ),
    ]


def _course() -> list[Placed]:
    return [
        over_time(
            "Cost by day and service",
            "Billed net cost of the last 30 billing days. Recent days still grow. The location filter does "
            "not apply.",
            Query(
                'sum by (service_name) (sum_over_time(spend_daily_usd{provider="gcp", '
                'project_id=~"$project_id", '
                'service_name=~"$service_name"}[1d] offset -1d))',
                "{{service_name}}",
            ),
            empty=reasons.NO_HISTORY,
            link=To(links.GOOGLE_CLOUD, ("service_name",), ("project_id", "region_id")),
            stacked=True,
            bars=True,
            step="1d",
            days=30,
            total=True,
            size=(24, 10),
        ),
        over_time(
            "Month-to-date bill by project",
            "Billed net cost of this month as the bill grows. Of the filters, only the project applies.",
            Query(
                "sum by (project_id) "
                '(provider_project:spend_month_to_date_usd:sum{provider="gcp", project_id=~"$project_id"})',
                "{{project_id}}",
            ),
            empty="No recording rules; make Prometheus load prometheus/rules",
            link=To(links.GOOGLE_CLOUD, ("project_id",), ("service_name", "region_id")),
            stacked=True,
        ),
        over_time(
            "Burn rate by service",
            "Current cost per hour of each service. Of the filters, only the service applies.",
            Query(
                'sum by (service_name) (spend_burn_rate_usd_per_hour{provider="gcp", '
                'service_name=~"$service_name"})',
                "{{service_name}}",
            ),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD, ("service_name",), ("project_id", "region_id")),
            stacked=True,
        ),
    ]


def _details() -> list[Placed]:
    by_sku = "service_name, sku"
    highest = f"topk(40, sum by ({by_sku}) ({MONTH}))"

    def of_invoice(categories: str) -> str:
        return (
            "sum by (billing_account_id, invoice_month, currency) "
            f'(spend_invoice_month_cost{{charge_category=~"{categories}"}})'
        )

    amount = Reading("locale", 2)
    return [
        listing(
            "Top SKUs",
            "The 40 SKUs with the highest billed net cost this month. Click a service to filter by it.",
            {"service_name": "Service", "sku": "SKU"},
            Column("This month", highest),
            Column(
                "Yesterday",
                f"sum by ({by_sku}) (spend_yesterday_usd{{{CHOSEN}}}) and on ({by_sku}) {highest}",
            ),
            Column(
                "Last month",
                f"sum by ({by_sku}) (spend_last_month_usd{{{CHOSEN}}}) and on ({by_sku}) {highest}",
            ),
            empty=reasons.NO_BILL,
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",), ("project_id", "region_id"))},
            wide={"sku": 290},
            size=(14, 12),
        ),
        listing(
            "Credits by service",
            "Net cost, gross cost and credits of this month.",
            {"service_name": "Service"},
            Column("Net", f"sum by (service_name) ({MONTH})"),
            Column(
                "Gross",
                "sum by (service_name) "
                f'(spend_month_to_date_usd{{{CHOSEN}, charge_category=~"usage|purchase"}})',
            ),
            Column(
                "Credits",
                f'sum by (service_name) (spend_month_to_date_usd{{{CHOSEN}, charge_category="credit"}})',
            ),
            empty=reasons.NO_BILL,
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",), ("project_id", "region_id"))},
            size=(10, 12),
        ),
        listing(
            "Invoices",
            "Cost by invoice month in the billing currency, to compare with the provider's invoices. The "
            "filters do not apply.",
            {"billing_account_id": "Billing account", "invoice_month": "Invoice", "currency": "Currency"},
            Column("Total", of_invoice(".*"), amount),
            *(Column(title, of_invoice(categories), amount) for title, categories in PARTS),
            empty=reasons.NO_BILL,
            size=(14, 7),
        ),
        ranking(
            "Share not billed yet, by day",
            "Share of a day's final cost that is not in the bill yet, learned from how late this account's "
            "charges usually arrive.",
            Query(
                'max by (days_ago) (spend_unsettled_ratio{provider="gcp", days_ago=~"[0-3]"})',
                "{{days_ago}} days ago",
            ),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, minimum=0, maximum=1),
            by_value=True,
            size=(10, 7),
        ),
    ]


def _savings() -> list[Placed]:
    found = "provider, project_id, recommender, resource, region_id"
    return [
        number(
            "Idle instances",
            "Compute Engine instances that use almost no CPU.",
            Query('sum(spend_idle_instances{project_id=~"$project_id"})'),
            empty="No live usage of Compute Engine; set `gcp.project_ids`",
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
            size=(5, 8),
        ),
        listing(
            "Savings recommendations",
            "Recommendations from Google and from the exporter, with the savings in an average month.",
            {"advice": "What to do", "resource": "Resource", "project_id": "Project"},
            Column(
                "Savings per month",
                "sum by (advice, resource, project_id) "
                '(spend_recommendation_savings_usd_per_month{project_id=~"$project_id"} '
                f"* on ({found}) group_left (advice) spend_recommendation_info)",
            ),
            empty=reasons.NO_FINDINGS,
            wide={"advice": 560},
            size=(19, 8),
        ),
    ]
