"""Counts scrapes by HTTP status, and renders the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from exporter.metrics.exposition.exposition import Exposition, render
from exporter.metrics.families import SPEND_EXPORTER_SCRAPES_TOTAL, FamilySamples


class ScrapeCounts:
    """Scrapes answered since the process started. For use from one thread."""

    def __init__(self) -> None:
        # All that there can be, so that the first of each shows as a rise.
        self._here = Counter({200: 0, 503: 0})
        self._elsewhere: Counter[int] = Counter()

    def count(self, status: int) -> None:
        """Count a scrape; the next scrape shows it."""
        self._here[status] += 1

    @property
    def here(self) -> Mapping[str, int]:
        """The scrapes that this process has answered."""
        return {str(status): count for status, count in self._here.items()}

    def know(self, elsewhere: Mapping[str, int]) -> None:
        """Take what another process has answered so far; both are shown as one."""
        self._elsewhere = Counter({int(status): count for status, count in elsewhere.items()})

    def rendered(self, began: float | None) -> Exposition:
        """Return the counts; `began` is when they were zero, in seconds since 1970, where it is known."""
        counts = {status: count + self._elsewhere[status] for status, count in sorted(self._here.items())}
        samples: list[tuple[tuple[str, ...], float]] = [
            ((str(status),), float(count)) for status, count in counts.items()
        ]
        created = None if began is None else {labels: began for labels, _ in samples}
        return render([FamilySamples(SPEND_EXPORTER_SCRAPES_TOTAL, samples, created)])
