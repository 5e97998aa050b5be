"""An answer that is not as BigQuery's API documents it: what reading it raises, and what is said of it."""

from __future__ import annotations

from typing import Final

from exporter.core.errors import SourceError

UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What Google's client, and reading its rows, raise where an answer has another shape."""


def unreadable(error: BaseException, doing: str) -> SourceError:
    """Return the error for such an answer; nothing of it is quoted."""
    return SourceError(
        "bad_response",
        f"{doing} failed: the answer is not as BigQuery's API documents it ({type(error).__name__}); check "
        "that no proxy in between changes it; it is tried again at the next refresh",
    )
