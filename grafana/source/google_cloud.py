"""Google Cloud: cost by project, service, SKU, location and label; gross, credits and net; invoice months."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import history, links, reasons
from grafana.source.boards import BILL_BEGINS, BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.breakdown import costs_of
from grafana.source.charts import by_day
from grafana.source.colours import GREEN, ORANGE
from grafana.source.fields import COUNT, DOLLARS, RATIO, WHOLE_USD, Query, Reading
from grafana.source.google_cloud_drill_down import drill_down
from grafana.source.links import To
from grafana.source.panel_parts import Placed
from grafana.source.panels import last_full_day, number, ranking
from grafana.source.tables import Column, listing

BILL: Final = 'spend_month_to_date_usd{provider="gcp"}'
HISTORY: Final = 'provider="gcp", project_id=~"$project_id", service_name=~"$service_name"'
CHOSEN: Final = f'{HISTORY}, region_id=~"$region_id", sku=~"$sku", billing_account_id=~"$billing_account_id"'
DAYS: Final = f"spend_daily_usd{{{HISTORY}}}"
MONTH: Final = f"spend_month_to_date_usd{{{CHOSEN}}}"
PARTS: Final = (
    ("Gross", "usage|purchase"),
    ("Credits", "credit"),
)
LABEL: Final = 'label="$label"'
BARS: Final = Reading(WHOLE_USD, 0, minimum=0)
FILTERS: Final = ("project_id", "service_name", "region_id", "sku", "billing_account_id")
"""Variables that a click on this board can set; the others keep their values."""


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.GOOGLE_CLOUD,
        "The Google Cloud bill, and the estimated cost that is not in it yet. Click a name to filter by it, "
        "down to a SKU, a resource and an hour.",
        [
            Choice("project_id", BILL, "Project"),
            Choice("service_name", BILL, "Service"),
            Choice("sku", 'spend_month_to_date_usd{provider="gcp", service_name=~"$service_name"}', "SKU"),
            Choice("region_id", BILL, "Location"),
            Choice("billing_account_id", BILL, "Billing account"),
            Choice("label", "spend_label_month_to_date_usd", "Label", one=True),
        ],
        [
            Section("", [*_totals(), *_days()]),
            Section("Cost breakdown", _where()),
            Section("SKUs, resources and hours", drill_down(CHOSEN, HISTORY, filtering)),
            Section("Credits and invoices", _invoices()),
            Section("Savings and settling", _savings()),
        ],
        events=[BILL_BEGINS, BUDGET_CROSSINGS],
    )


def filtering(label: str) -> To:
    """A click on a value of the label filters this board by it."""
    return To(links.GOOGLE_CLOUD, (label,), [name for name in FILTERS if name != label])


def _totals() -> list[Placed]:
    return [
        number(
            "Month net, USD",
            "Billed net cost of the month in which the time range ends: what the console shows. Of a past "
            "month only the project and the service filter apply.",
            Query(history.now_or_history(f"sum({MONTH})", history.month_so_far(DAYS))),
            empty=reasons.NO_BILL,
            reading=DOLLARS,
            size=(6, 4),
        ),
        number(
            "Credits, USD",
            "Credits of this month, which the net cost has already.",
            Query(f'sum(spend_month_to_date_usd{{{CHOSEN}, charge_category="credit"}})'),
            empty=reasons.NO_BILL,
            reading=DOLLARS,
            size=(6, 4),
        ),
        number(
            "Not billed, USD",
            "Estimated cost of this month's usage that is not in the bill yet. Of the filters, only the "
            "service applies.",
            Query(
                'sum(spend_nowcast_month_to_date_usd{provider="gcp", service_name=~"$service_name", '
                'basis="estimated"})'
            ),
            empty=reasons.NO_NOWCAST,
            reading=DOLLARS,
            link=To(links.BUDGETS),
            size=(6, 4),
        ),
        last_full_day(DAYS, size=(6, 4)),
    ]


def _days() -> list[Placed]:
    said = "Billed net cost of each billing day. Of the filters, the project and the service apply."
    return [
        by_day(said, DAYS, "service_name", link=filtering("service_name"), size=(12, 11)),
        by_day(
            said,
            DAYS,
            "project_id",
            title="Projects by day",
            link=filtering("project_id"),
            size=(12, 11),
        ),
    ]


def _where() -> list[Placed]:
    def table(title: str, label: str, heading: str) -> Placed:
        return costs_of(
            title,
            DAYS,
            {label: heading},
            f"sum by ({label}) ({MONTH})",
            said="Billed net cost",
            empty=reasons.NO_BILL,
            link=filtering(label),
            size=(12, 10),
        )

    def of_month(division: str, selected: str, label: str) -> str:
        now = f"sum by ({label}) (spend_{division}_month_to_date_usd{{{selected}}})"
        days = f"spend_{division}_daily_usd{{{selected}}}"
        return history.now_or_history(now, history.month_so_far(days, label))

    return [
        table("Services", "service_name", "Service"),
        table("Projects", "project_id", "Project"),
        ranking(
            "Cost by location",
            "Billed net cost of this month, USD, by location, the twelve highest. Click one to filter by it.",
            Query(f"topk(12, sum by (region_id) ({MONTH}) != 0)", "{{region_id}}"),
            empty=reasons.NO_BILL,
            reading=BARS,
            link=filtering("region_id"),
            size=(8, 9),
        ),
        ranking(
            "Cost by label $label",
            "Billed net cost of the month in which the time range ends, USD, by value of the selected label, "
            "for all providers; `unlabelled` is cost without this label.",
            Query(f"topk(12, {of_month('label', LABEL, 'value')})", "{{value}}"),
            empty=reasons.NO_LABELS,
            reading=BARS,
            size=(8, 9),
        ),
        ranking(
            "Cost by category",
            "Billed net cost of the month in which the time range ends, USD, by category of "
            "`cost_attribution`, for all providers.",
            Query(of_month("category", "", "category"), "{{category}}"),
            empty=reasons.NO_CATEGORIES,
            reading=BARS,
            size=(8, 9),
        ),
        by_day(
            "Billed net cost of each billing day, by value of the selected label, for all providers.",
            f"spend_label_daily_usd{{{LABEL}}}",
            "value",
            title="Label $label by day",
            size=(12, 9),
        ),
        by_day(
            "Billed net cost of each billing day, by category of `cost_attribution`, for all providers.",
            "spend_category_daily_usd",
            "category",
            title="Categories by day",
            size=(12, 9),
        ),
    ]


def _invoices() -> list[Placed]:
    def of_invoice(categories: str) -> str:
        return (
            "sum by (billing_account_id, invoice_month, currency) "
            f'(spend_invoice_month_cost{{charge_category=~"{categories}"}})'
        )

    amount = Reading("locale", 2)
    return [
        listing(
            "Credits by service",
            "Net cost, gross cost and credits of this month.",
            {"service_name": "Service"},
            Column("Net, USD", f"sum by (service_name) ({MONTH})", DOLLARS, pixels=85),
            *(
                Column(
                    f"{title}, USD",
                    "sum by (service_name) "
                    f'(spend_month_to_date_usd{{{CHOSEN}, charge_category=~"{parts}"}})',
                    DOLLARS,
                    pixels=88,
                )
                for title, parts in PARTS
            ),
            empty=reasons.NO_BILL,
            links={"service_name": filtering("service_name")},
            size=(10, 8),
        ),
        listing(
            "Invoices",
            "Cost by invoice month in the billing currency, to compare with the provider's invoices. The "
            "total has tax and corrections too. No filter applies.",
            {"billing_account_id": "Billing account", "invoice_month": "Invoice", "currency": "Currency"},
            Column("Total", of_invoice(".*"), amount, pixels=85),
            *(
                Column(title, of_invoice(categories), amount, pixels=pixels)
                for (title, categories), pixels in zip(PARTS, (80, 75), strict=True)
            ),
            empty=reasons.NO_BILL,
            size=(14, 8),
        ),
    ]


def _savings() -> list[Placed]:
    found = "provider, project_id, recommender, resource, region_id"
    return [
        number(
            "Idle VMs",
            "Compute Engine instances that use almost no CPU.",
            Query('sum(spend_idle_instances{project_id=~"$project_id"})'),
            empty="No live usage of Compute Engine; set `gcp.project_ids`",
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
            size=(4, 8),
        ),
        listing(
            "Savings recommendations",
            "Recommendations from Google and from the exporter, with the savings in an average month.",
            {"resource": "Resource", "advice": "What to do", "project_id": "Project"},
            Column(
                "USD per month",
                "sum by (advice, resource, project_id) "
                '(spend_recommendation_savings_usd_per_month{project_id=~"$project_id"} '
                f"* on ({found}) group_left (advice) spend_recommendation_info)",
                DOLLARS,
            ),
            empty=reasons.NO_FINDINGS,
            wide={"advice": 380},
            size=(20, 8),
        ),
        ranking(
            "Unbilled share",
            "Share of a day's final cost that is not in the bill yet, learned from how late this account's "
            "charges usually arrive.",
            Query(
                'max by (days_ago) (spend_unsettled_ratio{provider="gcp", days_ago=~"[0-3]"})',
                "{{days_ago}} days ago",
            ),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, minimum=0, maximum=1),
            size=(24, 6),
        ),
    ]
