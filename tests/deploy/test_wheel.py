"""The wheel, installed outside the checkout, has all that its commands and their users need."""

from __future__ import annotations

import json
import os
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import __version__
from tests.cli.commands.test_backtest import write_world
from tests.support import places
from tests.support.running import Running

pytestmark = pytest.mark.slow

ROOT = places.REPOSITORY
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "exporter", "grafana", "prometheus", "docs")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*arguments: str | Path, cwd: Path, code: int = 0) -> str:
    done = subprocess.run(
        arguments, cwd=cwd, env=ENVIRONMENT, text=True, check=False, capture_output=True, timeout=300
    )
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that has the wheel; what it depends on is that of the tests."""
    work = tmp_path_factory.mktemp("wheel")
    (work / "checkout").mkdir()
    for name in SOURCES:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, work / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, work / "checkout" / name)
    offline = ("--quiet", "--no-deps", "--no-index")
    built = ("wheel", *offline, "--no-build-isolation", "--wheel-dir", work, work / "checkout")
    run(sys.executable, "-m", "pip", *built, cwd=work)
    environment = work / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=work)
    python = environment / "bin" / "python"
    (wheel,) = work.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", *offline, wheel, cwd=work)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Behind its own packages, so that the wheel's come first.
    (packages / "tests.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return environment


def test_its_commands_work_from_another_folder(installed: Path, tmp_path: Path) -> None:
    write_world(tmp_path, 3)
    where = run(installed / "bin" / "python", "-c", "import exporter; print(exporter.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed)
    program = installed / "bin" / "spend-exporter"
    assert run(program, "--version", cwd=tmp_path) == f"spend-exporter {__version__}\n"
    findings = json.loads(run(program, "check", "--config", "config.yml", "--format", "json", cwd=tmp_path))
    assert findings["trouble"] is False
    shown = run(program, "snapshot", "--config", "config.yml", cwd=tmp_path)
    assert f'version="{__version__}"' in shown
    assert "spend_month_to_date_usd{" in shown


def files(folder: Path) -> dict[str, bytes]:
    """The files below a folder with their contents, but what Python has compiled."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_it_has_every_file_of_the_package(installed: Path) -> None:
    (package,) = installed.glob("lib/python*/site-packages/exporter")
    delivered = files(ROOT / "exporter")
    assert "reports/templates/report.html.j2" in delivered
    assert files(package) == delivered


@pytest.fixture
def demo(installed: Path, tmp_path: Path) -> Iterator[Running]:
    log = tmp_path / "stderr.log"
    command = (installed / "bin" / "spend-exporter", "demo", "--listen", "127.0.0.1:0")
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=stderr
        ) as process,
    ):
        try:
            yield Running(process, log)
        finally:
            process.kill()


def test_its_demo_shows_the_page_and_its_files(demo: Running) -> None:
    for path in ("/", "/page.css", "/page.js", "/healthz"):
        status, text = demo.get(path)
        assert (status, bool(text)) == (200, True), path
    assert demo.end(signal.SIGINT) == 0


def test_it_has_what_grafana_prometheus_and_alertmanager_load(installed: Path) -> None:
    shared = files(installed / "share" / "spend-exporter")
    delivered = {
        **{f"dashboards/{name}": text for name, text in files(ROOT / "grafana" / "dashboards").items()},
        **{f"rules/{name}": text for name, text in files(ROOT / "prometheus" / "rules").items()},
        **{
            f"alertmanager/{name}": text for name, text in files(ROOT / "prometheus" / "alertmanager").items()
        },
        "spend-exporter.example.yml": (ROOT / "docs" / "spend-exporter.example.yml").read_bytes(),
    }
    assert len(delivered) > 15
    assert shared == delivered
