"""Which source goes on with what the ledger has under another name: an entry was renamed or listed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.core.source_names import kind_of
from exporter.ledger.charges.store import Ledger
from exporter.ledger.moving import divide_source, held_partitions
from exporter.sources.base import Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Adoption:
    """Partitions that go from one source to others of its kind."""

    old: str
    takers: Mapping[str, Sequence[str]]
    """By the source that gets them."""
    stays: bool
    """Whether the old source is configured too."""


def adopt(ledger: Ledger, sources: Sequence[Source]) -> None:
    """Move what the ledger has to the sources that read it now, before any is refreshed.

    Raises LedgerError.
    """
    if ledger.read_only:
        return
    for each in adoptions(sources, held_partitions(ledger)):
        divide_source(ledger, each.old, each.takers, stays=each.stays)
        for new, partitions in each.takers.items():
            logger.info("%s: goes on with %d partitions of %s", new, len(partitions), each.old)


def adoptions(sources: Sequence[Source], held: Mapping[str, Sequence[str]]) -> list[Adoption]:
    """Return what has to move; `held` has the partitions in the ledger, by source.

    What no source reads any more, such as the table of an account that was left, goes to the first of its
    kind if its own source is gone: the past stays.
    """
    found = []
    for old, partitions in held.items():
        kin = [source for source in sources if kind_of(source.name) == kind_of(old)]
        own = next((source for source in kin if source.name == old), None)
        takers: dict[str, list[str]] = {}
        for partition in partitions:
            taker = _taker(partition, kin, own)
            if taker is not None and taker.name != old:
                takers.setdefault(taker.name, []).append(partition)
        if takers:
            found.append(Adoption(old, takers, own is not None))
    return found


def _taker(partition: str, kin: Sequence[Source], own: Source | None) -> Source | None:
    """Return who goes on with a partition; None where only the provider could say."""
    reads = [(source, source.reads_partition(partition)) for source in kin]
    if not reads or any(answer is None for _, answer in reads):
        return None
    first = own or kin[0]
    if own is not None and own.reads_partition(partition):
        return own
    return next((source for source, answer in reads if answer), first)


def cursors_of(
    source: Source, sources: Sequence[Source], cursors: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return the cursors that a source goes on with, of those in a ledger that nothing has moved in yet."""
    known = dict(cursors.get(source.name, {}))
    for each in adoptions(sources, {name: list(of_it) for name, of_it in cursors.items()}):
        known |= {partition: cursors[each.old][partition] for partition in each.takers.get(source.name, ())}
        if each.old == source.name:
            gone = {partition for taken in each.takers.values() for partition in taken}
            known = {partition: cursor for partition, cursor in known.items() if partition not in gone}
    return known
