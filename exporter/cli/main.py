"""The command line: reads the arguments, calls the command, and turns failures into exit codes.

Exit 0: done; 1: ran and found trouble; 2: wrong usage or configuration; 130: broken off by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from exporter import __version__
from exporter.cli import argument_types
from exporter.cli import past_arguments as cli_history
from exporter.config.model import ConfigError, load
from exporter.config.types import host_and_port

EXIT_TROUBLE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    logging.basicConfig(
        level=chosen.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    # DuckDB and Google's client are loaded by the command that needs them, so that --help is quick.
    from exporter.ledger.opening import LedgerError  # noqa: PLC0415

    try:
        code: int = chosen.run(chosen)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    except (LedgerError, OSError) as error:
        print(f"spend-exporter: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_TROUBLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


_Commands = argparse._SubParsersAction  # the type has no public name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spend-exporter", description="What a team spends, as Prometheus metrics."
    )
    parser.add_argument("--version", action="version", version=f"spend-exporter {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_demo(commands)
    _add_snapshot(commands)
    _add_backtest(commands)
    cli_history.add_backfill(commands)
    cli_history.add_history(commands)
    _add_check(commands)
    _add_metrics(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--log-level",
            choices=("debug", "info", "warning", "error"),
            default=command.get_default("log_level") or "info",
            help="how much to tell on standard error (default: %(default)s)",
        )
    return parser


def _add_serve(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "serve", help="refresh in the background and answer scrapes", description=_run_serve.__doc__
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")
    _add_listen(command)
    command.set_defaults(run=_run_serve)


def _add_demo(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "demo", help="serve the bill of a simulated company, no account needed", description=_run_demo.__doc__
    )
    _add_listen(command)
    command.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="keep the simulated bill and the ledger here and continue them next time (default: start anew)",
    )
    command.add_argument("--seed", type=int, default=1, metavar="N", help="another company (default: 1)")
    command.add_argument(
        "--remote-write-url",
        metavar="URL",
        help="a receiver of remote write, such as http://127.0.0.1:9090/api/v1/write, for each hour's cost",
    )
    command.set_defaults(run=_run_demo)


def _add_snapshot(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "snapshot",
        help="refresh every source once, print the metrics, exit",
        description=_run_snapshot.__doc__,
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")
    command.add_argument(
        "--as-of",
        type=argument_types.hour,
        metavar="TIME",
        help="answer as if it were that whole hour (2026-11-20T18:00:00Z), from rows exported before it",
    )
    command.add_argument(
        "--ledger",
        metavar="FILE",
        help="another ledger than the configured one, which `serve` may hold; `:memory:` reads all anew",
    )
    command.add_argument("--format", choices=("text", "openmetrics"), default="text")
    command.add_argument(
        "--output", type=Path, metavar="FILE", help="replace this file in one step (textfile collector)"
    )
    command.set_defaults(run=_run_snapshot)


def _add_backtest(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "backtest",
        help="say what the nowcast would have said each past day, beside the final bill",
        description=_run_backtest.__doc__,
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")
    command.add_argument(
        "--ledger",
        metavar="FILE",
        help="another ledger than the configured one, which `serve` may hold; `:memory:` reads all anew",
    )
    command.add_argument(
        "--days",
        type=argument_types.count,
        metavar="N",
        help="only the latest N days whose bill is final (default: all; a day takes about half a second)",
    )
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.add_argument(
        "--plot", type=argument_types.plot_file, metavar="FILE", help="draw it as well, as PNG"
    )
    command.set_defaults(run=_run_backtest, log_level="warning")


def _add_check(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "check",
        help="say whether each source answers, each permission is there, and what it will cost",
        description=_run_check.__doc__,
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML or JSON")
    command.add_argument("--format", choices=("text", "json"), default="text")
    # What it finds is told by the findings; warnings of libraries would only run into them.
    command.set_defaults(run=_run_check, log_level="error")


def _add_metrics(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "metrics", help="print the metric reference", description=_run_metrics.__doc__
    )
    command.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    command.set_defaults(run=_run_metrics)


def _add_listen(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--listen",
        type=argument_types.address,
        metavar="HOST:PORT",
        help="where to listen, before the key `listen` (default: 127.0.0.1:9877); port 0 takes a free one",
    )


def _run_serve(chosen: argparse.Namespace) -> int:
    """Refresh the configured sources in the background and answer scrapes until stopped."""
    from exporter.cli.commands.serve import serve, stop_on_signals  # noqa: PLC0415

    config = load(chosen.config)
    serve(config, chosen.listen or (config.host, config.port), stop_on_signals(), _tell_address)
    return 0


def _run_demo(chosen: argparse.Namespace) -> int:
    """Simulate a company, write its billing export hour by hour, and serve it."""
    from exporter.cli.commands.demo import demo  # noqa: PLC0415
    from exporter.cli.commands.serve import stop_on_signals  # noqa: PLC0415

    listen = chosen.listen or host_and_port("127.0.0.1:9877")
    demo(
        listen,
        stop_on_signals(),
        directory=chosen.directory,
        seed=chosen.seed,
        announce=_tell_address,
        remote_write_url=chosen.remote_write_url,
    )
    return 0


def _run_snapshot(chosen: argparse.Namespace) -> int:
    """Refresh every source once, print the exposition, and exit: 1 if a source failed."""
    from exporter.cli.commands.snapshot import snapshot  # noqa: PLC0415

    succeeded = snapshot(
        load(chosen.config),
        as_of=chosen.as_of,
        ledger=chosen.ledger,
        openmetrics=chosen.format == "openmetrics",
        output=chosen.output,
    )
    return 0 if succeeded else EXIT_TROUBLE


def _run_backtest(chosen: argparse.Namespace) -> int:
    """Refresh every source once and replay the nowcast over the ledger without looking ahead."""
    from exporter.cli.commands.backtest import run_backtest  # noqa: PLC0415

    succeeded = run_backtest(
        load(chosen.config),
        ledger=chosen.ledger,
        last_days=chosen.days,
        json=chosen.format == "json",
        plot=chosen.plot,
    )
    return 0 if succeeded else EXIT_TROUBLE


def _run_check(chosen: argparse.Namespace) -> int:
    """Say whether the set-up works and what it will cost, changing nothing: exit 1 if there is trouble."""
    from exporter.cli.commands.check import check  # noqa: PLC0415
    from exporter.cli.commands.check_report import JsonReport, TextReport  # noqa: PLC0415

    report = JsonReport(sys.stdout) if chosen.format == "json" else TextReport(sys.stdout)
    well = check(load(chosen.config), chosen.config, report, datetime.now(UTC))
    return 0 if well else EXIT_TROUBLE


def _run_metrics(chosen: argparse.Namespace) -> int:
    """Print every metric with its type, labels and meaning."""
    from exporter.metrics import reference as metric_reference  # noqa: PLC0415
    from exporter.metrics.families import all_families  # noqa: PLC0415

    write = {
        "text": metric_reference.as_text,
        "json": metric_reference.as_json,
        "markdown": metric_reference.as_markdown,
    }[chosen.format]
    print(write(all_families()), end="")  # noqa: T201
    return 0


def _tell_address(url: str) -> None:
    print(f"metrics  {url}/metrics\nstatus   {url}/", file=sys.stderr, flush=True)  # noqa: T201
