"""The container serves the mounted bill or the demo, never one for the other, and says what it looked for."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import places

SCRIPT = (places.REPOSITORY / "docker" / "entrypoint.sh").read_text(encoding="utf-8")

Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Runs the script with the folders `config` and `data` of the test; it prints what it would become."""
    (tmp_path / "data").mkdir()

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        folders = {
            "SPEND_CONFIG_FOLDER": str(tmp_path / "config"),
            "SPEND_DATA_FOLDER": str(tmp_path / "data"),
        }
        return subprocess.run(
            ["sh", "-c", SCRIPT.replace("exec spend-exporter", "exec printf '%s\\n'"), "sh", *arguments],
            env={"PATH": os.environ["PATH"], **folders, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


def test_without_a_mounted_folder_it_is_the_demo(start: Start, tmp_path: Path) -> None:
    told = start(SPEND_REMOTE_WRITE_URL="http://x/y")
    assert told.stdout.splitlines() == [
        *("demo", "--listen", "0.0.0.0:9877", "--directory", f"{tmp_path}/data/demo"),
        *("--remote-write-url", "http://x/y"),
    ]
    assert "--remote-write-url" not in start().stdout


def test_the_folder_of_the_repository_as_delivered_is_the_demo(start: Start, config: Path) -> None:
    (config / ".gitignore").touch()
    assert start().stdout.startswith("demo\n")


def test_a_configuration_is_served(start: Start, config: Path) -> None:
    (config / "config.yml").touch()
    told = start()
    assert told.stdout.split() == ["serve", "--config", f"{config}/config.yml", "--listen", "0.0.0.0:9877"]


def test_arguments_are_a_command_of_their_own(start: Start, config: Path) -> None:
    assert start("check", "--config", "x").stdout.split() == ["check", "--config", "x"]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (None, "is empty: it needs config.yml. Is the name of the folder right?"),
        ("config.yaml", "config.yaml"),
        ("credentials.json", "credentials.json"),
    ],
)
def test_a_folder_without_a_configuration_is_refused(
    start: Start, config: Path, file: str | None, told: str
) -> None:
    if file:
        (config / file).touch()
        (config / ".gitignore").touch()
    refused = start()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert str(config) in refused.stderr
    assert "For demo data, mount no folder." in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, whom modes hold back")
@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o644), (0o755, 0o600)])
def test_what_it_may_not_read_is_refused(folder: int, file: int) -> None:
    # Not in tmp_path, whose parents only their owner may enter.
    with tempfile.TemporaryDirectory() as made:
        config = Path(made)
        (config / "config.yml").touch(file)
        config.chmod(folder)
        refused = subprocess.run(
            ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "sh", "-c", SCRIPT],
            env={"PATH": os.environ["PATH"], "SPEND_CONFIG_FOLDER": made, "SPEND_DATA_FOLDER": "/nowhere"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "user 65532 cannot read" in refused.stderr
    assert "chmod o+r" in refused.stderr


@pytest.mark.parametrize("marked", [True, False])
def test_a_volume_of_the_demo_is_refused_to_an_own_bill(
    start: Start, config: Path, tmp_path: Path, marked: bool
) -> None:
    (config / ".gitignore").touch()
    assert start().returncode == 0
    (tmp_path / "data" / "demo").mkdir()
    if not marked:
        # As earlier versions left it.
        (tmp_path / "data" / "figures-of").unlink()
    (config / "config.yml").touch()
    refused = start()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "figures of the demo" in refused.stderr
    assert "docker volume rm spend-exporter_exporter-data spend-exporter_prometheus-data" in refused.stderr


def test_a_volume_of_an_own_bill_is_refused_to_the_demo(start: Start, config: Path) -> None:
    (config / "config.yml").touch()
    assert start().returncode == 0
    (config / "config.yml").rename(config / ".gitignore")
    refused = start()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "figures of the bill" in refused.stderr


def test_the_health_check_asks_as_the_mounted_configuration_says(tmp_path: Path) -> None:
    script = (places.REPOSITORY / "docker" / "health.sh").read_text(encoding="utf-8")

    def asked() -> list[str]:
        return subprocess.run(
            ["sh", "-c", script.replace("exec spend-exporter", "exec printf '%s\\n'")],
            env={"PATH": os.environ["PATH"], "SPEND_CONFIG_FOLDER": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()

    assert asked() == ["health", "--listen", "0.0.0.0:9877"]
    (tmp_path / "config.yml").touch()
    assert asked() == ["health", "--config", f"{tmp_path}/config.yml", "--listen", "0.0.0.0:9877"]


def test_image_and_compose_check_health_by_that_script() -> None:
    image = (places.REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    compose = (places.REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    assert "COPY docker/health.sh /usr/local/bin/spend-exporter-health\n" in image
    assert 'CMD ["spend-exporter-health"]\n' in image
    assert 'test: ["CMD", "spend-exporter-health"]\n' in compose
