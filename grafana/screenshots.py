"""`python -m grafana.screenshots --grafana http://localhost:3000`: takes pictures of the boards in Grafana.

A Grafana without anonymous access needs GRAFANA_USER and GRAFANA_PASSWORD in the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import requests
from PIL import Image

from grafana.source.generate import DASHBOARDS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ROW, BARS = 38, 260  # pixels: a row of the grid with its gap; the variables and links above, which may wrap


class ScreenshotError(Exception):
    """The browser, Grafana or a board is missing, or no picture was made; the message says what to do."""


def main(argv: list[str] | None = None) -> int:
    """Take the pictures; return 1, with a message on standard error, if one cannot be taken."""
    parser = argparse.ArgumentParser(prog="python -m grafana.screenshots", description=__doc__)
    parser.add_argument("--grafana", default="http://localhost:3000", help="address of Grafana")
    parser.add_argument("--width", type=int, default=1600, help="width of the window, in pixels")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder for the pictures")
    parser.add_argument("--chromium", help="program to use; by default the first of the usual names found")
    parser.add_argument("--wait", type=float, default=30, help="seconds to wait for a page to be drawn")
    given = parser.parse_args(argv)
    try:
        take(given.grafana.rstrip("/"), given.out, browser(given.chromium), given)
    except ScreenshotError as error:
        print(error, file=sys.stderr)  # noqa: T201 (output of the command)
        return 1
    return 0


def browser(chosen: str | None) -> str:
    """Return the path of the browser. Raises ScreenshotError if it is missing."""
    for found in map(shutil.which, (chosen,) if chosen else BROWSERS):
        if found:
            return found
    raise ScreenshotError(
        f"no browser: {chosen or ', '.join(BROWSERS)} not found; install Chromium or name it with --chromium"
    )


def take(grafana: str, out: Path, chromium: str, how: argparse.Namespace) -> None:
    """Write UID.png for every board into `out`. Raises ScreenshotError if one cannot be taken."""
    if "@" in urlsplit(grafana).netloc:  # it would appear in the process list and in errors
        raise ScreenshotError("no password in the address: use GRAFANA_USER and GRAFANA_PASSWORD instead")
    user = os.environ.get("GRAFANA_USER")
    login = (user, os.environ.get("GRAFANA_PASSWORD", "")) if user else None
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))]
    present = _uids(grafana, login)
    missing = ", ".join(
        f"{board['title']} ({board['uid']})" for board in boards if board["uid"] not in present
    )
    if missing:
        raise ScreenshotError(
            f"Grafana at {grafana} does not have: {missing}. Provision grafana/dashboards there, see "
            "docs/dashboards.md, and give the user permission to view the folder"
        )
    out.mkdir(parents=True, exist_ok=True)
    with _with_login(grafana, login) if login else nullcontext(grafana) as address:
        for board in boards:
            rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
            url = f"{address}/d/{board['uid']}?kiosk&theme={how.theme}"
            picture = out / f"{board['uid']}.png"
            _shoot(chromium, url, (how.width, rows * ROW + BARS), how.wait, picture)


def _uids(grafana: str, login: tuple[str, str] | None) -> set[str]:
    try:
        answer = requests.get(f"{grafana}/api/search?type=dash-db&limit=5000", auth=login, timeout=20)
        if answer.status_code in (401, 403):
            raise ScreenshotError(
                f"Grafana at {grafana} refuses access: set GRAFANA_USER and GRAFANA_PASSWORD to a user with "
                "permission to view the boards, or allow anonymous viewing"
            )
        answer.raise_for_status()
        return {board["uid"] for board in answer.json()}
    except (requests.RequestException, ValueError) as error:
        raise ScreenshotError(
            f"no Grafana answers at {grafana} ({type(error).__name__}): start one, for example with "
            "`docker compose up`, or set its address with --grafana"
        ) from error


def _shoot(chromium: str, url: str, size: tuple[int, int], wait: float, picture: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        drawn = Path(folder) / "board.png"
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
        ]
        command += ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
        command += ["--disable-sync", "--no-first-run", f"--virtual-time-budget={wait * 1000:.0f}"]
        command += [f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}"]
        command += [f"--screenshot={drawn}", url]
        try:
            subprocess.run(command, capture_output=True, timeout=wait + 120, check=True)  # noqa: S603 (the user's)
            with Image.open(drawn) as image:
                shown = image.convert("RGB")
        except (OSError, subprocess.SubprocessError) as error:
            raise ScreenshotError(f"{chromium} made no picture of {url}: {type(error).__name__}") from error
    if shown.getcolors(1):  # one colour only
        raise ScreenshotError(f"{url} stayed empty: Grafana was slow; try a longer --wait")
    shown.quantize(256).save(picture, optimize=True)  # a third of the size, without a visible difference


@contextmanager
def _with_login(grafana: str, login: tuple[str, str]) -> Iterator[str]:
    """Yield a loopback address that adds the login: Chromium accepts a login only on its command line."""
    parts = urlsplit(grafana)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept = {name: self.headers[name] for name in ("Accept", "Content-Type") if name in self.headers}
            url = f"{parts.scheme}://{parts.netloc}{self.path}"
            answer = requests.request(self.command, url, data=body, headers=kept, auth=login, timeout=60)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{parts.path}"
        finally:
            server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
