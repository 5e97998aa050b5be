"""What tests download is made once, by the first of several processes that want it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.environments import made_once


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEND_TEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_of_several_at_once_one_makes_it_and_the_others_wait(cache: Path) -> None:
    made: list[Path] = []
    begun = threading.Barrier(4)

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "file").write_text("whole")
        made.append(folder)

    def wanted() -> str:
        begun.wait()
        return (made_once("tool", make) / "file").read_text()

    with ThreadPoolExecutor(4) as threads:
        found = [each.result() for each in [threads.submit(wanted) for _ in range(4)]]
    assert found == ["whole"] * 4
    assert made == [cache / "tool"]


def test_what_could_not_be_made_is_made_by_the_next(cache: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        made_once("tool", fail)
    assert made_once("tool", lambda folder: (folder / "file").write_text("whole")) == cache / "tool"
