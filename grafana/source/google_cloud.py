"""Google Cloud: by project, service, SKU, location and label; gross, credits, net; invoice months."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.colours import GREEN, ORANGE
from grafana.source.fields import COUNT, RATIO, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panels import Column, Placed, listing, number, over_time, ranking

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
"""Variables that a click on this board narrows down; the other ones stay."""


def make() -> model.Dashboard:
    """Make the board."""
    bill = 'spend_month_to_date_usd{provider="gcp"}'
    return board(
        links.GOOGLE_CLOUD,
        "The bill of Google Cloud as it stands, and what is not in it yet. Click a bar to narrow down.",
        [
            Choice("project_id", bill, "Project"),
            Choice("service_name", bill, "Service"),
            Choice("region_id", bill, "Location"),
            Choice("label", "spend_label_month_to_date_usd", "Label", one=True),
        ],
        [
            Section("Gross, credits, net", _totals()),
            Section("Where it goes", _where()),
            Section("Over time", _course()),
            Section("Details and invoices", _details()),
            Section("What could go", _savings()),
        ],
        events=[BUDGET_CROSSINGS],
    )


def _totals() -> list[Placed]:
    def of(categories: str) -> str:
        return f'sum(spend_month_to_date_usd{{{CHOSEN}, charge_category=~"{categories}"}})'

    return [
        number(
            "Billed this month",
            "Gross is usage and purchases. Net is the sum of all parts, and what the console shows.",
            *(Query(of(categories), legend) for legend, categories in PARTS),
            Query(f"sum({MONTH})", "Net"),
            empty=reasons.NO_BILL,
            size=(12, 4),
        ),
        number(
            "Used, not billed yet",
            "Estimated cost of this month's usage that the bill does not show yet. Only the choice of "
            "services counts.",
            Query(
                'sum(spend_nowcast_month_to_date_usd{provider="gcp", service_name=~"$service_name", '
                'basis="estimated"})'
            ),
            empty=reasons.NO_NOWCAST,
            link=To(links.BUDGETS),
        ),
        number(
            "Billed for yesterday",
            "Net cost of yesterday's usage as far as it is billed. It grows for a day or two.",
            Query(f"sum(spend_yesterday_usd{{{CHOSEN}}})"),
            empty=reasons.NO_BILL,
        ),
        number(
            "Billed for last month",
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
            f"Billed net cost of this month by {what}; the twelve that cost most. Click one to narrow down "
            "to it.",
            Query(f"topk(12, sum by ({label}) ({MONTH}) != 0)", f"{{{{{label}}}}}"),
            empty=reasons.NO_BILL,
            reading=BARS,
            link=To(links.GOOGLE_CLOUD, (label,), others),
            by_value=label == "region_id",
            size=size,
        )

    return [
        narrowing("project_id", "Which projects?", "project", (8, 9)),
        narrowing("service_name", "Which services?", "service", (8, 9)),
        narrowing("region_id", "Which locations?", "location", (8, 9)),
        ranking(
            "Which values of the label $label?",
            "Billed net cost of this month by value of the chosen label, of all providers; `unlabelled` "
            "has none.",
            Query('topk(12, sum by (value) (spend_label_month_to_date_usd{label="$label"}))', "{{value}}"),
            empty=reasons.NO_LABELS,
            reading=BARS,
            by_value=True,
            size=(12, 8),
        ),
        ranking(
            "Which of our categories?",
            "Billed net cost of this month by category of `cost_attribution`, of all providers.",
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
            "What did each day cost?",
            "Billed net cost by service and day, over 30 days, of providers that bill by the hour.",
            Query(
                'sum by (service_name) (sum_over_time(spend_hourly_usd{provider="gcp", '
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
            "How does the month's bill grow, by project?",
            "Billed net cost of this month as the bill grew. Only the choice of projects counts.",
            Query(
                "sum by (project_id) "
                '(provider_project:spend_month_to_date_usd:sum{provider="gcp", project_id=~"$project_id"})',
                "{{project_id}}",
            ),
            empty="No recording rules: Prometheus has to load prometheus/rules",
            link=To(links.GOOGLE_CLOUD, ("project_id",), ("service_name", "region_id")),
            stacked=True,
        ),
        over_time(
            "What runs now, per hour?",
            "Burn rate by service. Only the choice of services counts.",
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
    dearest = f"topk(40, sum by ({by_sku}) ({MONTH}))"

    def of_invoice(categories: str) -> str:
        return (
            "sum by (billing_account_id, invoice_month, currency) "
            f'(spend_invoice_month_cost{{charge_category=~"{categories}"}})'
        )

    amount = Reading("locale", 2)
    return [
        listing(
            "Which SKUs?",
            "The 40 that cost most this month: billed net cost. Click a service to narrow down to it.",
            {"service_name": "Service", "sku": "SKU"},
            Column("This month", dearest),
            Column(
                "Yesterday",
                f"sum by ({by_sku}) (spend_yesterday_usd{{{CHOSEN}}}) and on ({by_sku}) {dearest}",
            ),
            Column(
                "Last month",
                f"sum by ({by_sku}) (spend_last_month_usd{{{CHOSEN}}}) and on ({by_sku}) {dearest}",
            ),
            empty=reasons.NO_BILL,
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",), ("project_id", "region_id"))},
            wide={"sku": 290},
            size=(14, 12),
        ),
        listing(
            "What do credits save, by service?",
            "Gross, credits and net of this month.",
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
                Reading(USD, 2, ((0, GREEN), (0, ORANGE))),
            ),
            empty=reasons.NO_BILL,
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",), ("project_id", "region_id"))},
            size=(10, 12),
        ),
        listing(
            "What do the invoices say?",
            "Cost by invoice month in the billing currency, to compare with invoices. Choices above do not "
            "count.",
            {"billing_account_id": "Billing account", "invoice_month": "Invoice", "currency": "Currency"},
            Column("Total", of_invoice(".*"), amount),
            *(Column(title, of_invoice(categories), amount) for title, categories in PARTS),
            empty=reasons.NO_BILL,
            size=(14, 7),
        ),
        ranking(
            "How much is still to come?",
            "Share of a day's final cost that has not reached the bill yet, learnt from this account's "
            "lateness.",
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
            "How many instances idle?",
            "Compute Engine instances that use next to no CPU.",
            Query('sum(spend_idle_instances{project_id=~"$project_id"})'),
            empty="No live usage of Compute Engine: name `gcp.project_ids`",
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
            size=(4, 8),
        ),
        listing(
            "What could be saved, and how?",
            "Recommendations of Google and findings of the exporter, with what a mean month would cost less.",
            {"advice": "What to do", "resource": "Resource", "project_id": "Project"},
            Column(
                "A month",
                "sum by (advice, resource, project_id) "
                '(spend_recommendation_savings_usd_per_month{project_id=~"$project_id"} '
                f"* on ({found}) group_left (advice) spend_recommendation_info)",
            ),
            empty=reasons.NO_FINDINGS,
            wide={"advice": 560},
            size=(20, 8),
        ),
    ]
