"""The command line: reads the arguments, runs the command, and turns failures into exit codes.

Exit 0: done; 1: ran and found problems; 2: wrong usage or configuration; 130: interrupted by Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from exporter.cli.arguments import EXIT_INTERRUPTED, EXIT_TROUBLE, EXIT_USAGE
from exporter.cli.log_formats import set_up_log
from exporter.cli.parser import parser_for
from exporter.core.printable import shown_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    chosen = parser_for(given).parse_args(given)
    set_up_log(chosen.log_level, chosen.log_format)
    # Loaded only once there is a command to run, so that --help is quick.
    from exporter.config.problems import ConfigError  # noqa: PLC0415
    from exporter.ledger.engine_failures import EngineError, first_line  # noqa: PLC0415
    from exporter.ledger.opening import LedgerError  # noqa: PLC0415

    try:
        code: int = chosen.run(chosen)
    except ConfigError as error:
        print("\n".join(map(shown_line, str(error).split("\n"))), file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    except (LedgerError, OSError) as error:
        print(shown_line(f"spend-exporter: {error}"), file=sys.stderr)  # noqa: T201
        return EXIT_TROUBLE
    except EngineError as error:
        text = f"the ledger could not be read: {first_line(error)}. `spend-exporter check` shows its state"
        print(f"spend-exporter: {text}", file=sys.stderr)  # noqa: T201
        return EXIT_TROUBLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code
