"""The examples of the page about Python run as they are written, against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.web.server import Server
from tests.client.test_client import secured
from tests.metrics.test_summary import full_snapshot
from tests.support.places import DOCS, REPOSITORY
from tests.support.question_world import NOW, asked_ledger, many_charges

pytestmark = pytest.mark.slow

PAGE = (DOCS / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:9877"
PRINTED = [
    "of which billed 14.0",
    "2026-10-29 shop-prod Cloud Run",
    "\n2026-11-01 13.0 0.",
    "value: decimal128(38, 18)",
    "(2026-11-04 to before 2026-11-05)",
    "3.6",
    "14.0\n",
    "by: 'servcie' is no dimension; did you mean service",
]
"""Part of what each example prints."""


def test_every_example_is_expected_to_print_something() -> None:
    assert len(EXAMPLES) == len(PRINTED)


@pytest.mark.parametrize(("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)), ids=PRINTED)
def test_an_example_runs_as_it_is_written(example: str, printed: str, tmp_path: Path) -> None:
    is_secured = "https:" in example
    web_config = secured(tmp_path)[0] if is_secured else None
    (tmp_path / "password").write_text("secret\n")
    with (
        asked_ledger(tmp_path, many_charges(7)) as questions,
        Server(("127.0.0.1", 0), full_snapshot, web_config, now=lambda: NOW, questions=questions) as server,
    ):
        here = server.url.rstrip("/").replace("127.0.0.1", "localhost")
        written = example.replace("https://127.0.0.1:9877", here).replace(ADDRESS, here)
        assert written != example
        ran = subprocess.run(
            [sys.executable, "-c", written],
            cwd=tmp_path,
            env={"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert printed in ran.stdout
