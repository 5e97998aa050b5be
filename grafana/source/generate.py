"""`python -m grafana.source.generate [FOLDER]`: writes every board to grafana/dashboards or to FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import budgets, cloud_run, exporter_health, google_cloud, language_models, overview

DASHBOARDS = Path(__file__).parent.parent / "dashboards"


def boards() -> list[model.Dashboard]:
    """Make all boards."""
    return [
        module.make()
        for module in (overview, google_cloud, cloud_run, language_models, budgets, exporter_health)
    ]


def rendered() -> dict[str, str]:
    """Return the JSON of each board, by file name."""
    return {f"{board.uid}.json": _text(board) for board in boards()}


def _text(board: model.Dashboard) -> str:
    plain = json.loads(json.dumps(board, cls=JSONEncoder), object_hook=_shown)
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    """Drop a default of the library that would hide links and annotations in a menu."""
    return {key: each for key, each in value.items() if (key, each) != ("placement", "inControlsMenu")}


def main(folder: Path = DASHBOARDS) -> None:
    """Write the boards."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rendered().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
