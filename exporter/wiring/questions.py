"""From the configuration to the questions that can be asked about the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from exporter.config.model import Config
from exporter.ledger.charges.windows import LedgerView
from exporter.questions.asking import Questions
from exporter.refresh.refresher import Refresher
from exporter.sources.base import Source, billing_zones
from exporter.wiring.dimensions import configured_dimensions


def refresher_questions(
    config: Config, sources: Sequence[Source], refresher: Refresher, clock: Callable[[], datetime]
) -> Questions:
    """Return the questions about the ledger that a refresher fills."""
    return Questions(
        partial(ledger_state, refresher),
        configured_dimensions(config),
        billing_zones(sources),
        clock=clock,
        missing_sources=partial(missing_bills, refresher),
        version=lambda: refresher.snapshot.built_at,
    )


@contextmanager
def ledger_state(refresher: Refresher) -> Iterator[LedgerView]:
    """Open one consistent state of the ledger that a refresher fills."""
    with refresher.state() as (view, _):
        yield view


def missing_bills(refresher: Refresher) -> list[str]:
    """Return the sources of a bill that were never read to their end."""
    return [each.name for each in refresher.snapshot.sources if each.reads_bill and not each.shown]
