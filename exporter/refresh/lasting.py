"""Keeps the exporter's threads at work: one that fails says so and begins again, never ends in silence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 5.0
"""After a failure: what the system refused, such as an open file too many, may be granted soon."""


def lasting(
    name: str, work: Callable[[], None], stopping: threading.Event, again_seconds: float = AGAIN_SECONDS
) -> Callable[[], None]:
    """Return a thread's work that begins again when it fails, until `stopping` is set."""

    def run() -> None:
        while not stopping.is_set():
            try:
                work()
            except OSError as error:
                # What the system refuses is no defect, and a stack would not say more.
                logger.error("%s: %s; it goes on in %g s", name, error, again_seconds)  # noqa: TRY400
            except Exception:
                logger.exception("%s has failed; it goes on in %g s", name, again_seconds)
            else:
                return
            stopping.wait(again_seconds)

    return run
