"""Errors of sources; each text names what to do."""

from __future__ import annotations


class SourceError(Exception):
    """A refresh could not be done. The text names what failed, why, and what to do next."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Label value of spend_source_errors_total: `permission_denied`, `not_found`, `quota`, …"""
