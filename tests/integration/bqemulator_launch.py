"""Runs bqemulator with two of its approximations made exact. Runs in the emulator's own environment.

1. BIGNUMERIC has 5 decimals there and 38 in BigQuery: it gets 18, the most that leaves room for 10^20.
2. _PARTITIONTIME is the current time there: it becomes the column `ingested_at`, which tests fill.
"""

import re
import sys

from bqemulator.cli import main
from bqemulator.sql import translator
from duckdb_extensions import import_extension
from sqlglot import exp
from sqlglot.generators.duckdb import DuckDBGenerator


def _rewrite_partition_time(sql: str) -> str:
    return re.sub(r"\b_PARTITIONTIME\b", "ingested_at", sql)


if __name__ == "__main__":
    import_extension("spatial")
    DuckDBGenerator.TYPE_PARAM_SETTINGS[exp.DType.BIGDECIMAL] = ((38, 18), (38, 38))
    translator.rewrite_partition_pseudo_columns = _rewrite_partition_time
    main(["start", "--rest-port", sys.argv[1], "--grpc-port", "0", "--log-level", "error"])
