"""The open ledger is looked at without losing its lock, and what is wrong with its file is named."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.ledger.file_watch import FileWatch
from exporter.ledger.open_file import OpenFile

OPEN_IT = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spend.duckdb"


def opens_elsewhere(path: Path) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_IT, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("mended", [False, True])
def test_another_process_is_kept_out_however_often_the_file_is_looked_at(path: Path, mended: bool) -> None:
    file = OpenFile(path, "256MB", datetime(2026, 11, 26, tzinfo=UTC))
    if mended:
        path.unlink()
        file.look()
        assert file.troubled.is_set()
        assert file.mend(datetime(2026, 11, 26, tzinfo=UTC), lambda: None)
    for _ in range(3):
        file.look()
    assert not file.troubled.is_set()
    assert not opens_elsewhere(path)
    file.close()
    assert opens_elsewhere(path)


def test_a_file_that_is_gone_replaced_or_overwritten_is_named(path: Path) -> None:
    OpenFile(path, "256MB").close()
    watch = FileWatch(path)
    assert watch.problem() == ""
    whole = path.read_bytes()
    path.write_bytes(b"something else entirely")
    assert "was overwritten by something else" in watch.problem()
    path.unlink()
    assert watch.problem().endswith("is gone")
    path.write_bytes(whole)
    assert "is another file than the one that was opened" in watch.problem()
    watch.close()
    path.unlink()
    assert watch.problem().endswith("is gone")


def test_a_file_that_may_not_be_looked_at_is_not_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OpenFile(path, "256MB").close()
    watch = FileWatch(path)
    with monkeypatch.context() as forbidden:
        # Root may look at everything.
        forbidden.setattr(Path, "stat", _refuse)
        assert watch.problem() == ""
    path.unlink()
    assert "is gone" in watch.problem()
    watch.close()


def _refuse(_path: Path) -> None:
    raise PermissionError(13, "Permission denied")
