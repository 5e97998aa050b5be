"""Whether the scheduled reports could be sent, as far as that can be known without sending one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exporter.core.errors import SourceError
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.delivery.sender import Scheduled
from exporter.sources.base import Finding


def report_findings(reports: Sequence[Scheduled]) -> Iterator[Finding]:
    """Yield a finding on each place that a report is sent to."""
    for report in reports:
        for destination in report.destinations:
            what = f"{report.name} by {destination.kind}"
            try:
                detail = destination.check()
            except (DeliveryError, SourceError) as error:
                yield Finding(False, what, str(error))
            else:
                yield Finding(True, what, detail)
