"""A source for tests: whatever a test does not need of a source is answered with nothing."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.sources.base import Finding, RefreshContext, Source


class TestedSource(Source):
    """To be subclassed with a name, a provider and a way to refresh."""

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        yield from ()
