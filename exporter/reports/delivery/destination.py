"""What a report is sent to, and how a delivery fails."""

from __future__ import annotations

import hashlib
from typing import Protocol

from exporter.questions.report_answer import Report


class DeliveryError(Exception):
    """A report was not taken. The text names what failed and what to do, and contains no secret."""

    def __init__(self, text: str, *, transient: bool) -> None:
        super().__init__(text)
        self.transient = transient
        """Whether the same may succeed soon, without anyone's help."""


class Destination(Protocol):
    """A place to send reports to."""

    @property
    def kind(self) -> str:
        """Its key in the configuration: mail, slack or webhook."""

    def check(self) -> str:
        """Go as far as possible without sending, and return what works.

        Raises DeliveryError and SourceError.
        """

    def send(self, name: str, report: Report) -> None:
        """Send a report, and return when it was taken. Raises DeliveryError and SourceError."""


def delivery_id(name: str, report: Report, to: str) -> str:
    """Return the same text each time that the same report is sent to the same place."""
    return hashlib.sha256("\0".join((name, report.kind, report.name, to)).encode()).hexdigest()[:32]
