"""What `spend-exporter check` says of several accounts of one kind, and of names that were changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from exporter.core.errors import SourceError
from exporter.core.in_parallel import results_of
from exporter.core.source_names import kind_of, of_kind
from exporter.refresh.adoption import adoptions
from exporter.sources.base import Finding, RefreshContext, Source


def account_findings(sources: Sequence[Source], context: RefreshContext) -> Iterator[Finding]:
    """Report keys of one account: it would count twice, so that a running exporter reads it only once."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, account in zip(
        sources, results_of(sources, lambda source: _account(source, context)), strict=True
    ):
        if account is not None:
            found.setdefault((kind_of(source.name), account), []).append(source.name)
    for (_, account), names in found.items():
        if len(names) > 1:
            yield Finding(
                False,
                "account",
                f"{' and '.join(names)} have keys of the same account, {account}: it counts once, and the "
                f"source that comes second is reported as down; remove all but one of them, or give them "
                "keys of different accounts",
            )


def _account(source: Source, context: RefreshContext) -> str | None:
    try:
        return source.account(context)
    except SourceError:
        # Its own part of the report says why.
        return None


def renamed_findings(
    sources: Sequence[Source], cursors: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    """Report what the ledger has under names that are not configured, and who goes on with it."""
    moves = adoptions(sources, {name: list(of_it) for name, of_it in cursors.items()})
    for each in moves:
        for new, partitions in each.takers.items():
            detail = f"{new} goes on with {len(partitions)} partitions that the ledger has as {each.old}"
            yield Finding(True, "renamed", f"{detail}; at the next start")
    names = {source.name for source in sources}
    moved = {each.old for each in moves}
    for old in sorted(cursors.keys() - names - moved):
        kin = of_kind(kind_of(old), names)
        if kin:
            detail = (
                f"the ledger has {len(cursors[old])} partitions of {old}, which is not configured: one of "
                f"{', '.join(sorted(kin))} goes on with them if it reads the same account; else they are "
                "not shown"
            )
            yield Finding(True, "renamed", detail, warning=True)
