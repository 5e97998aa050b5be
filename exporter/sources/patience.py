"""How long a source keeps trying in one refresh: with its own clock and chance, within the refresh's time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from exporter.core.backoff import Backoff
from exporter.sources.base import RefreshContext


class Waiting(Protocol):
    """A source that waits between attempts."""

    @property
    def sleep(self) -> Callable[[float], None]:
        """Waits for so many seconds."""

    @property
    def jitter(self) -> Callable[[], float]:
        """Uniform in [0, 1)."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """Seconds of a clock that nobody sets."""


def patience_of(source: Waiting, context: RefreshContext, limits: Backoff | None = None) -> Backoff:
    """Return a back-off for one refresh; `limits` says how long it keeps trying."""
    return replace(
        limits or Backoff(),
        sleep=source.sleep,
        jitter=source.jitter,
        monotonic=source.monotonic,
        seconds_left=context.seconds_left,
        stopping=context.stopping,
    )
