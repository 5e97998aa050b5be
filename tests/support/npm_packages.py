"""Installs, once, the npm packages that a folder of the tests pins."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.environments import made_once


def installed_packages(pinned: Path, name: str) -> Path:
    """Install what `package-lock.json` in the folder pins, unless it is there; skip where there is no npm.

    Returns the folder that has `node_modules`. A changed lock file is installed into another folder.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm not found: install Node.js 18.20 or later with npm")
    lock = (pinned / "package-lock.json").read_bytes()

    def make(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(pinned / file, folder / file)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        subprocess.run(command, cwd=folder, check=True)

    return made_once(f"{name}-{hashlib.sha256(lock).hexdigest()[:12]}", make)
