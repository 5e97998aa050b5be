"""Metrics of the exporter itself: its snapshot, its sources, its own cost."""

from __future__ import annotations

from exporter.metrics.families.declaration import counter, gauge

SPEND_FIGURE_SUCCESS = gauge(
    "spend_figure_success",
    ("figure",),
    "1 if this part of the last snapshot could be computed, else 0. Metrics of a failed part are missing, or "
    "keep their last values until the hour ends.",
)
SPEND_FIGURE_DURATION = gauge(
    "spend_figure_duration_seconds",
    ("figure",),
    "How long the last computation of this part of the snapshot took.",
    "seconds",
)
SPEND_DISK_FULL = gauge(
    "spend_disk_full",
    (),
    "1 while there is no room on a disk that the exporter writes to: the ledger, its spool folder or the "
    "history's; else 0. The last good figures stay, and writing is tried again every minute.",
)
SPEND_LEDGER_DAMAGED_TIMESTAMP = gauge(
    "spend_ledger_damaged_timestamp_seconds",
    (),
    "Time at which the ledger was last found damaged or gone, and replaced by a new one that fills from the "
    "sources. Absent where that has not happened, or the damaged file was removed since.",
    "seconds",
)
SPEND_EXPORTER_COST_USD_PER_MONTH = gauge(
    "spend_exporter_cost_usd_per_month",
    (),
    "Monthly cost of the exporter's own reading of BigQuery and Cloud Monitoring, at the last day's pace.",
    "usd_per_month",
)

SPEND_SOURCE_UP = gauge(
    "spend_source_up",
    ("source",),
    "1 if the source's last refresh succeeded; 0 if it failed, or takes longer than it may.",
)
SPEND_WITHHELD_RETRACTION_USD = gauge(
    "spend_withheld_retraction_usd",
    ("source",),
    "Dollars before credits that are gone at the source of a bill, and that its figures still have because "
    "so many do not leave at once without a reason; 0 where nothing is withheld.",
    "usd",
)
SPEND_SOURCE_UNREADABLE_FILES = gauge(
    "spend_source_unreadable_files",
    ("source",),
    "Files of the source that cannot be read, or have no readable record; what was read of them before still "
    "counts.",
)
SPEND_SOURCE_READ_WHOLE = gauge(
    "spend_source_read_whole",
    ("source",),
    "1 if the source has been read to its end at least once, so that its figures are shown; else 0. Sums "
    "over sources are not shown until each source of a bill is 1, or has failed (spend_source_up 0).",
)
SPEND_SOURCE_LAST_SUCCESS = gauge(
    "spend_source_last_success_timestamp_seconds",
    ("source",),
    "Time of the source's last successful refresh.",
    "seconds",
)
SPEND_SOURCE_REFRESH_DURATION = gauge(
    "spend_source_refresh_duration_seconds",
    ("source",),
    "Duration of the source's last refresh.",
    "seconds",
)
SPEND_SOURCE_UPDATE_INTERVAL = gauge(
    "spend_source_update_interval_seconds",
    ("source",),
    "Interval between refreshes of the source, without failures.",
    "seconds",
)
SPEND_SOURCE_ERRORS_TOTAL = counter(
    "spend_source_errors_total", ("source", "reason"), "Failed refreshes and rows set aside, by reason."
)
SPEND_SOURCE_ROWS_TOTAL = counter(
    "spend_source_rows_total", ("source",), "Rows read from the source, without rows set aside."
)
SPEND_SOURCE_REQUESTS_TOTAL = counter(
    "spend_source_requests_total", ("source",), "Requests made to the source: API calls, or files opened."
)
SPEND_BIGQUERY_BILLED_BYTES_TOTAL = counter(
    "spend_bigquery_billed_bytes_total",
    (),
    "Bytes that BigQuery billed for the exporter's own queries of the export.",
    "bytes",
)
SPEND_SERIES_FOLDED = gauge(
    "spend_series_folded", ("metric",), "Series that max_series adds up as `other`; their sum stays exact."
)
SPEND_REPORT_SUCCESS = gauge(
    "spend_report_success",
    ("report", "destination"),
    "1 if the last report that was due was sent (`destination` is mail, slack or webhook), 0 while it could "
    "not be sent. Missing until that is known, and without `reports`.",
)
SPEND_CONFIG_LAST_RELOAD_SUCCESSFUL = gauge(
    "spend_config_last_reload_successful",
    (),
    "1 if the configuration that runs is the file's; 0 if the file, or a certificate of the web server, has "
    "changed and cannot be used.",
)
SPEND_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS = gauge(
    "spend_config_last_reload_success_timestamp_seconds",
    (),
    "When the configuration that runs was taken over, at the start or while running.",
    "seconds",
)
SPEND_EXPORTER_BUILD_INFO = gauge(
    "spend_exporter_build_info", ("version", "python_version"), "Always 1; the labels have the versions."
)
SPEND_EXPORTER_SCRAPES_TOTAL = counter(
    "spend_exporter_scrapes_total", ("code",), "Scrapes answered before this one, by HTTP status code."
)
