"""Runs amtool, which checks configurations and renders templates."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "prometheus" / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(folder: Path, template: str, data: dict[str, Any], kind: str = "text") -> str:
    path = folder / "data.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return amtool(
        "template",
        "render",
        f"--template.glob={FOLDER}/templates/*.tmpl",
        f'--template.text={{{{ template "{template}" . }}}}',
        f"--template.type={kind}",
        f"--template.data={path}",
    )
