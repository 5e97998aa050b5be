"""Reads hostile input as the program does, from the source to what a scrape gets, and holds it to its word.

A source fails only with the errors that it declares; nothing that it read breaks a figure or the exposition;
the log has no traceback, no secret, and nothing that a terminal would obey.
"""

from __future__ import annotations

import io
import logging
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from exporter.cli.log_formats import LOG_FORMATS
from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Source
from exporter.sources.status import SourceStatus
from tests.fuzz.hostile import SECRET
from tests.support.exposed import Samples, samples

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEPT = timedelta(days=400)


@dataclass
class Reading:
    """A program without threads around one source: a ledger in memory, and what was logged."""

    refresher: Refresher
    ledger: Ledger
    source: Source
    _log: io.StringIO
    secrets: Sequence[str]

    def refresh(self) -> SourceStatus:
        """Refresh once and show; returns how the source is doing."""
        self.refresher.refresh(self.source)
        self.refresher.rebuild()
        (status,) = self.refresher.snapshot.sources
        logged = self._log.getvalue()
        assert status.failed_with != "unexpected", logged
        assert "Traceback" not in logged, logged
        for line in logged.splitlines():
            assert line.isprintable(), line
        texts = [logged, status.last_error, *(f"{each.place} {each.detail}" for each in status.rejected)]
        for secret in self.secrets:
            assert secret not in " ".join(texts), (secret, texts)
        assert status.last_error.isprintable(), status.last_error
        self._is_whole(self.shown())
        return status

    def shown(self) -> Samples:
        """What a scrape gets."""
        return samples(self.refresher.snapshot.exposition.text)

    def _is_whole(self, shown: Samples) -> None:
        failed = [dict(labels) for labels, value in shown["spend_figure_success"].items() if value != 1]
        assert not failed, (failed, self._log.getvalue())
        for name, values in shown.items():
            odd = {labels: value for labels, value in values.items() if not math.isfinite(value)}
            assert not odd or name.endswith("_bucket"), (name, odd)

    def usd(self, column: str = "sku_id") -> dict[str, Decimal]:
        """Exact dollars of the ledger by a column of the series."""
        with self.ledger.reading() as connection:
            found = connection.execute(
                f"SELECT {column}, sum(billed_cost_usd) FROM charge JOIN series USING (series_id) GROUP BY 1"
            ).fetchall()
        return dict(found)


@contextmanager
def reading(source: Source, *secrets: str, now: datetime = NOW) -> Iterator[Reading]:
    """Yield a program around the source, which has read nothing yet."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(LOG_FORMATS["text"]())
    logger = logging.getLogger("exporter")
    logger.addHandler(handler)
    ledger = Ledger(None)
    try:
        with tempfile.TemporaryDirectory() as spool:
            refresher = Refresher(
                [source],
                ledger,
                Path(spool),
                interval=timedelta(minutes=15),
                keep=KEPT,
                max_series=10_000,
                clock=lambda: now,
            )
            yield Reading(refresher, ledger, source, log, secrets)
            assert not list(Path(spool).iterdir()), "a spool file is left over"
    finally:
        logger.removeHandler(handler)
        ledger.close()


__all__ = ["NOW", "SECRET", "Reading", "reading"]
