"""Exporter: health of sources and figures, data freshness, estimate accuracy, cost and resources."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import LIVE_SINCE, Choice, Section, board
from grafana.source.charts import over_time
from grafana.source.colours import BLUE, GREEN, ORANGE, RED
from grafana.source.exporter_cost import cost
from grafana.source.fields import COUNT, RATIO, SECONDS, USD, Query, Reading
from grafana.source.links import BOARD, To, by_board
from grafana.source.panel_parts import Placed
from grafana.source.panels import ranking
from grafana.source.tables import Column, listing

SOURCE: Final = 'source=~"$source"'
STATE: Final = Reading("none", 0, ((0, RED), (1, GREEN)), {"1": ("works", GREEN), "0": ("fails", RED)})


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.EXPORTER,
        "Whether the figures on the other boards can be trusted, and what the exporter itself costs.",
        [Choice("source", "spend_source_up", "Source")],
        [
            Section("", _health()),
            Section("Data freshness", _freshness()),
            Section("Estimate accuracy", _accuracy()),
            Section("Cost and resources", cost()),
        ],
        since=LIVE_SINCE,
    )


def _health() -> list[Placed]:
    return [
        listing(
            "Source status",
            "The last refresh of each source: whether it succeeded, the time since the last success, and how "
            "long it took; how many files cannot be read.",
            {"source": "Source"},
            Column(
                "State",
                f"min by (source) (spend_source_up{{{SOURCE}}})",
                STATE,
                pixels=60,
            ),
            Column(
                "Since success",
                f"time() - max by (source) (spend_source_last_success_timestamp_seconds{{{SOURCE}}})",
                Reading(SECONDS, 0, ((0, GREEN), (7200, ORANGE), (86400, RED))),
            ),
            Column(
                "Duration",
                f"max by (source) (spend_source_refresh_duration_seconds{{{SOURCE}}})",
                Reading(SECONDS, 1),
                pixels=66,
            ),
            Column(
                "Unread",
                f"max by (source) (spend_source_unreadable_files{{{SOURCE}}})",
                Reading(COUNT, 0, ((0, GREEN), (1, RED))),
                pixels=60,
            ),
            Column(
                "Rows",
                f"sum by (source) (increase(spend_source_rows_total{{{SOURCE}}}[$__range]))",
                Reading(COUNT, 1),
                pixels=75,
            ),
            Column(
                "Requests",
                f"sum by (source) (increase(spend_source_requests_total{{{SOURCE}}}[$__range]))",
                Reading(COUNT, 1),
                pixels=75,
            ),
            empty=reasons.NOT_SCRAPED,
            ascending=True,
            size=(14, 8),
        ),
        over_time(
            "Errors by source",
            "Failures and rejected rows. docs/operations.md explains each reason.",
            Query(
                "sum by (source, reason) "
                f"(increase(spend_source_errors_total{{{SOURCE}}}[$__rate_interval]))",
                "{{source}}: {{reason}}",
            ),
            empty="No errors in this time range",
            reading=Reading(COUNT, 0, minimum=0),
            bars=True,
            step="5m",
            size=(10, 8),
        ),
        listing(
            "Figure status",
            "Each part of the last snapshot: whether it could be computed, and how long that took. The "
            "figures of a failed part are missing or out of date; the exporter's log has the error.",
            {"figure": "Figure"},
            Column("State", "min by (figure) (spend_figure_success)", STATE),
            Column("Duration", "max by (figure) (spend_figure_duration_seconds)", Reading(SECONDS, 2)),
            empty=reasons.NOT_SCRAPED,
            ascending=True,
            size=(14, 9),
        ),
        over_time(
            "Computing time",
            "How long each part of the snapshot took to compute, stacked. Scrapes do not wait for it.",
            Query("max by (figure) (spend_figure_duration_seconds)", "{{figure}}"),
            empty=reasons.NOT_SCRAPED,
            reading=Reading(SECONDS, 2, minimum=0),
            stacked=True,
            size=(10, 9),
        ),
        listing(
            "Reports",
            "Scheduled reports: whether the last one that was due was sent. One that could not be sent is "
            "tried again; the exporter's log has the receiver's answer.",
            {"report": "Report", "destination": "To"},
            Column("State", "min by (report, destination) (spend_report_success)", STATE),
            empty=reasons.NO_REPORTS,
            ascending=True,
            size=(14, 5),
        ),
        listing(
            "Configuration",
            "Whether the configuration that runs is the one in the file, and how long it has been running. A "
            "changed file that is wrong is not taken over; the exporter's log has the reason.",
            {"job": "Job"},
            Column("State", "min by (job) (spend_config_last_reload_successful)", STATE),
            Column(
                "Runs since",
                "time() - max by (job) (spend_config_last_reload_success_timestamp_seconds)",
                Reading(SECONDS, 0),
            ),
            empty=reasons.NOT_SCRAPED,
            ascending=True,
            size=(10, 5),
        ),
    ]


def _freshness() -> list[Placed]:
    return [
        over_time(
            "Bill age by provider",
            "Time since each provider last added a charge to its bill. A sawtooth of some hours is normal.",
            Query("time() - max by (provider) (spend_export_last_timestamp_seconds)", "{{provider}}"),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, minimum=0),
            size=(8, 8),
        ),
        over_time(
            "Usage age",
            "Age of the last settled hour of each provider's bill, and of the last minute of live usage, of "
            "the meter that is furthest behind.",
            Query(
                "time() - min by (provider) (spend_settled_through_timestamp_seconds)", "{{provider}} settled"
            ),
            Query("time() - min(spend_usage_through_timestamp_seconds)", "Live usage"),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, minimum=0),
            size=(8, 8),
        ),
        over_time(
            "Remote write",
            "Hourly costs that wait to be sent or were refused, and by how many dollars the store is off "
            "what it acknowledged. All of them are 0 when the history is complete.",
            Query("max(spend_remote_write_pending_samples)", "Waiting"),
            Query("max(spend_remote_write_refused_samples)", "Refused"),
            Query("max(spend_remote_write_difference_usd)", "Dollars off"),
            empty=reasons.NO_REMOTE_WRITE,
            reading=Reading(COUNT, 0, minimum=0),
            size=(8, 8),
        ),
        ranking(
            "Meter age",
            "The meters whose usage is furthest behind, in the project where it is. Some minutes are "
            "normal; a meter that stays behind the others is read late, or not at all.",
            Query(
                "topk(10, time() - min by (meter) (spend_usage_through_timestamp_seconds))",
                "{{meter}}",
            ),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading(SECONDS, 0, ((0, GREEN), (3600, ORANGE), (21600, RED)), minimum=0),
        ),
    ]


def _accuracy() -> list[Placed]:
    return [
        ranking(
            "Error by hour",
            "Mean absolute error of a whole day's estimate, as a share of its final bill, by the hour of the "
            "billing day at which it was made; the mean of all providers.",
            Query(
                'avg by (made_at) (spend_nowcast_absolute_error_ratio{made_at=~"(00|04|08|12|16|20):00"})',
                "{{made_at}}",
            ),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, ((0, BLUE), (0.1, ORANGE)), minimum=0),
        ),
        over_time(
            "Estimate error",
            "Mean absolute error of estimates made at noon, and their signed error; above 0 the estimates "
            "are too high.",
            Query('spend_nowcast_absolute_error_ratio{made_at="12:00"}', "{{provider}} absolute"),
            Query('spend_nowcast_error_ratio{made_at="12:00"}', "{{provider}} signed"),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1),
            size=(8, 8),
        ),
        listing(
            "Estimates and bill",
            "Live estimate divided by billed cost, for the SKUs that live usage covers, and the share of the "
            "bill that these SKUs make up.",
            {"service_name": "Service"},
            Column(
                "Estimate over bill",
                "avg by (service_name) (spend_estimate_to_billed_ratio)",
                Reading(RATIO, 1, ((0, ORANGE), (0.9, GREEN), (1.1, ORANGE))),
            ),
            Column("Covered", "avg by (service_name) (spend_estimate_explained_ratio)", Reading(RATIO, 0)),
            empty=reasons.NO_LIVE_USAGE,
            links={"service_name": To(links.GOOGLE_CLOUD, ("service_name",))},
            size=(8, 8),
        ),
        listing(
            "Plain estimate",
            "Mean absolute error and signed error of a whole day's estimate, by the hour of the day at "
            "which it was made, and those of a plain Bornhuetter-Ferguson estimate; above 0 is too high.",
            {"made_at": "Made at", "provider": "Provider"},
            *(
                Column(heading, f"max by (provider, made_at) ({metric})", Reading(RATIO, 2), pixels=80)
                for heading, metric in (
                    ("Error", "spend_nowcast_absolute_error_ratio"),
                    ("Signed", "spend_nowcast_error_ratio"),
                    ("Plain error", "spend_nowcast_plain_absolute_error_ratio"),
                    ("Plain signed", "spend_nowcast_plain_error_ratio"),
                )
            ),
            empty=reasons.NO_GRADES,
            size=(13, 9),
        ),
        listing(
            "Method by service",
            "The model, the plain estimate where it has been better over three weeks, or the rules for bills "
            "by the day.",
            {"service_name": "Service", "method": "Method", "provider": "Provider", BOARD: "Board"},
            Column(
                "Today",
                by_board(
                    "sum by (provider, service_name, method) (spend_nowcast_method_info "
                    "* on (provider, service_name) group_left () sum by (provider, service_name) "
                    "(spend_nowcast_today_usd))"
                ),
                Reading(USD, 2),
            ),
            empty=reasons.NO_NOWCAST,
            links={"service_name": To(BOARD, ("provider", "service_name"))},
            size=(11, 9),
        ),
    ]
