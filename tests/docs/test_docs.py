"""The operators' pages agree with the code: every reason is explained, every command and link exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.cli.main import main
from exporter.core.disk_space import DISK_FULL
from exporter.ledger.opening import DAMAGED
from exporter.metrics.families import all_families
from exporter.sources.files import overlap_texts
from exporter.sources.focus import sql as focus_sql
from exporter.sources.google.export import sql as export_sql
from exporter.sources.usage_logs import refusals as log_refusals
from tests.support import places

ROOT = places.REPOSITORY
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FORMER_METRICS = {"spend_watching_usd_per_month"}
"""Names of earlier versions, which the changelog mentions."""
CONTRIBUTING_PAGES = sorted((ROOT / "docs" / "contributing").glob("*.md"))

_REASON = re.compile(  # how the code names a reason, in each of its ways
    r"""(?:SourceError|LedgerError|Rejected|SetAsideError|ReadRefused|set_aside\.add|_Failed)\(\s*(?:"([a-z_]+)")"""
    r"""|(?:return|label, advice =)\s+"([a-z_]+)",\s"""
    r"""|failure = \("([a-z_]+)" """.strip()
    + r"""|super\(\).__init__\("([a-z_]+)", message"""
    + r"""|verdict = "([a-z_]+)","""
    + r"""|"[a-zA-Z]+": \(\s*"([a-z_]+)",\s+(?:lambda|$)"""
    + r"""|reason = "([a-z_]+)" if status == 429|status, \("([a-z_]+)"|\d{3}: \("([a-z_]+)","""
)


def reasons_in_the_code() -> set[str]:
    found = {
        *export_sql.REASONS,
        *focus_sql.REASONS,
        *log_refusals.REASONS,
        *overlap_texts.REASONS,
        DAMAGED,
        DISK_FULL,
    }
    for path in (ROOT / "exporter").rglob("*.py"):
        for match in _REASON.finditer(path.read_text(encoding="utf-8")):
            found.update(filter(None, match.groups()))
    return found


@pytest.mark.slow
def test_every_reason_of_an_error_is_explained_to_operators() -> None:
    reasons = reasons_in_the_code()
    assert {
        "disk_full",
        "no_files",
        "unreadable_file",
        "quota",
        "refused",
        "bad_csv",
        "unexpected",
        "unknown_metric",
        "usage_gap",
    } <= reasons
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("## Errors by reason")[2].partition("\n## ")[0]
    assert reasons == set(re.findall(r"`([a-z_]+)`", table.partition("|---|")[2])) - {"max_bytes_billed"}


@pytest.mark.parametrize("page", [*PAGES, *CONTRIBUTING_PAGES], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", prose)
    files = {target for target in targets if "://" not in target}
    assert {target for target in files if not (page.parent / target).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_a_page_names_exists(page: Path) -> None:
    names = {family.name for family in all_families()} | FORMER_METRICS | {"spend_exporter"}
    assert set(re.findall(r"\bspend_[a-z_]+\b", page.read_text(encoding="utf-8"))) <= names


@pytest.mark.parametrize(
    "command",
    ["serve", "demo", "snapshot", "backtest", "backfill", "history", "explain", "top", "check", "metrics"],
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: spend-exporter" in capsys.readouterr().out
