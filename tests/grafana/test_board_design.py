"""How boards are laid out: what is seen first and what fits at 1280 pixels, colours by rank, time ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from grafana.source import links
from grafana.source.colours import GREY, PALETTE
from tests.grafana.board_files import boards, panels

BOARDS = boards()
each_board = pytest.mark.parametrize("uid", sorted(BOARDS))

ROW_PIXELS, WINDOW_PIXELS = 38, 800
CONTROLS_PIXELS = 184
"""Bars above the panels at 1280 pixels, with two rows of variables; measured in Grafana 12.3."""
SCREEN_ROWS = (WINDOW_PIXELS - CONTROLS_PIXELS) // ROW_PIXELS
PLAIN_PIXELS = 60
"""The width that boards give to a column of texts at least."""
NAME_PIXELS = 100
"""What the first column, with the name of the row, needs to be read."""


def inner_pixels(columns: int) -> float:
    """The room within a panel at 1280 pixels, with a docked menu of 300."""
    return (1280 - 300 - 32 + 8) / 24 * columns - 8 - 18


def overrides(panel: dict[str, Any]) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """What each override is for, and what it sets."""
    for each in panel["fieldConfig"]["overrides"]:
        yield each["matcher"], {one["id"]: one["value"] for one in each["properties"]}


def of_type(uid: str, kind: str) -> list[dict[str, Any]]:
    return [panel for panel in panels(BOARDS[uid]) if panel["type"] == kind]


def of_all_boards(kind: str) -> list[dict[str, Any]]:
    return [panel for uid in BOARDS for panel in of_type(uid, kind)]


@each_board
def test_the_time_picker_moves_every_panel_and_bills_begin_with_thirty_days(uid: str) -> None:
    live = {links.CLOUD_RUN: "now-24h", links.EXPORTER: "now-24h", links.BUDGETS: "now-7d"}
    assert BOARDS[uid]["time"] == {"from": live.get(uid, "now-30d"), "to": "now"}
    for panel in panels(BOARDS[uid]):
        assert not {"timeFrom", "timeShift", "timeCompare"} & panel.keys(), panel["title"]


def test_the_first_screen_of_the_overview_fits_1280_by_800_pixels_and_answers_first() -> None:
    first = [panel for panel in BOARDS[links.OVERVIEW]["panels"] if panel["gridPos"]["y"] < SCREEN_ROWS]
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in first) <= SCREEN_ROWS
    shown = [(panel["type"], panel["gridPos"]["w"], panel["title"]) for panel in first]
    assert shown == [
        ("stat", 5, "Month, USD"),
        ("stat", 5, "Month end, USD"),
        ("stat", 5, "Last day, USD"),
        ("stat", 4, "Burn rate"),
        ("bargauge", 5, "Budget forecast"),
        ("timeseries", 10, "Month and last month"),
        ("timeseries", 14, "Cost by day"),
    ]
    for panel in first[:4]:
        assert len(panel["targets"]) == 1, "one value"


def test_the_second_screen_of_the_overview_has_movers_beside_one_table_of_services() -> None:
    rows = [panel for panel in BOARDS[links.OVERVIEW]["panels"] if panel["type"] == "row"]
    below = [panel for panel in panels(BOARDS[links.OVERVIEW]) if panel["gridPos"]["y"] >= SCREEN_ROWS]
    assert rows[0]["gridPos"]["y"] == SCREEN_ROWS
    assert [(panel["type"], panel["title"]) for panel in below[:2]] == [
        ("barchart", "Movers, week on week"),
        ("table", "Services"),
    ]
    assert {panel["gridPos"]["y"] for panel in below[:2]} == {rows[0]["gridPos"]["y"] + 1}
    cells = {each.get("custom.cellOptions", {}).get("type") for _, each in overrides(below[1])}
    assert {"gauge", "sparkline"} <= cells


def test_the_last_full_day_has_its_change_and_its_course() -> None:
    for uid in (links.OVERVIEW, links.GOOGLE_CLOUD):
        [panel] = [each for each in of_type(uid, "stat") if each["title"] == "Last day, USD"]
        assert (panel["options"]["graphMode"], panel["options"]["showPercentChange"]) == ("area", True)
        assert panel["options"]["percentChangeColorMode"] == "inverted"
        assert panel["interval"] == "1d"
        assert not panel["targets"][0]["instant"]


@each_board
def test_every_board_begins_with_panels_and_not_with_a_row(uid: str) -> None:
    assert BOARDS[uid]["panels"][0]["type"] != "row"
    assert BOARDS[uid]["panels"][0]["gridPos"] | {"w": 0, "h": 0} == {"x": 0, "y": 0, "w": 0, "h": 0}


@each_board
def test_other_boards_are_in_a_menu_and_keep_the_range_and_the_choices(uid: str) -> None:
    [link] = BOARDS[uid]["links"]
    assert (link["asDropdown"], link["includeVars"], link["keepTime"]) == (True, True, True)


@each_board
def test_the_data_source_is_grafanas_default_until_another_is_chosen(uid: str) -> None:
    [source] = [each for each in BOARDS[uid]["templating"]["list"] if each["type"] == "datasource"]
    assert source["current"] == {"text": "default", "value": "default"}


@each_board
def test_a_title_is_a_few_words(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        assert len(panel["title"].removesuffix(", USD").split()) <= 4, panel["title"]


@each_board
def test_no_table_is_wider_than_its_panel(uid: str) -> None:
    tables = of_type(uid, "table")
    assert tables
    for panel in tables:
        assert panel["fieldConfig"]["defaults"]["custom"]["minWidth"] == PLAIN_PIXELS
        name, *others = panel["transformations"][-1]["options"]["renameByName"].values()
        widths = {name: NAME_PIXELS, **dict.fromkeys(others, PLAIN_PIXELS)}
        for matcher, each in overrides(panel):
            if "custom.hidden" in each:
                widths.pop(matcher["options"])
            elif "custom.width" in each:
                widths[matcher["options"]] = each["custom.width"]
        assert sum(widths.values()) <= inner_pixels(panel["gridPos"]["w"]), (panel["title"], widths)


def test_a_table_has_the_name_then_the_figures_then_other_texts() -> None:
    tables = of_all_boards("table")
    assert tables
    for panel in tables:
        places = panel["transformations"][-1]["options"]["indexByName"]
        columns = sorted(places, key=lambda name: int(places[name]))
        figures = [bool(re.match("Value|Trend", name)) for name in columns]
        assert figures == [False, *sorted(figures[1:], reverse=True)], (panel["title"], columns)


def test_areas_begin_at_zero_and_legends_leave_a_chart_most_of_its_room() -> None:
    charts = of_all_boards("timeseries")
    assert charts
    for panel in charts:
        defaults = panel["fieldConfig"]["defaults"]
        if defaults["custom"]["stacking"]["mode"] == "normal" or defaults["custom"]["drawStyle"] == "bars":
            assert defaults["min"] == 0, panel["title"]
        legend = panel["options"]["legend"]
        if legend["placement"] == "right":
            assert legend["width"] <= 0.4 * inner_pixels(panel["gridPos"]["w"]), panel["title"]
        else:
            assert legend["displayMode"] == "list", panel["title"]


def test_bars_have_a_size_of_their_own() -> None:
    bars = of_all_boards("bargauge")
    assert bars
    for panel in bars:
        options = panel["options"]
        assert (options["sizing"], options["minVizHeight"], options["maxVizHeight"]) == ("manual", 14, 22)


def test_a_budget_shows_how_much_there_is_to_its_limit() -> None:
    for uid, title in ((links.OVERVIEW, "Budget forecast"), (links.BUDGETS, "Forecast of limit")):
        [panel] = [each for each in of_type(uid, "bargauge") if each["title"] == title]
        assert panel["options"]["showUnfilled"] is True
        assert (panel["fieldConfig"]["defaults"]["min"], panel["fieldConfig"]["defaults"]["max"]) == (0, 1)


def test_ranks_have_fixed_colours_and_all_others_are_grey_and_lead_nowhere() -> None:
    charts = of_all_boards("timeseries")
    assert charts
    for panel in charts:
        if not any(target.get("legendFormat") == "All others" for target in panel["targets"]):
            assert not any("topk(" in target["expr"] for target in panel["targets"]), panel["title"]
            continue
        by_reference = {
            matcher["options"]: each for matcher, each in overrides(panel) if matcher["id"] == "byFrameRefID"
        }
        assert list(by_reference) == [target["refId"] for target in panel["targets"]] == list("ABCDEFGHI")
        colours = [each["color"]["fixedColor"] for each in by_reference.values()]
        assert colours == [*PALETTE[:8], GREY]
        assert by_reference["I"]["links"] == []
        assert all("$__range] @ end()" in target["expr"] for target in panel["targets"]), panel["title"]


def test_days_by_rank_are_on_every_board_of_a_bill() -> None:
    for uid in (links.OVERVIEW, links.GOOGLE_CLOUD, links.LANGUAGE_MODELS):
        assert "Cost by day" in [panel["title"] for panel in of_type(uid, "timeseries")]


@each_board
def test_whole_dollars_say_that_they_are_dollars(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "table":
            for matcher, each in overrides(panel):
                if each.get("unit") == "locale" and each["decimals"] == 0:
                    in_dollars = re.search(
                        "USD", panel["transformations"][-1]["options"]["renameByName"][first_figure(panel)]
                    )
                    assert "USD" in matcher["options"] or in_dollars, panel["title"]
        elif defaults["unit"] == "locale":
            said = [panel["title"], defaults.get("custom", {}).get("axisLabel", "")]
            said += [panel["description"]] if panel["type"] == "bargauge" else []
            assert any("USD" in each for each in said), panel["title"]


def first_figure(panel: dict[str, Any]) -> str:
    """The name of a table's first column of figures."""
    places = panel["transformations"][-1]["options"]["indexByName"]
    figures = [name for name in places if name.startswith("Value")]
    return min(figures, key=lambda name: int(places[name]))


def test_a_question_about_google_cloud_ends_at_a_sku_a_resource_and_an_hour() -> None:
    by_title = {panel["title"]: panel for panel in panels(BOARDS[links.GOOGLE_CLOUD])}
    assert "resource" in by_title["Resources per hour"]["transformations"][-1]["options"]["renameByName"]
    assert by_title["Cost by hour"]["interval"] == "1h"
    assert all("spend_hourly_usd" in target["expr"] for target in by_title["Cost by hour"]["targets"])
    variables = {each["name"] for each in BOARDS[links.GOOGLE_CLOUD]["templating"]["list"]}
    filters = {"project_id", "service_name", "sku", "region_id"}
    assert filters <= variables
    clicked = {
        name
        for panel in by_title.values()
        for shown in (panel["fieldConfig"]["defaults"], *(each for _, each in overrides(panel)))
        for link in shown.get("links", [])
        for name in re.findall(r"var-(\w+)=", link["url"])
    }
    assert filters <= clicked
