"""Makes, once, virtual environments for programs that do not go together with the product's own packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import places


def cache_folder() -> Path:
    """Folder for what tests download: SPEND_TEST_CACHE, else `.cache` in the repository."""
    return Path(os.environ.get("SPEND_TEST_CACHE") or places.REPOSITORY / ".cache")


def environment(name: str, *packages: str) -> Path:
    """Return the Python of an environment with these packages, which is made unless it is complete."""
    folder = cache_folder() / name
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        _uv("venv", "--clear", "--python", sys.executable, str(folder)).check_returncode()
        # uv is several times quicker, but knows nothing of pip's own settings, such as an index.
        if _uv("pip", "install", "--python", str(python), *packages).returncode:
            command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *packages]
            subprocess.run(command, check=True)
        complete.touch()
    return python


def _uv(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "uv", *arguments, "--quiet"], check=False)
