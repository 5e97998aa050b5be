"""Remembers which reports were sent, in a small file that survives a crash at any moment."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path


class SentError(Exception):
    """The file cannot be used. The text says what to do."""


class SentReports:
    """The last period that was sent, by report and destination."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet; the file may be missing."""
        self._path = path

    def last(self, name: str, destination: str) -> str | None:
        """Return the last period that was sent or passed over; None where none ever was. Raises SentError."""
        return self._read().get(f"{name}/{destination}", {}).get("period")

    def note(self, name: str, destination: str, period: str, at: datetime, *, sent: bool) -> None:
        """Remember a period as sent or as passed over, on the disk when this returns. Raises SentError."""
        known = self._read()
        known[f"{name}/{destination}"] = {
            "period": period,
            "at": at.isoformat(),
            "outcome": "sent" if sent else "due before this report was configured",
        }
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(known, file, indent=2, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise SentError(
                f"{self._path} cannot be written ({error.strerror}); it remembers which reports were sent, "
                "so give its folder space and write access"
            ) from error

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unusable(type(error).__name__) from None
        if not isinstance(found, dict) or not all(
            isinstance(each, dict) and isinstance(each.get("period"), str) for each in found.values()
        ):
            raise self._unusable("not what was written")
        return found

    def _unusable(self, why: str) -> SentError:
        return SentError(
            f"{self._path} cannot be read ({why}), so no report is sent: nobody would know which ones were; "
            "repair it, or delete it to begin with the next period"
        )
