"""`python -m grafana.pictures --prometheus http://localhost:9090`: draws every board into docs/images.

Needs Chromium, which makes pictures of the pages, and Pillow (it comes with matplotlib) to make them small.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from grafana.pictures.asking import AskingError, Prometheus, Span, seconds
from grafana.pictures.page import Page, page

ROOT = Path(__file__).parent.parent.parent
SIZES = (("", 1280, "light"),)
ALL_SIZES = (
    ("-1280-light", 1280, "light"),
    ("-1280-dark", 1280, "dark"),
    ("-1920-light", 1920, "light"),
    ("-1920-dark", 1920, "dark"),
    ("-phone-light", 400, "light"),
    ("-phone-dark", 400, "dark"),
)


def main() -> int:
    """Draw the boards; 2 where Chromium is not found, 1 where Prometheus refuses a query."""
    arguments = argparse.ArgumentParser(prog="python -m grafana.pictures", description=__doc__)
    arguments.add_argument("--prometheus", default="http://localhost:9090", help="its address")
    arguments.add_argument(
        "--into", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures"
    )
    arguments.add_argument("--last", default="1h", help="what the graphs show, such as 30m or 24h")
    arguments.add_argument("--board", action="append", help="uid of a board; all of them if none is given")
    arguments.add_argument("--all-sizes", action="store_true", help="also wide, on a phone, and dark")
    given = arguments.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if not chromium:
        print("chromium is not found: install it, or put it on the PATH", file=sys.stderr)  # noqa: T201
        return 2
    given.into.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        if given.board and board["uid"] not in given.board:
            continue
        for suffix, width, theme in ALL_SIZES if given.all_sizes else SIZES:
            picture = given.into / f"{board['uid']}{suffix}.png"
            now = time.time()
            span = Span(now - seconds(given.last), now, width // 3)
            try:
                drawn = page(board, Prometheus(given.prometheus), span, width, theme)
            except AskingError as error:
                print(f"{board['uid']}: {error}", file=sys.stderr)  # noqa: T201
                return 1
            _take(drawn, width, picture, chromium)
    return 0


def _take(drawn: Page, width: int, picture: Path, chromium: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "board.html"
        html.write_text(drawn.html, encoding="utf-8")
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{drawn.height}",
            f"--screenshot={picture}",
            html.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 (our own command)
    with Image.open(picture) as drawing:
        few_colours = drawing.convert("RGB").quantize(200)
    few_colours.save(picture, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
