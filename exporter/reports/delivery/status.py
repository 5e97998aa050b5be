"""Whether the reports that were due have been sent, for metrics. One thread writes, any other reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from exporter.metrics import families as metrics
from exporter.metrics.families import FamilySamples


class DeliveryStatus:
    """Whether the last report that was due was sent, by report and destination; missing until it is known."""

    def __init__(self) -> None:
        self._sent: Mapping[tuple[str, str], bool] = MappingProxyType({})

    def note(self, report: str, destination: str, *, sent: bool) -> bool:
        """Keep the outcome; return whether it is another one than before."""
        key = (report, destination)
        changed = self._sent.get(key) is not sent
        if changed:
            # Replaced as a whole, so that a reader never sees it while it changes.
            self._sent = MappingProxyType({**self._sent, key: sent})
        return changed

    def families(self) -> list[FamilySamples]:
        """Return the outcomes as metrics."""
        return [
            FamilySamples(
                metrics.SPEND_REPORT_SUCCESS, [(key, float(sent)) for key, sent in sorted(self._sent.items())]
            )
        ]
