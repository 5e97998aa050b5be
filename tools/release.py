"""Make a release: version, changelog, wheel, sdist, chart, SBOM, image, commit and tag. Nothing is pushed.

python tools/release.py 1.2.3 [--dry-run]

It refuses before it changes anything: a tree with changes, a tag that exists, an earlier version, an empty
changelog. Where a step fails, the files are put back as they were.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Final

IMAGE: Final = "ghcr.io/spend-exporter/spend-exporter"
CHART: Final = "deploy/helm/spend-exporter"
CHANGELOG: Final = "CHANGELOG.md"
VERSIONED: Final[Mapping[str, str]] = {
    "exporter/__init__.py": r'^(__version__ = ")[^"]+(")',
    f"{CHART}/Chart.yaml": r'^((?:version|appVersion): "?)[\d.]+("?)$',
    "deploy/kustomize/base/kustomization.yml": r'^( +newTag: ")[^"]+(")',
    "docs/openapi.json": r'^(    "version": ")[^"]+(")',
}
"""Every file that has the version, and where: the text before it and after it."""


class Refused(Exception):
    """Why there can be no release, and what to do."""


@dataclass(frozen=True)
class Step:
    """A command of the release."""

    what: str
    command: Sequence[str]
    needs: str | None = None
    """A program without which the step is left out."""


def checked_version(version: str, before: str) -> tuple[int, ...]:
    """Return the parts of a version. Raises Refused where it is none, or not a later one than `before`."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise Refused(f"{version!r} is not a version; write three numbers, such as 1.2.3")
    parts, parts_before = (tuple(map(int, each.split("."))) for each in (version, before))
    if parts < parts_before:
        raise Refused(f"{version} is before {before}, the version of this checkout")
    return parts


def released_changelog(text: str, version: str, day: date) -> str:
    """Return the changelog with what is unreleased as a section of the version. Raises Refused.

    A section of the version that someone has written already stays as it is.
    """
    if re.search(rf"^## \[?{re.escape(version)}\b", text, flags=re.MULTILINE):
        return text
    found = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    if found is None or not re.search(r"^- ", found[1], flags=re.MULTILINE):
        raise Refused(f"{CHANGELOG} has neither a section {version} nor anything under Unreleased: write it")
    section = f"## Unreleased\n\n## {version} - {day.isoformat()}\n{found[1]}"
    return text[: found.start()] + section + text[found.end() :]


def edits(root: Path, version: str, day: date) -> dict[Path, str]:
    """Return the new text of each file that a release changes. Raises Refused."""
    changed = {root / CHANGELOG: released_changelog(_read(root / CHANGELOG), version, day)}
    for name, place in VERSIONED.items():
        text, count = re.subn(place, rf"\g<1>{version}\g<2>", _read(root / name), flags=re.MULTILINE)
        if not count:
            raise Refused(f"{name} has no version where one is expected ({place})")
        changed[root / name] = text
    return changed


def steps(version: str) -> list[Step]:
    """Return what is run, in this order, once the files have the version."""
    tools, dist = ".cache/release/bin", "dist"
    engine = next((each for each in ("podman", "docker") if shutil.which(each)), "podman or docker")
    packages = [f"{dist}/spend_exporter-{version}{end}" for end in ("-py3-none-any.whl", ".tar.gz")]
    bill_of_materials = f"{dist}/spend-exporter-{version}.cdx.json"
    packaged = ("--version", version, "--app-version", version, "--destination", dist)
    return [
        Step("wheel and sdist", [f"{tools}/python", "-m", "build", "--outdir", dist]),
        Step("what PyPI would refuse", [f"{tools}/twine", "check", "--strict", *packages]),
        Step("the locked packages", ["tools/locked.sh"]),
        Step("SBOM of the locked packages (CycloneDX)", ["tools/sbom.sh", version, bill_of_materials]),
        Step("chart", ["helm", "package", CHART, *packaged], needs="helm"),
        Step("image", [engine, "build", "--tag", f"{IMAGE}:{version}", "."], needs=engine),
        Step("commit", ["git", "commit", "--quiet", "--all", "--message", f"Release {version}"]),
        Step("tag", ["git", "tag", "--annotate", f"v{version}", "--message", f"Release {version}"]),
    ]


def to_push(version: str) -> str:
    """Return the commands that publish the release, for a person to run."""
    return f"""Nothing has been pushed. Look at dist/ and at `git show v{version}`, then:

    git push origin HEAD v{version}
    .cache/release/bin/twine upload dist/spend_exporter-{version}*
    podman push {IMAGE}:{version}        # or docker push
    helm push dist/spend-exporter-{version}.tgz oci://ghcr.io/spend-exporter/charts

To take it back before that: git tag --delete v{version} && git reset --hard HEAD~1
"""


def release(root: Path, version: str, day: date, *, dry_run: bool) -> None:
    """Make the release in the checkout `root`, or print what would be done. Raises Refused."""
    before = re.search(r'"([^"]+)"', _read(root / "exporter/__init__.py").partition("__version__")[2])
    checked_version(version, before[1] if before else "0.0.0")
    if changes := _git(root, "status", "--porcelain"):
        raise Refused(f"the checkout has changes; commit or stash them:\n{changes}")
    if _git(root, "tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} exists; choose the next version")
    changed = edits(root, version, day)
    if dry_run:
        _show(root, changed, version)
        return
    kept = {path: _read(path) for path in changed}
    shutil.rmtree(root / "dist", ignore_errors=True)
    try:
        for path, text in changed.items():
            path.write_text(text, encoding="utf-8")
        for step in steps(version):
            _run(root, step)
    except BaseException:
        _git(root, "reset", "--quiet")
        for path, text in kept.items():
            path.write_text(text, encoding="utf-8")
        raise
    print(to_push(version))


def _show(root: Path, changed: Mapping[Path, str], version: str) -> None:
    for path, text in changed.items():
        name = str(path.relative_to(root))
        old, new = _read(path).splitlines(keepends=True), text.splitlines(keepends=True)
        sys.stdout.writelines(unified_diff(old, new, name, name, n=1))
    for step in steps(version):
        missing = step.needs and not shutil.which(step.needs)
        print(f"{step.what}: {'left out, no ' + str(step.needs) if missing else shlex.join(step.command)}")
    print("Dry run: nothing was changed.")


def _run(root: Path, step: Step) -> None:
    if step.needs and not shutil.which(step.needs):
        print(f"== {step.what}: left out, {step.needs} was not found", flush=True)
        return
    print(f"== {step.what}", flush=True)
    # The time of the last commit: the same commit gives the same files.
    built_at = _git(root, "log", "-1", "--format=%ct")
    subprocess.run(step.command, cwd=root, env={**os.environ, "SOURCE_DATE_EPOCH": built_at}, check=True)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a release. Return 0 when done, 1 where a step failed, 2 where it is refused."""
    parser = argparse.ArgumentParser(description="Make a release; nothing is pushed.")
    parser.add_argument("version")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    try:
        release(chosen.root, chosen.version, datetime.now(UTC).date(), dry_run=chosen.dry_run)
    except Refused as refusal:
        print(f"release: {refusal}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failure:
        print(f"release: failed, and the files are as before: {shlex.join(failure.cmd)}", file=sys.stderr)
        return 1
    except OSError as failure:
        print(f"release: failed, and the files are as before: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
