"""The status of remote write, and its metric families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples


@dataclass(frozen=True, slots=True)
class SendingStatus:
    """The status of sending. Counts are since the process began."""

    acknowledged: int = 0
    pending: int = 0
    """Values that are still to be sent, without refused ones."""
    refused: int = 0
    """Values that the receiver refused."""
    sent_through: datetime | None = None
    """Everything known at this time is acknowledged, except refused values; None until then."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed requests and refused samples, by reason."""
    difference_usd: float | None = None
    """How far the store is off, over the days that were compared; None until then."""
    compared_at: datetime | None = None


def remote_write_families(status: SendingStatus) -> list[FamilySamples]:
    """Return how many samples the receiver has accepted, is still to get, and has refused."""
    through = status.sent_through
    compared = status.compared_at
    failures = [((reason,), float(count)) for reason, count in sorted(status.failures.items())]
    return [
        FamilySamples(metrics.SPEND_REMOTE_WRITE_SAMPLES_TOTAL, [((), float(status.acknowledged))]),
        FamilySamples(metrics.SPEND_REMOTE_WRITE_FAILURES_TOTAL, failures),
        FamilySamples(metrics.SPEND_REMOTE_WRITE_PENDING_SAMPLES, [((), float(status.pending))]),
        FamilySamples(metrics.SPEND_REMOTE_WRITE_REFUSED_SAMPLES, [((), float(status.refused))]),
        FamilySamples(
            metrics.SPEND_REMOTE_WRITE_DIFFERENCE_USD,
            [] if status.difference_usd is None else [((), status.difference_usd)],
        ),
        FamilySamples(metrics.SPEND_REMOTE_WRITE_COMPARED, [((), compared.timestamp())] if compared else []),
        FamilySamples(
            metrics.SPEND_REMOTE_WRITE_SENT_THROUGH, [((), through.timestamp())] if through else []
        ),
    ]
