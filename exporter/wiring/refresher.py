"""Opens what every command needs that reads the bill: the ledger, a spool folder and a refresher."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.config.model import Config
from exporter.history.log import HistoryLog
from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from exporter.metrics.families import FamilySamples
from exporter.refresh.adoption import adopt
from exporter.refresh.guard import RetractionRules
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Source, billing_zones
from exporter.wiring.dimensions import configured_reasons
from exporter.wiring.provider_budgets import provider_budgets
from exporter.wiring.remote_write import history_sender
from exporter.wiring.sources import business_units, figure_settings, history_divisions

logger = logging.getLogger(__name__)

_SPOOL_PREFIX = "spool-of-"

_LEAST_MEGABYTES = 96
_MOST_MEGABYTES = 512
_SERIES_OF_LEAST_MEMORY = 50_000
_MEGABYTES_PER_1000_SERIES = 2


@contextmanager
def opened_refresher(
    config: Config,
    sources: Sequence[Source],
    ledger_path: Path | None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    more_families: Callable[[], Sequence[FamilySamples]] = tuple,
    *,
    mends: bool = False,
) -> Iterator[Refresher]:
    """Open the ledger (None: in memory) and yield a refresher of the sources; closes everything afterwards.

    `more_families` are metrics that others know, as each snapshot is built. With `mends` a ledger that is
    damaged or was lost is replaced by a new one, which is logged. Raises LedgerError.
    """
    if ledger_path is not None:
        ledger_path.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(
        ledger_path,
        memory_limit=ledger_memory(config.max_series),
        mend_at=clock() if mends else None,
    )
    if ledger.file.loss:
        logger.error("%s", ledger.file.loss)
    try:
        # The ledger is closed before its folder is removed; otherwise it could not write its log to the file.
        with _spool(ledger_path, writable=not ledger.read_only) as spool, closing(ledger):
            ledger.spill_to(spool)
            adopt(ledger, sources)
            settings = figure_settings(config)
            named = [budget.name for budget in settings.budgets.budgets]
            yield Refresher(
                sources,
                ledger,
                spool,
                refresh_seconds=config.timeouts.refresh_seconds,
                interval=timedelta(minutes=config.gcp.update_interval_minutes if config.gcp else 15),
                keep=timedelta(days=config.ledger_keep_days),
                max_series=config.max_series,
                settings=settings,
                provider_budgets=lambda: provider_budgets(sources, named),
                more_families=more_families,
                explain=configured_reasons(config, sources),
                units=business_units(config),
                log=_history_log(config),
                history_sender=history_sender(
                    config,
                    ledger,
                    [source.name for source in sources],
                    clock,
                    billing_zones(sources),
                    divisions=history_divisions(config),
                ),
                clock=clock,
                retractions=retraction_rules(config),
            )
    finally:
        ledger.close()


def ledger_memory(max_series: int) -> str:
    """Return the memory limit of the ledger of an exporter that may show so many series.

    96 MB are too little for the queries of 100,000 series that run at the same time.
    """
    more = max(0, max_series - _SERIES_OF_LEAST_MEMORY) // 1000 * _MEGABYTES_PER_1000_SERIES
    return f"{min(_LEAST_MEGABYTES + more, _MOST_MEGABYTES)}MB"


def retraction_rules(config: Config) -> RetractionRules:
    """Return how much of a bill may leave at once."""
    hours = config.retractions.accept_after_hours
    return RetractionRules(
        config.retractions.largest_share, None if hours is None else timedelta(hours=hours)
    )


def _history_log(config: Config) -> HistoryLog | None:
    section = config.history.jsonl if config.history else None
    if section is None:
        return None
    interval = timedelta(minutes=section.interval_minutes)
    return HistoryLog(section.directory, keep=timedelta(days=section.keep_days), interval=interval)


@contextmanager
def _spool(ledger_path: Path | None, *, writable: bool) -> Iterator[Path]:
    """Yield an empty folder next to the ledger, where there is space; remove files of a killed process."""
    if ledger_path is None or not writable:
        with tempfile.TemporaryDirectory(prefix=_SPOOL_PREFIX) as folder:
            yield Path(folder)
        return
    spool = ledger_path.parent / f".{_SPOOL_PREFIX}{ledger_path.name}"
    # The ledger's lock is held, so no other process uses this folder.
    shutil.rmtree(spool, ignore_errors=True)
    try:
        spool.mkdir()
    except OSError as error:
        raise LedgerError(
            "ledger_unusable", f"cannot make the folder {spool} next to the ledger: {error}"
        ) from error
    try:
        yield spool
    finally:
        shutil.rmtree(spool, ignore_errors=True)
