"""What is withheld from the ledger, in a file next to it; and what a person has accepted, in another.

Files, because the ledger itself belongs to the running exporter alone: the command that accepts writes one,
the exporter the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Withheld:
    """What one source would take away from its bill."""

    since: datetime
    usd: Decimal
    """As it was at `since`."""
    why: str


class WithheldRetractions:
    """What is withheld, by source. Of a ledger in memory nothing is remembered."""

    def __init__(self, ledger: Path | None) -> None:
        self._withheld = ledger.with_name(f"{ledger.name}.withheld.json") if ledger else None
        self._accepted = ledger.with_name(f"{ledger.name}.accepted.json") if ledger else None

    def of(self, source: str) -> Withheld | None:
        """Return what is withheld of a source."""
        return self.all().get(source)

    def all(self) -> Mapping[str, Withheld]:
        """Return what is withheld."""
        return _read(self._withheld)

    def keep(self, source: str, withheld: Withheld) -> None:
        """Remember what is withheld of a source. Raises OSError."""
        _write(self._withheld, {**self.all(), source: withheld})

    def settle(self, source: str) -> None:
        """Forget what was withheld of a source, and what was accepted of it. Raises OSError."""
        for path in (self._withheld, self._accepted):
            known = dict(_read(path))
            if known.pop(source, None) is not None:
                _write(path, known)

    def accept(self, source: str) -> Withheld | None:
        """Accept what is withheld of a source, and return it; None where nothing is. Raises OSError."""
        withheld = self.of(source)
        if withheld is not None:
            _write(self._accepted, {**_read(self._accepted), source: withheld})
        return withheld

    def accepted(self, source: str) -> Withheld | None:
        """Return what a person has accepted of a source, and the exporter has not yet taken up."""
        return _read(self._accepted).get(source)


def _read(path: Path | None) -> dict[str, Withheld]:
    """Return what a file has; nothing where it cannot be read, or was written by another program."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else {}
        return {
            source: Withheld(datetime.fromisoformat(each["since"]), Decimal(each["usd"]), str(each["why"]))
            for source, each in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return {}


def _write(path: Path | None, known: Mapping[str, Withheld]) -> None:
    if path is None:
        return
    if not known:
        path.unlink(missing_ok=True)
        return
    texts = {
        source: {**asdict(each), "since": each.since.isoformat(), "usd": str(each.usd)}
        for source, each in known.items()
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(texts, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
