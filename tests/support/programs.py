"""Programs that some tests run: those of the machine, then those that `make test-tools` has fetched."""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

from tests.support.places import REPOSITORY

FETCHED: Final = tuple(
    REPOSITORY / ".cache" / folder
    for folder in ("debian/usr/bin", "podman-compose/bin", "deploy-tools", "fake-gcs-server")
)
"""Folders of fetched programs, as in the Makefile: pytest finds the same programs without make."""


def find_fetched_programs() -> None:
    """Add the folders of fetched programs to the end of PATH."""
    known = os.environ.get("PATH", "").split(os.pathsep)
    added = [str(folder) for folder in FETCHED if str(folder) not in known]
    os.environ["PATH"] = os.pathsep.join([*known, *added])


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Return the mark of tests that are skipped where the program is missing."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{package} is not installed")
