"""Metrics of history sent by remote write."""

from __future__ import annotations

from exporter.metrics.families.declaration import counter, gauge

SPEND_REMOTE_WRITE_SAMPLES_TOTAL = counter(
    "spend_remote_write_samples_total",
    (),
    "Hourly and daily costs and corrections that the remote-write receiver has accepted.",
)
SPEND_REMOTE_WRITE_FAILURES_TOTAL = counter(
    "spend_remote_write_failures_total",
    ("reason",),
    "Failed remote-write requests, and samples that the receiver refused, by reason.",
)
SPEND_REMOTE_WRITE_PENDING_SAMPLES = gauge(
    "spend_remote_write_pending_samples",
    (),
    "Hourly and daily costs and corrections that are still to be sent, without refused ones.",
)
SPEND_REMOTE_WRITE_REFUSED_SAMPLES = gauge(
    "spend_remote_write_refused_samples",
    (),
    "Hourly and daily costs and corrections that the receiver refused.",
)
SPEND_REMOTE_WRITE_DIFFERENCE_USD = gauge(
    "spend_remote_write_difference_usd",
    (),
    "How far the store's sums are from what it acknowledged: over the last seven whole UTC days, the "
    "differences of each day and series without their signs. Compared daily, where `query_url` is set.",
    "usd",
)
SPEND_REMOTE_WRITE_COMPARED = gauge(
    "spend_remote_write_compared_timestamp_seconds",
    (),
    "When the store was last compared with what it acknowledged.",
    "seconds",
)
SPEND_REMOTE_WRITE_SENT_THROUGH = gauge(
    "spend_remote_write_sent_through_timestamp_seconds",
    (),
    "The receiver has everything that was billed at this time, except what it refused.",
    "seconds",
)
