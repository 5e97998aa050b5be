"""The examples of the pages for contributors, added to a copy as they say, pass the checks that they name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import places

PAGES = places.DOCS / "contributing"
THIS = "tests/docs/test_contributing.py"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "images", "benchmarks")

NEW_FILES = {
    "source": [
        "exporter/sources/acme/__init__.py",
        "exporter/sources/acme/source.py",
        "exporter/sources/acme/registration.py",
        "exporter/config/acme.py",
        "tests/sources/acme/test_source.py",
        "docs/acme.md",
    ],
    "metered-service": ["exporter/core/meters/pubsub.py", "tests/core/meters/test_pubsub.py"],
    "metric": [],
    "alert": ["docs/runbooks/SpendUsageUnpriced.md"],
    "dashboard-panel": [],
}
"""The blocks of each page that are whole files, in the page's order. They begin with a docstring or title."""

END = ""
INSERTED = {
    "source": [
        ("exporter/config/model.py", "\n    history: Annotated["),
        ("exporter/sources/registry.py", "from exporter.sources.files"),
        ("exporter/sources/registry.py", "    RECOMMENDER,\n"),
        ("docs/configuration.md", "| `history` | a section"),
        ("docs/configuration.md", "## Thresholds of alerts: `alerts`"),
        ("docs/development.md", "| `recommender` |"),
        ("docs/llm.md", "| any other provider |"),
        ("README.md", "| [docs/dashboards.md]"),
    ],
    "metered-service": [
        ("exporter/core/meters/__init__.py", "from exporter.core.meters.vertex_ai"),
        ("exporter/core/meters/__init__.py", "    *VERTEX_AI,\n"),
        ("exporter/simulator/google/live_metrics.py", "_POOL: Final"),
        ("exporter/simulator/google/live_metrics.py", "_TOKENS: Final"),
        ("exporter/simulator/google/live_metrics.py", "    Emission(_CORE_SKUS, UTILIZATION"),
    ],
    "metric": [
        ("exporter/metrics/families/bill.py", "SPEND_SETTLED_THROUGH = "),
        ("exporter/metrics/billed.py", "        FamilySamples(metrics.SPEND_SETTLED_THROUGH"),
        ("exporter/metrics/billed.py", "def settled_times("),
        ("tests/metrics/test_billed.py", END),
    ],
    "alert": [
        ("exporter/config/budgets.py", "    idle_instances: float"),
        ("docs/configuration.md", "| `alerts.idle_instances` |"),
        ("prometheus/rules/trust.yml", END),
        ("prometheus/tests/trust.yml", END),
        ("tests/prometheus/test_rules.py", '            (("SpendBillStale",)'),
        ("docs/alerts.md", "\nAlerts about money show"),
    ],
    "dashboard-panel": [("grafana/source/exporter_health.py", END)],
}
"""For each other block, in the page's order: the file, and the text above which it goes; END is its end."""

WITHOUT_BLOCKS = (
    (
        "exporter/config/model.py",
        "from exporter.config.attribution",
        "from exporter.config.acme import Acme\n",
    ),
    ("pyproject.toml", "google | litellm | llm", "acme | "),
    ("pyproject.toml", "budgets | focus | gcp | history | llm", "acme | "),
)
"""What the pages say in words: a file, and a text with what goes above or before it."""


def blocks(page: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def is_file(block: str) -> bool:
    return block.startswith(('"""', "# "))


def added(text: str, block: str, anchor: str) -> str:
    if anchor:
        assert text.count(anchor) == 1, anchor
        gap = "\n\n" if block.startswith("def ") else ""
        return text.replace(anchor, block + gap + anchor)
    if text.endswith("    ]\n"):  # the list that the last function returns
        return f"{text.removesuffix('    ]' + chr(10))}{block}    ]\n"
    return f"{text}\n\n{block}" if block.startswith("def ") else f"{text}\n{block}"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def insert(path: Path, block: str, anchor: str) -> None:
    write(path, added(path.read_text(encoding="utf-8"), block, anchor))


def add_examples(copy: Path, page: str) -> None:
    files, inserted = iter(NEW_FILES[page]), iter(INSERTED[page])
    for block in blocks(page):
        if is_file(block):
            write(copy / next(files), block)
        else:
            name, anchor = next(inserted)
            insert(copy / name, block, anchor)
    assert (next(files, None), next(inserted, None)) == (None, None)


def named_tests() -> Iterator[str]:
    """What the pages run with pytest."""
    for page in NEW_FILES:
        check = (PAGES / f"{page}.md").read_text(encoding="utf-8").partition("\n## Check\n")[2]
        yield from re.findall(r"tests/[\w/]+(?:\.py)?", check)


def run(copy: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=copy, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
def test_the_examples_of_all_pages_pass_the_checks_that_the_pages_name(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(places.REPOSITORY, copy, ignore=LEFT_OUT)
    shutil.copytree(places.REPOSITORY / ".github", copy / ".github")
    shutil.copytree(places.DOCS / "images", copy / "docs" / "images")
    for page in NEW_FILES:
        add_examples(copy, page)
    for name, anchor, text in WITHOUT_BLOCKS:
        insert(copy / name, text, anchor)
    write(copy / "prometheus/kubernetes/prometheusrule.yml", run(copy, "tools/prometheus_rule.py"))
    write(copy / "docs/config.schema.json", run(copy, "-m", "exporter", "config", "schema"))
    write(copy / "docs/metrics.md", run(copy, "-m", "exporter", "metrics", "--format", "markdown"))
    run(copy, "-m", "grafana.source.generate")

    run(copy, "-m", "ruff", "check", ".")
    run(copy, "-m", "ruff", "format", "--check", ".")
    lint = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    run(copy, "-c", lint, "--no-logo", "--no-cache")
    tests = sorted(set(named_tests()))
    assert "tests/sources/acme" in tests
    options = (
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow and not integration",
        f"--ignore={THIS}",
    )
    run(copy, "-m", "pytest", *options, *tests)
