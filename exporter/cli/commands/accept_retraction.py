"""`spend-exporter accept-retraction`: let charges leave the figures that are gone at their source.

Works beside a running exporter, which takes it up within seconds, and before the next `snapshot`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from exporter.cli.arguments import EXIT_TROUBLE, add_config
from exporter.config.model import load
from exporter.ledger.withheld import WithheldRetractions


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `accept-retraction`."""
    add_config(command)
    command.add_argument(
        "--source", required=True, metavar="NAME", help="the source, as in the label `source`: files, focus"
    )
    command.add_argument(
        "--ledger", type=Path, metavar="FILE", help="the ledger, where `snapshot` has one of its own"
    )


def run(chosen: argparse.Namespace) -> int:
    """Accept that charges leave the figures, because they are gone at their source on purpose."""
    ledger = chosen.ledger or load(chosen.config).ledger
    retractions = WithheldRetractions(ledger)
    accepted = retractions.accept(chosen.source)
    if accepted is None:
        others = ", ".join(sorted(retractions.all())) or "nothing of any source"
        print(  # noqa: T201
            f"nothing of the source {chosen.source!r} is withheld at ledger {ledger}; withheld is: {others}",
            file=sys.stderr,
        )
        return EXIT_TROUBLE
    print(  # noqa: T201
        f"{chosen.source}: ${accepted.usd:,.2f} withheld since {accepted.since:%Y-%m-%d %H:%M} UTC leave the "
        f"figures at the next refresh, within seconds where `serve` runs: {accepted.why}"
    )
    return 0
