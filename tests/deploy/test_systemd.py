"""The systemd unit: accepted by systemd, with little exposed, for the user and folders that are made."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import places
from tests.support.programs import needs

FOLDER = places.REPOSITORY / "deploy" / "systemd"
UNIT = FOLDER / "spend-exporter.service"
EXPOSURE_AT_MOST = 1.5
"""Of 10. What remains is the network, which it needs, and a root folder that it shares."""
with_systemd = needs("systemd-analyze", "systemd")


def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT, encoding="utf-8")
    return unit["Service"]


def test_it_runs_as_the_user_and_in_the_folders_that_are_made_for_it() -> None:
    user = service()["User"]
    assert user == "spend-exporter"
    accounts = (FOLDER / "spend-exporter.sysusers.conf").read_text(encoding="utf-8")
    assert re.search(rf"^u {user} ", accounts, flags=re.MULTILINE)
    folders = (FOLDER / "spend-exporter.tmpfiles.conf").read_text(encoding="utf-8")
    made = dict(re.findall(r"^d (\S+) \d+ \S+ (\S+)", folders, flags=re.MULTILINE))
    assert made == {"/etc/spend-exporter": user, service()["WorkingDirectory"]: user}
    assert "/etc/spend-exporter/config.yml" in service()["ExecStart"]


def test_a_wrong_configuration_does_not_start_it_again_and_again() -> None:
    assert service()["Restart"] == "on-failure"
    assert service()["RestartPreventExitStatus"] == "2"


@with_systemd
def test_systemd_accepts_it(tmp_path: Path) -> None:
    program = service()["ExecStart"].split()[0]
    copy = tmp_path / UNIT.name
    # A program that is there: the real one is installed where the unit is.
    copy.write_text(UNIT.read_text(encoding="utf-8").replace(program, str(shutil.which("true"))), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert (done.returncode, about_it) == (0, [])


@with_systemd
def test_little_is_exposed() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if level is None:
        pytest.skip(f"this systemd rates no unit offline: {done.stderr.strip()}")
    assert float(level[1]) <= EXPOSURE_AT_MOST, done.stdout
