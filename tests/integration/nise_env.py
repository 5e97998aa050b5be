"""Makes, once, the virtual environment in which koku-nise runs, and lets it write a Google bill.

It has an environment of its own because it brings the clients of three clouds, and is under another licence.
"""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

from tests.support.environments import environment

PACKAGE = "koku-nise==5.4.4"
LAUNCHER = Path(__file__).with_name("nise_launch.py")


def write_google_bill(folder: Path, first: date, last: date, *, json_lines: bool) -> list[Path]:
    """Let koku-nise make up a bill, as CSV or as the JSON Lines that it loads into BigQuery.

    Returns the files that it wrote into the empty folder: of CSV one for each month.
    """
    command = [
        *(environment(PACKAGE.replace("==", "-"), PACKAGE), LAUNCHER, "report", "gcp", "--write-monthly"),
        *("--start-date", f"{first}", "--end-date", f"{last}", "--resource-level"),
        *(("--gcp-dataset-name", "none") if json_lines else ()),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    files = sorted(folder.iterdir())
    if done.returncode or not files:
        raise RuntimeError(f"koku-nise wrote no bill: {done.stdout}{done.stderr}")
    return files
