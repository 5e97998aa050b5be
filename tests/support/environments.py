"""Makes, once, virtual environments for programs that do not go together with the product's own packages."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support import places


def cache_folder() -> Path:
    """Folder for what tests download: SPEND_TEST_CACHE, else `.cache` in the repository."""
    return Path(os.environ.get("SPEND_TEST_CACHE") or places.REPOSITORY / ".cache")


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache that `make` fills, unless it is complete; another process waits for it."""
    folder = cache_folder() / name
    complete = folder / "complete"
    if complete.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            make(folder)
            complete.touch()
    return folder


def environment(name: str, *packages: str) -> Path:
    """Return the Python of an environment with these packages, which is made unless it is complete."""

    def make(folder: Path) -> None:
        python = str(folder / "bin" / "python")
        _uv("venv", "--clear", "--python", sys.executable, str(folder)).check_returncode()
        # uv is several times quicker, but knows nothing of pip's own settings, such as an index.
        if _uv("pip", "install", "--python", python, *packages).returncode:
            command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *packages]
            subprocess.run(command, check=True)

    return made_once(name, make) / "bin" / "python"


def _uv(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "uv", *arguments, "--quiet"], check=False)
