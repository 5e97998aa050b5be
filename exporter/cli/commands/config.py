"""`spend-exporter config schema`: the JSON Schema of the configuration file, for editors."""

from __future__ import annotations

import argparse
import sys

from exporter.config.schema import config_schema_text


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `config`."""
    command.add_argument("what", choices=("schema",), help="the JSON Schema of the configuration file")


def run(_chosen: argparse.Namespace) -> int:
    """Print the JSON Schema of the configuration file, with which an editor completes and checks it."""
    sys.stdout.write(config_schema_text())
    return 0
