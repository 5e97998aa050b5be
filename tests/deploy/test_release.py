"""A release: what it changes, in which order it runs, what it refuses, and that a dry run changes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from exporter import __version__
from tests.support import places

ROOT = places.REPOSITORY
sys.path.insert(0, str(ROOT / "tools"))
import release  # noqa: E402  (a tool, not a package)

sys.path.pop(0)

NEXT = "99.0.0"
DAY = date(2026, 11, 26)
FILES = (*release.VERSIONED, release.CHANGELOG)


def git(folder: Path, *arguments: str) -> str:
    author = {
        f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **author},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own, with the files that a release changes."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    changelog = tmp_path / release.CHANGELOG
    if "\n- " not in changelog.read_text("utf-8").partition("## Unreleased")[2].partition("\n## ")[0]:
        text = changelog.read_text("utf-8")
        changelog.write_text(
            text.replace("## Unreleased\n", "## Unreleased\n\n### Added\n- Something.\n"), "utf-8"
        )
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "All of it")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools" / "release.py", *arguments, "--root", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_dry_run_shows_every_change_and_step_and_changes_nothing(checkout: Path) -> None:
    done = run(checkout, NEXT, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(re.findall(r"^\+\+\+ (\S+)", done.stdout, flags=re.MULTILINE)) == set(FILES)
    steps = ["wheel and sdist: ", "SBOM", "chart: ", "image: ", "commit: ", "tag: ", "nothing was changed"]
    places_found = [done.stdout.index(each) for each in steps]
    assert places_found == sorted(places_found)
    assert "git push" not in done.stdout
    assert git(checkout, "status", "--porcelain") == git(checkout, "tag") == ""


def test_it_writes_the_version_wherever_it_is(checkout: Path) -> None:
    changed = {
        str(path.relative_to(checkout)): text for path, text in release.edits(checkout, NEXT, DAY).items()
    }
    assert set(changed) == set(FILES)
    assert f'__version__ = "{NEXT}"' in changed["exporter/__init__.py"]
    chart = changed[f"{release.CHART}/Chart.yaml"]
    assert f"\nversion: {NEXT}\n" in chart
    assert f'\nappVersion: "{NEXT}"\n' in chart
    assert f'newTag: "{NEXT}"' in changed["deploy/kustomize/base/kustomization.yml"]
    left = [name for name in release.VERSIONED if f'"{__version__}"' in changed[name]]
    assert left == []


def test_what_is_unreleased_becomes_the_section_of_the_version() -> None:
    text = "# Changelog\n\n## Unreleased\n\n### Added\n- One.\n\n## 0.1.0 - 2026-01-01\n- Old.\n"
    moved = release.released_changelog(text, "0.2.0", DAY)
    assert moved == (
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-11-26\n\n### Added\n- One.\n\n"
        "## 0.1.0 - 2026-01-01\n- Old.\n"
    )
    assert release.released_changelog(moved, "0.2.0", DAY) == moved
    with pytest.raises(release.Refused, match=r"neither a section 0\.3\.0 nor anything under Unreleased"):
        release.released_changelog(moved, "0.3.0", DAY)


@pytest.mark.parametrize(
    ("version", "before", "told"),
    [
        ("1.2", "0.1.0", "is not a version"),
        ("v1.2.3", "0.1.0", "is not a version"),
        ("1.2.3; rm", "0.1.0", "is not a version"),
        ("1.02.3", "0.1.0", "is not a version"),
        ("0.9.9", "0.10.0", "is before 0.10.0"),
    ],
)
def test_a_version_that_cannot_be_next_is_refused(version: str, before: str, told: str) -> None:
    with pytest.raises(release.Refused, match=re.escape(told)):
        release.checked_version(version, before)


def test_a_checkout_with_changes_is_refused(checkout: Path) -> None:
    (checkout / release.CHANGELOG).write_text("# Changelog\n", encoding="utf-8")
    refused = run(checkout, NEXT, "--dry-run")
    assert refused.returncode == 2
    assert "the checkout has changes" in refused.stderr
    assert release.CHANGELOG in refused.stderr


def test_a_tag_that_exists_is_refused(checkout: Path) -> None:
    git(checkout, "tag", f"v{NEXT}")
    refused = run(checkout, NEXT)
    assert refused.returncode == 2
    assert f"the tag v{NEXT} exists" in refused.stderr


def test_where_a_step_fails_the_files_are_as_before(checkout: Path) -> None:
    # There are no tools of a release in this checkout, so that its first step fails.
    failed = run(checkout, NEXT)
    assert failed.returncode == 1
    assert "the files are as before" in failed.stderr
    assert git(checkout, "status", "--porcelain") == git(checkout, "tag") == ""
