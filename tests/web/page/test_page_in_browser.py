"""The page in a real headless Chromium: layout, colours, policy, hostile names, figures that update."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.web.server import Server
from tests.support.npm_packages import installed_packages
from tests.support.page_world import NOW, evil_ledger, evil_snapshot

pytestmark = [pytest.mark.integration]

BROWSER = Path(__file__).parent.parent / "browser"
LONGEST_SECONDS = 120


def look(address: str, at_step: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return what the browser has seen; `at_step` is called as it sees it."""
    packages = installed_packages(BROWSER, "page-browser")
    command = ["node", str(BROWSER / "look.mjs"), str(packages), address, ""]
    seen = []
    with subprocess.Popen(
        ["timeout", str(LONGEST_SECONDS), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        for line in program.stdout:
            seen.append(json.loads(line))
            at_step(seen[-1]["step"])
        errors = program.stderr.read()
    if program.returncode == 127 or "error while loading shared libraries" in errors:
        pytest.skip(f"this Chromium does not run here: {errors.strip().splitlines()[-1:]}")
    assert program.returncode == 0, errors
    return seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the browser sees of a server whose data change while it looks."""
    current = evil_snapshot()

    def change(step: str) -> None:
        nonlocal current
        if step == "waiting":
            current = evil_snapshot(400.0, minutes_later=1)

    with (
        evil_ledger(tmp_path_factory.mktemp("ledger")) as questions,
        Server(("127.0.0.1", 0), lambda: current, questions=questions, now=lambda: NOW) as server,
    ):
        return look(server.url, change)


def steps(seen: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = [each for each in seen if each["step"] == name]
    assert found
    return found


def test_no_width_scrolls_sideways_and_each_shows_one_chart(seen: list[dict[str, Any]]) -> None:
    layouts = steps(seen, "layout")
    assert [(each["width"], each["scheme"]) for each in layouts] == [
        (width, scheme) for width in (360, 1280, 1920) for scheme in ("light", "dark")
    ]
    assert [each["scrollWidth"] for each in layouts] == [each["width"] for each in layouts]
    assert {each["chart"] for each in layouts} == {1}


def test_light_and_dark_differ(seen: list[dict[str, Any]]) -> None:
    grounds = {(each["scheme"], each["ground"]) for each in steps(seen, "layout")}
    assert len(grounds) == 2
    assert len({ground for _, ground in grounds}) == 2


def test_nothing_breaks_the_policy_or_is_written_to_the_console(seen: list[dict[str, Any]]) -> None:
    assert [each["trouble"] for each in [*steps(seen, "layout"), *steps(seen, "updated")]] == [[]] * 7


def test_it_asks_only_its_own_server(seen: list[dict[str, Any]]) -> None:
    for each in steps(seen, "layout"):
        home = each["asked"][0]
        outside = [url for url in each["asked"] if not url.startswith((home, "data:,"))]
        assert outside == []


def test_hostile_names_are_shown_as_text(seen: list[dict[str, Any]]) -> None:
    for each in steps(seen, "layout"):
        assert each["strange"] == 0
        assert "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\ufffd" in each["text"]
        assert not {"\x07", "\x1b", "\u202e"} & set(each["text"])


def test_figures_are_there_without_scripts_and_the_script_writes_them_in_the_same_way(
    seen: list[dict[str, Any]],
) -> None:
    [plain] = steps(seen, "without scripts")
    assert plain["figures"][0] == "$44"
    assert {"$12,435", "$4.50", "80%", "\u2212$3.50"} <= set(plain["figures"])
    assert [each["figures"] for each in steps(seen, "layout")] == [plain["figures"]] * 6


def test_new_figures_are_seen_within_three_seconds(seen: list[dict[str, Any]]) -> None:
    [updated] = steps(seen, "updated")
    assert updated["after"] == "$3,885"
    assert updated["seconds"] < 3


def test_new_data_replace_the_other_parts_and_leave_open_what_is_open(seen: list[dict[str, Any]]) -> None:
    [updated] = steps(seen, "updated")
    assert "12,346" in updated["sources"]
    assert updated["open"] is True
