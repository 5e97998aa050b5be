"""Errors of sources; each text names what to do."""

from __future__ import annotations

from decimal import Decimal


class SourceError(Exception):
    """A refresh could not be done. The text names what failed, why, and what to do next."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Label value of spend_source_errors_total: `permission_denied`, `not_found`, `quota`, …"""


class WithheldError(SourceError):
    """Too much would leave a bill at once, so it stays as it is."""

    def __init__(self, usd: Decimal, message: str) -> None:
        super().__init__("withheld_retraction", message)
        self.usd = usd
        """Dollars before credits that would leave."""
