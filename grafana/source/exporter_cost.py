"""What the exporter itself costs and uses: the last section of its board."""

from __future__ import annotations

from typing import Final

from grafana.source import reasons
from grafana.source.charts import over_time
from grafana.source.colours import BLUE, GREEN, ORANGE
from grafana.source.fields import BYTES, COUNT, SECONDS, USD, Query, Reading
from grafana.source.panel_parts import Placed
from grafana.source.panels import number

ITSELF: Final = "and on (job, instance) spend_exporter_build_info"
"""Selects the exporters among all targets of Prometheus."""


def cost() -> list[Placed]:
    """Return the panels."""

    def last_day(metric: str) -> str:
        return f"sum(increase({metric}[1d]))"

    return [
        number(
            "Own cost",
            "Cost per month of the exporter's reads of BigQuery and Cloud Monitoring, at the pace of the "
            "last day.",
            Query("sum(spend_exporter_cost_usd_per_month)"),
            empty="Known after an hour, if any read costs money",
            reading=Reading(USD, 2, ((0, BLUE), (20, ORANGE))),
        ),
        number(
            "BigQuery",
            "Bytes that BigQuery billed in the last day for reading the export. Reading files is free.",
            Query(last_day("spend_bigquery_billed_bytes_total")),
            empty="The bill is not read from BigQuery",
            reading=Reading(BYTES, 1),
        ),
        number(
            "Monitoring",
            "Time series that Cloud Monitoring returned in the last day. A million a month are free.",
            Query(last_day("spend_monitoring_series_returned_total")),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading(COUNT, 1),
        ),
        number(
            "Samples",
            "Samples that Prometheus gets from the exporter in one scrape.",
            Query(f"sum(scrape_samples_scraped {ITSELF})"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(COUNT, 1),
        ),
        number(
            "Folded",
            "Series that are folded. Beyond `max_series`, the smallest series are added up as `other`; "
            "totals stay exact.",
            Query("sum(spend_series_folded)"),
            empty=reasons.NO_BILL,
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
        ),
        number(
            "Version",
            "The running version of the exporter.",
            Query("max by (version) (spend_exporter_build_info)", "{{version}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading("none", 0),
            named=True,
        ),
        over_time(
            "Scrape duration",
            "Measured by Prometheus. Figures are computed in the background, so scrapes are fast.",
            Query(f"scrape_duration_seconds {ITSELF}", "{{instance}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(SECONDS, 1, minimum=0),
            size=(8, 7),
        ),
        over_time(
            "Memory",
            "Resident memory of the exporter.",
            Query(f"process_resident_memory_bytes {ITSELF}", "{{instance}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(BYTES, 0, minimum=0),
            size=(8, 7),
        ),
        over_time(
            "Scrapes by status",
            "Scrapes per minute, stacked by HTTP status code.",
            Query("60 * sum by (code) (rate(spend_exporter_scrapes_total[$__rate_interval]))", "{{code}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading("none", 1, minimum=0),
            stacked=True,
            size=(8, 7),
        ),
    ]
