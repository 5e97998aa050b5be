"""Runs the matrix of faults against the real program, prints it as a table, and writes docs/faults.md.

`python -m tests.faults.matrix`, or `make faults`. With words, only the rows whose names have one of them are
tried, and nothing is written.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.alerts import fires
from tests.faults.fault import Fault
from tests.faults.rows import GROUPS
from tests.faults.world import World, world
from tests.support import places
from tests.support.exposed import POLL_SECONDS, until
from tests.support.programs import find_fetched_programs

PAGE = places.DOCS / "faults.md"

_LONGEST_TRACEBACK = 4000


@dataclass(frozen=True)
class Outcome:
    """What happened in a row; `trouble` is empty where all was as it should be."""

    fault: Fault
    told_seconds: float
    healed_seconds: float
    trouble: str = ""


def run(fault: Fault, made: World) -> Outcome:
    """Have a fault happen, look at what is told and what works, have it heal."""
    begun = time.monotonic()
    made.log_begins = len(made.program.log())
    fault.happens(made)
    until(lambda: fault.told(made), f"{fault.name}: told", pause_seconds=POLL_SECONDS)
    told = time.monotonic() - begun
    trouble = "" if fault.works(made) else "what should work does not"
    if fault.alert is not None and not fires(fault.alert, made.scrape(), made.folder):
        trouble = f"{fault.alert} does not fire"
    _, begins, traceback = made.log_since().partition("Traceback")
    if begins:
        trouble = f"a traceback in the log: {begins}{traceback[:_LONGEST_TRACEBACK]}"
    begun = time.monotonic()
    fault.heals(made)
    until(lambda: fault.healed(made), f"{fault.name}: healed", pause_seconds=POLL_SECONDS)
    return Outcome(fault, told, time.monotonic() - begun, trouble)


def outcomes(
    folder: Path, show: Callable[[str], None], words: Sequence[str] = ()
) -> list[tuple[str, list[Outcome]]]:
    """Run every row, or those whose names have one of the words, in one program, a group after the other."""
    found = []
    with world(folder) as made:
        for group, faults in GROUPS:
            rows = []
            for fault in faults:
                if words and not any(word in fault.name for word in words):
                    continue
                outcome = run(fault, made)
                verdict = outcome.trouble or "ok"
                show(
                    f"{verdict:<10} {fault.name:<60} told {outcome.told_seconds:5.1f} s, healed "
                    f"{outcome.healed_seconds:5.1f} s"
                )
                rows.append(outcome)
            found.append((group, rows))
    return found


def page() -> str:
    """Return docs/faults.md."""
    lines = [
        "# Faults",
        "",
        "What happens to the exporter when something breaks. `make faults` tries each row on the real "
        "program, checks with the product's own rules",
        "that the alert fires, that the log has no traceback, and writes this page. "
        "[Operations](operations.md) explains what is said here of damaged ledgers,",
        "of bills that shrink, of slow sources and of limits.",
    ]
    for group, faults in GROUPS:
        lines += [
            "",
            f"## {group}",
            "",
            "| fault | what still works | how it shows | alert | how it heals |",
        ]
        lines.append("|---|---|---|---|---|")
        for fault in faults:
            alert = f"[{fault.alert}](runbooks/{fault.alert}.md)" if fault.alert else ""
            lines.append(
                f"| {fault.name} | {fault.works_in_words} | {fault.told_by} | {alert} | {fault.healed_by} |"
            )
    return "\n".join(lines) + "\n"


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """Run the matrix; exit 1 where a row is not as it should be."""
    find_fetched_programs()
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(Path(folder), _show, words)
    broken = [outcome for _, rows in found for outcome in rows if outcome.trouble]
    if not broken and not words:
        PAGE.write_text(page(), encoding="utf-8")
    _show(f"{sum(len(rows) for _, rows in found)} faults, {len(broken)} not as they should be")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
