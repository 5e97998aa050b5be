"""Names of sources: of several of one kind, each has the name of its entry after a slash: `bigquery/prod`.

The kind is what the registry, ownership and the ledger's counters know; the name is for people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

ENTRY_NAME: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
"""Pattern of an entry's name: what needs no escaping in a label, a matcher or a shell."""


def source_name(kind: str, entry: str | None) -> str:
    """Return the label value of `source` for an entry of the configuration; None for the only one."""
    return kind if entry is None else f"{kind}/{entry}"


def kind_of(source: str) -> str:
    """Return the kind of a source: `bigquery` of `bigquery/prod`, and of `bigquery`."""
    return source.partition("/")[0]


def with_former_names(configured: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the names whose data is shown of a ledger in which nothing was moved since the names changed.

    Where a configured source has nothing in the ledger, its data may still be under a name of its kind that
    is configured no more.
    """
    waiting = {kind_of(name) for name in configured if name not in known}
    return [*configured, *sorted(name for name in set(known) - set(configured) if kind_of(name) in waiting)]


def kin_of(source: str, sources: Iterable[str]) -> list[str]:
    """Return the other sources of a source's kind: they could read the same account."""
    return [name for name in of_kind(kind_of(source), sources) if name != source]


def of_kind(kind: str, sources: Iterable[str]) -> list[str]:
    """Return the sources of a kind, in their order."""
    return [source for source in sources if kind_of(source) == kind]
