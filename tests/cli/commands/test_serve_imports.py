"""What `serve` loads: no client of a system that is not configured, no data frames, no estimates."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "adlfs",
    "cryptography",
    "gcsfs",
    "google.api_core",
    "google.auth",
    "google.cloud.bigquery",
    "google.cloud.monitoring_v3",
    "google.protobuf",
    "grpc",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "rich",
    "s3fs",
}
"""Each takes from 5 to 60 MB."""

CONFIGURED = """
import os, sys
from pathlib import Path
import exporter.cli.commands.serve
from exporter.config.model import parse
from exporter.wiring.sources import configured_sources
text = '{"gcp": {"billing_export": {"files": ["export/*.parquet"]}}, "focus": {"files": ["f.csv"]}}'
configured_sources(parse(text, Path("/")), os.environ)
"""


def modules(program: str) -> set[str]:
    shown = f"{program}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def loaded(program: str) -> set[str]:
    return HEAVY & modules(program)


@pytest.mark.slow
def test_a_configuration_of_files_loads_no_client_of_a_cloud_and_no_numpy() -> None:
    assert loaded(CONFIGURED) == set()


@pytest.mark.slow
def test_the_process_that_estimates_loads_no_source_and_no_configuration() -> None:
    # It starts after each refresh, beside the process that serves: its imports count in memory and in time.
    found = modules("import exporter.refresh.estimation.process")
    assert "numpy" in found
    assert not found & {"exporter.sources", "exporter.config", "pydantic", "requests", "aiohttp"}


@pytest.mark.slow
def test_bigquery_comes_without_data_frames_where_they_are_installed() -> None:
    pytest.importorskip("pandas")
    program = "import exporter.sources.google.bigquery.session\n"
    found = loaded(program)
    assert "google.cloud.bigquery" in found
    assert not found & {"pandas", "pyarrow"}
    assert {"pandas"} <= loaded(f"{program}import pandas")
