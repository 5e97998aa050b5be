"""The locked packages of the image: what pyproject.toml asks for, with hashes, under known licences."""

from __future__ import annotations

import re
import sys
import tomllib
from email.message import Message
from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import places

ROOT = places.REPOSITORY
sys.path.insert(0, str(ROOT / "tools"))
import licences  # noqa: E402  (a tool, not a package)

sys.path.pop(0)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = (ROOT / "docker" / "requirements.txt").read_text(encoding="utf-8")
BUILD_REQUIREMENTS = (ROOT / "docker" / "build-requirements.txt").read_text(encoding="utf-8")


def pinned(text: str) -> dict[str, set[str]]:
    """The versions of each package: more than one where Pythons differ."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", text, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (PROJECT["project"]["dependencies"], REQUIREMENTS),
        (PROJECT["build-system"]["requires"], BUILD_REQUIREMENTS),
    ],
    ids=["run", "build"],
)
def test_every_package_that_is_asked_for_is_locked_in_its_range(asked: list[str], text: str) -> None:
    locked = pinned(text)
    assert asked
    outside = [
        f"{each} is locked as {version}: run make lock"
        for each in map(Requirement, asked)
        for version in locked.get(canonicalize_name(each.name), {"nothing"})
        if version == "nothing" or not each.specifier.contains(version, prereleases=True)
    ]
    assert outside == []


@pytest.mark.parametrize("text", [REQUIREMENTS, BUILD_REQUIREMENTS], ids=["run", "build"])
def test_every_locked_package_has_hashes_and_no_address(text: str) -> None:
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    assert [each.split()[0] for each in packages if "--hash=sha256:" not in each] == []
    assert re.findall(r"https?:|--(?:extra-)?index-url|--find-links|--trusted-host| @ ", text) == []


def test_the_page_of_licences_has_every_locked_package_and_each_may_be_shipped() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^\| ([\w.-]+) \| (.+) \|$", page.partition("|---|")[2], flags=re.MULTILINE))
    assert list(found) == licences.locked(REQUIREMENTS)
    assert page == licences.page(found)
    assert {name: text for name, text in found.items() if licences.refused(name, text)} == {}


def test_what_is_installed_here_may_be_shipped_too() -> None:
    """The newest versions of the packages, which the next `make lock` would take."""
    found = {}
    for name in licences.locked(REQUIREMENTS):
        try:
            found[name] = licences.licence(name)
        except PackageNotFoundError:
            continue
    assert len(found) > 40
    refused = {name: text for name, text in found.items() if text is None or licences.refused(name, text)}
    assert refused == {}


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("MIT", []),
        ("Apache-2.0 AND MIT", []),
        ("GPL-3.0-only OR MIT", []),
        ("(MIT AND Zlib) OR LGPL-3.0-only", []),
        ("GPL-3.0-only", ["GPL-3.0-only"]),
        ("MIT AND LGPL-3.0-only", ["LGPL-3.0-only"]),
        ("UNKNOWN", ["UNKNOWN"]),
        ("MPL-2.0", ["MPL-2.0"]),
    ],
)
def test_copyleft_and_unknown_licences_are_refused(expression: str, left: list[str]) -> None:
    assert licences.refused("some-package", expression) == left


def test_the_image_installs_the_locked_packages_and_nothing_else() -> None:
    installs = re.findall(
        r"pip (?:--python \S+ )?(?:install|wheel) ([^\\\n]+)",
        (ROOT / "Dockerfile").read_text(encoding="utf-8"),
    )
    assert len(installs) == 4
    assert [each for each in installs if "--require-hashes" not in each and "--no-deps" not in each] == []


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"License-Expression": "MIT"}, "MIT"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        (
            {"License": "A text of many lines", "Classifier": "License :: OSI Approved :: MIT License"},
            "MIT",
        ),
        (
            {
                "License": "MIT",
                "Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
            },
            "GNU General Public License v3 (GPLv3)",
        ),
        (
            {"License-Expression": "GPL-3.0-only", "Classifier": "License :: OSI Approved :: MIT License"},
            "GPL-3.0-only",
        ),
        ({}, None),
    ],
)
def test_no_friendlier_part_of_the_metadata_hides_another(
    fields: dict[str, str], read: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = Message()
    for name, value in fields.items():
        declared[name] = value
    monkeypatch.setattr(licences, "metadata", lambda _package: declared)
    assert licences.licence("some-package") == read
