"""`spend-exporter metrics`: the metric reference."""

from __future__ import annotations

import argparse

from exporter.metrics import reference
from exporter.metrics.families import all_families


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `metrics`."""
    command.add_argument("--format", choices=("text", "json", "markdown"), default="text")


def run(chosen: argparse.Namespace) -> int:
    """Print every metric with its type, labels and meaning."""
    write = {
        "text": reference.as_text,
        "json": reference.as_json,
        "markdown": reference.as_markdown,
    }[chosen.format]
    print(write(all_families()), end="")  # noqa: T201
    return 0
