"""Handing over the counters of LLM usage from one source to another, so that they neither fall nor leap.

Two sources may know a provider's usage for different lengths of time: an admin API for a month, a log since
it was switched on. Which one counts is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.ledger.charges.store import Ledger


def reporters(ledger: Ledger, sources: Sequence[str], meters: Sequence[str]) -> dict[str, set[str]]:
    """Return which of the sources have reported any of the meters, by provider."""
    found: dict[str, set[str]] = {}
    with ledger.reading() as connection:
        rows = connection.execute(
            """SELECT DISTINCT provider, source FROM usage_series
               WHERE source IN (SELECT unnest(?::VARCHAR[])) AND meter IN (SELECT unnest(?::VARCHAR[]))""",
            [list(sources), list(meters)],
        ).fetchall()
    for provider, source in rows:
        found.setdefault(provider, set()).add(source)
    return found


def hand_over(ledger: Ledger, owners: Mapping[str, Sequence[str]], meters: Sequence[str]) -> None:
    """Let the counters of each provider go on with what its sources count from now on.

    The first sources of a provider count from their own beginning, one that joins later from zero. Raises
    LedgerError.
    """
    if ledger.read_only:
        return
    before: dict[str, set[str]] = {}
    with ledger.reading() as connection:
        for provider, source in connection.execute("SELECT provider, source FROM counted_usage").fetchall():
            before.setdefault(provider, set()).add(source)
    changed = {
        provider: set(sources)
        for provider, sources in owners.items()
        if sources and before.get(provider) != set(sources)
    }
    if not changed:
        return
    with ledger.transaction() as connection:
        for provider, sources in changed.items():
            connection.execute("DELETE FROM counted_usage WHERE provider = ?", [provider])
            for source in sorted(sources):
                connection.execute("INSERT INTO counted_usage VALUES (?, ?)", [provider, source])
            known = before.get(provider, sources)
            for statement, moved in ((_LEAVE, known - sources), (_TAKE_UP, sources - known)):
                for source in moved:
                    parameters = {"provider": provider, "source": source, "meters": list(meters)}
                    connection.execute(statement, parameters)


_OF_SOURCE = "provider = $provider AND source = $source AND meter IN (SELECT unnest($meters::VARCHAR[]))"

_LEAVE = f"UPDATE usage_series SET counted_until_left = total + counted_offset WHERE {_OF_SOURCE}"

_TAKE_UP = f"""
UPDATE usage_series SET counted_offset = coalesce(counted_until_left, 0) - total, counted_until_left = NULL
WHERE {_OF_SOURCE}
"""
"""A source that counted before goes on from where it was left, and a new one from zero."""
