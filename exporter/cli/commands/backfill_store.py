"""`spend-exporter backfill --compare` and `--resend-since`: whether the store has what was sent."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

from exporter.config.model import Config
from exporter.core.errors import SourceError
from exporter.core.printable import printable
from exporter.history.comparison import COMPARED_DAYS, usd_off
from exporter.history.remote_write import NotDelivered
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.sources.base import billing_zones
from exporter.wiring.remote_write import history_sender
from exporter.wiring.sources import configured_sources, history_divisions

logger = logging.getLogger(__name__)


def compare_or_resend(config: Config, ledger: str | None, since: date | None, now: datetime) -> bool:
    """Print what the store has otherwise; with `since`, let it be sent again. Return whether all was well.

    Raises LedgerError.
    """
    sources = configured_sources(config, os.environ)
    names = [source.name for source in sources]
    with closing(Ledger(Path(ledger) if ledger else config.ledger)) as opened:
        sender = history_sender(
            config, opened, names, lambda: now, billing_zones(sources), divisions=history_divisions(config)
        )
        if sender is None:
            logger.error("history.remote_write is not set, so nothing was sent to any store")
            return False
        try:
            return _compare(sender) if since is None else _resend(sender, since)
        except (NotDelivered, SourceError) as error:
            logger.error("%s", error)  # noqa: TRY400 (the text is complete)
            return False


def _compare(sender: HistorySender) -> bool:
    found = sender.compare()
    for each in found:
        series = " ".join(label for label in each.labels if label)
        usd = f"{each.sent_usd:12.2f} sent  {each.stored_usd:12.2f} stored"
        print(f"{each.day:%Y-%m-%d}  {usd}  {each.family.name} {printable(series)}")  # noqa: T201
    off_by = f"{len(found)} sums differ, by ${usd_off(found):,.2f}"
    print(f"the last {COMPARED_DAYS} whole days: {off_by}")  # noqa: T201
    return not found


def _resend(sender: HistorySender, since: date) -> bool:
    hours, usd = sender.resend_since(datetime.combine(since, datetime.min.time(), UTC))
    print(f"{hours} hours and days differ, by ${usd:,.2f}; the exporter sends them when it runs again")  # noqa: T201
    return True
