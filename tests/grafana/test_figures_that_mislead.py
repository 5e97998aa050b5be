"""What misled readers of the boards once: empty texts, names, bars, links and colours of panels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from grafana.source import links
from tests.grafana.board_files import boards, expressions, panels
from tests.grafana.inter import room_for_title, title_pixels

BOARDS = boards()
each_board = pytest.mark.parametrize("uid", sorted(BOARDS))


def overrides(panel: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each field that is shown otherwise than the others, and how."""
    for each in panel["fieldConfig"]["overrides"]:
        yield each["matcher"]["options"], {one["id"]: one["value"] for one in each["properties"]}


def of_type(uid: str, kind: str) -> list[dict[str, Any]]:
    return [panel for panel in panels(BOARDS[uid]) if panel["type"] == kind]


@each_board
def test_an_empty_panel_says_so_and_no_more_and_an_empty_cell_has_a_dash(uid: str) -> None:
    shown = {
        (panel["type"] == "table", panel["fieldConfig"]["defaults"]["noValue"])
        for panel in panels(BOARDS[uid])
    }
    assert shown <= {(False, "No data"), (True, "-")}
    in_cells = {
        each["noValue"] for panel in panels(BOARDS[uid]) for _, each in overrides(panel) if "noValue" in each
    }
    assert in_cells <= {"-"}


@each_board
def test_columns_of_labels_are_text_and_name_what_has_no_label(uid: str) -> None:
    tables = of_type(uid, "table")
    assert tables
    for panel in tables:
        renamed = panel["transformations"][-1]["options"]["renameByName"]
        names = {title for label, title in renamed.items() if not re.match("Value|Trend", label)}
        names -= {name for name, each in overrides(panel) if "custom.hidden" in each}
        assert names, panel["title"]
        units: dict[str, str] = {}
        texts: dict[str, set[str]] = {}
        for name, each in overrides(panel):
            units |= {name: each["unit"]} if "unit" in each else {}
            mapped = [
                one["options"]["result"]["text"]
                for one in each.get("mappings", [])
                if one["type"] == "special"
            ]
            texts.setdefault(name, set()).update(mapped)
        assert {name: units[name] for name in names} == dict.fromkeys(names, "string"), panel["title"]
        assert {name: texts[name] for name in names} == {name: {"(none)"} for name in names}, panel["title"]


@each_board
def test_a_series_without_its_only_label_is_not_called_value(uid: str) -> None:
    by_one_label = [
        panel
        for panel in (*of_type(uid, "bargauge"), *of_type(uid, "timeseries"))
        if any(re.fullmatch(r"\{\{\w+\}\}", each.get("legendFormat", "")) for each in panel["targets"])
    ]
    named = [panel for panel in by_one_label if ("Value", {"displayName": "(none)"}) in overrides(panel)]
    assert named == by_one_label
    assert named or uid == links.BUDGETS


@each_board
def test_only_a_bar_chart_draws_what_can_be_negative_by_design(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        if any("bottomk(" in target["expr"] for target in panel["targets"]):
            assert panel["type"] == "barchart", panel["title"]
            assert panel["fieldConfig"]["defaults"]["custom"]["axisCenteredZero"] is True


def test_the_largest_changes_are_bars_around_zero() -> None:
    [panel] = of_type(links.OVERVIEW, "barchart")
    assert panel["title"] == "Movers, week on week"
    assert panel["options"]["xField"] == "service_name"
    assert panel["targets"][0]["format"] == "table"


@each_board
def test_a_service_of_any_provider_leads_to_the_board_of_its_provider(uid: str) -> None:
    """On boards of one provider it stays there."""
    for panel in panels(BOARDS[uid]):
        exprs = [target["expr"] for target in panel["targets"]]
        mixed = any(re.search(r"by \([^)]*\bprovider, service_name", expr) for expr in exprs)
        config = panel["fieldConfig"]
        found = [link["url"] for link in config["defaults"].get("links", [])]
        found += [link["url"] for _, each in overrides(panel) for link in each.get("links", [])]
        to_a_service = [url for url in found if "var-service_name" in url]
        if mixed:
            assert to_a_service, panel["title"]
            assert all(re.match(r"/d/\$\{__(field\.labels|data\.fields)", url) for url in to_a_service)
            leading = [target for target in panel["targets"] if target.get("legendFormat") != "All others"]
            assert all('"board"' in target["expr"] for target in leading), panel["title"]
        elif uid in (links.OVERVIEW, links.BUDGETS):
            assert not to_a_service, panel["title"]


@each_board
def test_dollars_are_never_green_and_ratios_of_budgets_judge_the_forecast(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        config = panel["fieldConfig"]
        for shown in (config["defaults"], *(each for _, each in overrides(panel))):
            colours = {step["color"] for step in shown.get("thresholds", {}).get("steps", [])}
            if shown.get("unit", "") in ("currencyUSD", "locale"):
                assert "green" not in colours, panel["title"]
    for place, expr in expressions(BOARDS[uid]):
        if "spend_budget_used_ratio" in expr and uid != links.BUDGETS:
            assert place == "Budget crossings"


def test_what_is_used_of_a_budget_has_no_colour_and_its_forecast_has() -> None:
    [status] = [panel for panel in panels(BOARDS[links.BUDGETS]) if panel["title"] == "Budget status"]
    steps = {name: each["thresholds"]["steps"] for name, each in overrides(status) if "thresholds" in each}
    assert "Used" not in steps
    assert [step["color"] for step in steps["Of limit"]] == ["green", "orange", "red"]
    for uid, title in ((links.BUDGETS, "Forecast of limit"), (links.OVERVIEW, "Budget forecast")):
        [panel] = [panel for panel in panels(BOARDS[uid]) if panel["title"] == title]
        assert "spend_budget_forecast_usd" in panel["targets"][0]["expr"]
        last = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]
        assert last == {"value": 1, "color": "red"}


def test_the_room_for_titles_is_that_of_a_real_grafana() -> None:
    """Titles that were whole and cut in a window of 1280 pixels, by columns of their panels."""
    whole = [("On what today", 8), ("How old is the bill?", 6), ("Billed this month", 12)]
    cut = [("Spent today", 4), ("How wrong are the estimates?", 6), ("How much of yesterday is missing?", 6)]
    assert all(title_pixels(title) <= room_for_title(columns) for title, columns in whole)
    assert all(title_pixels(title) > room_for_title(columns) for title, columns in cut)
