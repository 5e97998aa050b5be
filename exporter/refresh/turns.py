"""Sources that may read the same account, in one-shot commands: the account is of the one configured first.

All begin at once; only what gives one of them the account, its claim or first charges, waits for its turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from exporter.core.source_names import kin_of

LONGEST_WAIT_SECONDS: Final = 20.0
"""Most accounts answer within two seconds. One that hangs must not cost the others their refresh."""


class Turn:
    """When a source may take an account. Without others before it, at once."""

    def __init__(
        self,
        before: Sequence[threading.Event] = (),
        own: threading.Event | None = None,
        *,
        longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self._before = before
        self._own = own or threading.Event()
        self._longest_wait_seconds = longest_wait_seconds

    def wait(self) -> None:
        """Return once every source before this one has taken its account or has ended, or hangs.

        Only the first call waits: a source asks before each of its changes.
        """
        deadline = time.monotonic() + self._longest_wait_seconds
        for each in self._before:
            each.wait(max(0.0, deadline - time.monotonic()))
        self._before = ()

    def passed(self) -> None:
        """Let the sources after this one go on."""
        self._own.set()


def turns_of(sources: Sequence[str]) -> Mapping[str, Turn]:
    """Return the turn of each source, all of which must run at the same time."""
    own = {source: threading.Event() for source in sources}
    return {
        source: Turn([own[name] for name in kin_of(source, sources[:place])], own[source])
        for place, source in enumerate(sources)
    }
