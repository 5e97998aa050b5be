"""Exporter: does every source answer, how fresh and how right are the figures, what does watching cost."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import Choice, Section, board
from grafana.source.colours import BLUE, GREEN, ORANGE, RED
from grafana.source.fields import BYTES, COUNT, RATIO, SECONDS, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panels import Column, Placed, listing, number, over_time, ranking

SOURCE: Final = 'source=~"$source"'
ITSELF: Final = "and on (job, instance) spend_exporter_build_info"
"""Of what Prometheus scrapes, the exporters alone."""


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.EXPORTER,
        "Whether the figures of the other boards can be trusted, and what they cost to get.",
        [Choice("source", "spend_source_up", "Source")],
        [
            Section("Does it work", _health()),
            Section("How fresh", _freshness()),
            Section("How right", _accuracy()),
            Section("What it costs", _cost()),
        ],
    )


def _health() -> list[Placed]:
    return [
        listing(
            "Does every source answer?",
            "The last refresh of each source: whether it worked, how long ago one last did, and how long "
            "it took.",
            {"source": "Source"},
            Column(
                "State",
                f"min by (source) (spend_source_up{{{SOURCE}}})",
                Reading("none", 0, ((0, RED), (1, GREEN)), {"1": ("works", GREEN), "0": ("fails", RED)}),
            ),
            Column(
                "Last success",
                f"time() - max by (source) (spend_source_last_success_timestamp_seconds{{{SOURCE}}})",
                Reading(SECONDS, 0, ((0, GREEN), (7200, ORANGE), (86400, RED))),
            ),
            Column(
                "Takes",
                f"max by (source) (spend_source_refresh_duration_seconds{{{SOURCE}}})",
                Reading(SECONDS, 1),
            ),
            Column(
                "Rows",
                f"sum by (source) (increase(spend_source_rows_total{{{SOURCE}}}[$__range]))",
                Reading(COUNT, 1),
            ),
            Column(
                "Requests",
                f"sum by (source) (increase(spend_source_requests_total{{{SOURCE}}}[$__range]))",
                Reading(COUNT, 1),
            ),
            empty=reasons.NOT_SCRAPED,
            size=(14, 8),
        ),
        over_time(
            "What goes wrong?",
            "Failures and rows set aside, by source and reason. docs/operations.md explains each reason.",
            Query(
                "sum by (source, reason) "
                f"(increase(spend_source_errors_total{{{SOURCE}}}[$__rate_interval]))",
                "{{source}}: {{reason}}",
            ),
            empty="Nothing has gone wrong",
            reading=Reading(COUNT, 0, minimum=0),
            bars=True,
            step="5m",
            size=(10, 8),
        ),
    ]


def _freshness() -> list[Placed]:
    return [
        over_time(
            "How old is the newest line of the bill?",
            "Time since each provider last wrote a charge. A saw-tooth of hours is usual.",
            Query("time() - max by (provider) (spend_export_last_timestamp_seconds)", "{{provider}}"),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, minimum=0),
        ),
        over_time(
            "How far back is usage settled, and live usage known?",
            "Age of the last settled hour of each provider's bill, and of the last minute of live usage.",
            Query(
                "time() - min by (provider) (spend_settled_through_timestamp_seconds)", "{{provider}} settled"
            ),
            Query("time() - min(spend_usage_through_timestamp_seconds)", "Live usage"),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, minimum=0),
        ),
    ]


def _accuracy() -> list[Placed]:
    return [
        ranking(
            "How wrong is a day's estimate, by the hour it is made?",
            "Mean size of the error over the final bill, the mean of providers. Time is that of the "
            "billing day.",
            Query(
                'avg by (made_at) (spend_nowcast_absolute_error_ratio{made_at=~"(00|04|08|12|16|20):00"})',
                "{{made_at}}",
            ),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, ((0, BLUE), (0.1, ORANGE)), minimum=0),
            by_value=True,
        ),
        over_time(
            "Do estimates become better?",
            "Mean size of the error of estimates made at noon, and their signed error: above 0, estimates "
            "are high.",
            Query('spend_nowcast_absolute_error_ratio{made_at="12:00"}', "{{provider}} size"),
            Query('spend_nowcast_error_ratio{made_at="12:00"}', "{{provider}} signed"),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1),
            size=(8, 8),
        ),
        listing(
            "Does live usage agree with the bill?",
            "Live estimate over bill, of the SKUs that live usage explains, and how much of the bill these "
            "are.",
            {"service_name": "Service"},
            Column(
                "Estimate over bill",
                "avg by (service_name) (spend_estimate_to_billed_ratio)",
                Reading(RATIO, 1, ((0, ORANGE), (0.9, GREEN), (1.1, ORANGE))),
            ),
            Column("Explained", "avg by (service_name) (spend_estimate_explained_ratio)", Reading(RATIO, 0)),
            empty=reasons.NO_LIVE_USAGE,
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",))},
            size=(8, 8),
        ),
    ]


def _cost() -> list[Placed]:
    def last_day(metric: str) -> str:
        return f"sum(increase({metric}[1d]))"

    return [
        number(
            "Exporter cost per month",
            "What the reads of BigQuery and Cloud Monitoring cost at the pace of the last day.",
            Query("sum(spend_exporter_cost_usd_per_month)"),
            empty="Told after an hour, where something read costs",
            reading=Reading(USD, 2, ((0, GREEN), (20, ORANGE))),
        ),
        number(
            "BigQuery billed in a day",
            "Bytes that BigQuery billed in the last day for reading the export. Files cost none.",
            Query(last_day("spend_bigquery_billed_bytes_total")),
            empty="The bill is not read from BigQuery",
            reading=Reading(BYTES, 1),
        ),
        number(
            "Monitoring series in a day",
            "Time series that Cloud Monitoring returned in the last day. A million a month are free.",
            Query(last_day("spend_monitoring_series_returned_total")),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading(COUNT, 1),
        ),
        number(
            "Series in a scrape",
            "Samples that Prometheus takes from the exporter in one scrape.",
            Query(f"sum(scrape_samples_scraped {ITSELF})"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(COUNT, 1),
        ),
        number(
            "Series folded into `other`",
            "Beyond `max_series` the smallest series are added up as `other`; sums stay exact.",
            Query("sum(spend_series_folded)"),
            empty=reasons.NO_BILL,
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
        ),
        number(
            "Version",
            "What is running.",
            Query("max by (version) (spend_exporter_build_info)", "{{version}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading("none", 0),
            named=True,
        ),
        over_time(
            "How long does a scrape take?",
            "As Prometheus measures it. Figures are made in the background, so a scrape only hands them out.",
            Query(f"scrape_duration_seconds {ITSELF}", "{{instance}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(SECONDS, 1, minimum=0),
            size=(8, 7),
        ),
        over_time(
            "How much memory does it hold?",
            "Resident memory of the exporter.",
            Query(f"process_resident_memory_bytes {ITSELF}", "{{instance}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(BYTES, 0, minimum=0),
            size=(8, 7),
        ),
        over_time(
            "How often is it scraped, and does it answer?",
            "Scrapes per minute by HTTP status code.",
            Query("60 * sum by (code) (rate(spend_exporter_scrapes_total[$__rate_interval]))", "{{code}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading("none", 1, minimum=0),
            stacked=True,
            size=(8, 7),
        ),
    ]
