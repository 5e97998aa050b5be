"""Google Cloud, where a question ends: the SKU, the resource and the hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grafana.source import history, reasons
from grafana.source.charts import ranked
from grafana.source.fields import DOLLARS, USD, Reading
from grafana.source.links import To
from grafana.source.panel_parts import Placed
from grafana.source.tables import Column, listing

_BY_SKU: Final = "sku, service_name"
_BY_RESOURCE: Final = "resource, project_id, meter"
_ROWS: Final = 40


def drill_down(chosen: str, of_history: str, filtering: Callable[[str], To]) -> list[Placed]:
    """Make the panels. `chosen` selects what is billed now, `of_history` hours and days."""
    dearest = f"topk({_ROWS}, sum by ({_BY_SKU}) (spend_month_to_date_usd{{{chosen}}}))"

    def of_dearest(metric: str) -> str:
        return f"sum by ({_BY_SKU}) ({metric}{{{chosen}}}) and on ({_BY_SKU}) {dearest}"

    return [
        listing(
            "SKUs",
            "The 40 SKUs with the highest billed net cost this month. Click one to filter by it.",
            {"sku": "SKU", "service_name": "Service"},
            Column("Month, USD", dearest, DOLLARS, pixels=80),
            Column("Yesterday, USD", of_dearest("spend_yesterday_usd"), DOLLARS, pixels=100),
            Column("Last month, USD", of_dearest("spend_last_month_usd"), DOLLARS, pixels=105),
            empty=reasons.NO_BILL,
            links={"sku": filtering("sku"), "service_name": filtering("service_name")},
            wide={"sku": 170, "service_name": 85},
            size=(15, 12),
        ),
        listing(
            "Resources per hour",
            "The 40 resources with the highest live cost per hour at the end of the time range. Of the "
            "filters, the project and the location apply.",
            {"resource": "Resource", "meter": "Meter", "project_id": "Project"},
            Column(
                "USD per hour",
                f"topk({_ROWS}, sum by ({_BY_RESOURCE}) (spend_live_cost_usd_per_hour"
                '{project_id=~"$project_id", region_id=~"$region_id"}))',
                Reading(USD, 2),
                pixels=90,
            ),
            empty=reasons.NO_LIVE_USAGE,
            links={"project_id": filtering("project_id")},
            size=(9, 12),
        ),
        ranked(
            "Cost by hour",
            "Billed net cost per hour of usage, by service; longer steps have their mean. Of the filters, "
            "the project and the service apply. Select some hours with the mouse to see them alone.",
            lambda by: (
                f"sum by ({by}) (sum_over_time(spend_hourly_usd{{{of_history}}}[$__interval] "
                "offset -$__interval)) / ($__interval_ms / 3600000)"
            ),
            history.whole_range(f"spend_daily_usd{{{of_history}}}", "service_name"),
            "service_name",
            empty=reasons.NO_HISTORY,
            link=filtering("service_name"),
            bars=True,
            step="1h",
            reading=Reading(USD, 2),
            size=(24, 9),
        ),
    ]
