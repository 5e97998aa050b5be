"""The rules that all boards follow, and whether the committed boards are what the generator writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from grafana.source import links
from grafana.source.colours import PALETTE, colours_of
from grafana.source.generate import DASHBOARDS, main
from grafana.source.jobs import HISTORY
from tests.grafana.board_files import boards, expressions, labels_by_metric, named, panels
from tests.grafana.inter import room_for_title, title_pixels

BOARDS = boards()
each_board = pytest.mark.parametrize("uid", sorted(BOARDS))

GENERAL_UNITS = {"string", "short", "none", "percentunit", "s", "bytes", "reqps", "locale", "dateTimeFromNow"}


def links_of(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The address of each link, with the title of its panel."""
    for panel in panels(board):
        config = panel["fieldConfig"]
        found = list(config["defaults"].get("links", []))
        for override in config["overrides"]:
            for each in override["properties"]:
                found += each["value"] if each["id"] == "links" else []
        yield from ((panel["title"], link["url"]) for link in found)


def variables_of(uid: str) -> set[str]:
    return {variable["name"] for variable in BOARDS[uid]["templating"]["list"]}


def test_the_committed_boards_are_what_the_generator_writes(tmp_path: Path) -> None:
    main(tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")}
    committed = {path.name: path.read_text(encoding="utf-8") for path in DASHBOARDS.glob("*.json")}
    assert made == committed, "run `make dashboards` and commit the changes"


def test_every_board_has_its_fixed_uid_as_its_file_name() -> None:
    assert set(BOARDS) == set(links.TITLES)
    assert {path.stem for path in DASHBOARDS.glob("*.json")} == set(BOARDS)


@each_board
def test_a_board_can_be_edited_and_is_tagged_and_has_a_schema_that_grafana_10_reads(uid: str) -> None:
    board = BOARDS[uid]
    assert 39 <= board["schemaVersion"] <= 41
    assert board["editable"] is True
    assert "spend" in board["tags"]
    assert board["title"]
    assert board["description"].endswith(".")
    assert [link["tags"] for link in board["links"]] == [["spend"]]


@each_board
def test_every_panel_has_a_unique_title_a_description_and_a_text_for_no_data(uid: str) -> None:
    titles = [panel["title"] for panel in panels(BOARDS[uid])]
    assert len(titles) == len(set(titles))
    for panel in panels(BOARDS[uid]):
        assert len(panel["title"]) > 3
        assert not panel["title"].endswith("?")
        assert panel["description"].endswith("."), panel["title"]
        assert len(panel["description"]) > 15, panel["title"]
        assert " If empty: " in panel["description"], panel["title"]


@each_board
def test_every_panel_has_a_unit_of_grafana_and_scaled_dollars_have_decimals(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        config = panel["fieldConfig"]
        readings = [config["defaults"]]
        readings += [
            {each["id"]: each["value"] for each in override["properties"]}
            for override in config["overrides"]
            if any(each["id"] == "unit" for each in override["properties"])
        ]
        for reading in readings:
            assert reading["unit"] in GENERAL_UNITS | {"currencyUSD"}, panel["title"]
            if reading["unit"] == "currencyUSD":
                assert reading["decimals"] >= 2, panel["title"]


@each_board
def test_every_query_uses_the_selected_data_source(uid: str) -> None:
    board = BOARDS[uid]
    [source] = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    assert (source["name"], source["query"]) == ("datasource", "prometheus")
    used = [panel["datasource"] for panel in panels(board)]
    used += [target["datasource"] for panel in panels(board) for target in panel["targets"]]
    used += [mark["datasource"] for mark in board["annotations"]["list"]]
    used += [each["datasource"] for each in board["templating"]["list"] if each["type"] == "query"]
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in used)


@each_board
def test_rates_over_time_use_the_interval_that_grafana_computes(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        for target in panel["targets"]:
            if not target["instant"] and not HISTORY.search(target["expr"]):
                # What is the same at all times of the range ranks its series.
                of_each_time = re.sub(r"\[[^]]*\] @ end\(\)", "", target["expr"])
                ranges = re.findall(r"\[([^]]*)\]", re.sub(r"\"[^\"]*\"", "", of_each_time))
                assert set(ranges) <= {"$__rate_interval", "1m:1m"}, panel["title"]


@each_board
def test_counters_of_figures_are_asked_for_the_range_or_for_a_time_that_the_description_names(
    uid: str,
) -> None:
    for panel in panels(BOARDS[uid]):
        for target in panel["targets"]:
            if target["instant"]:
                asked = re.findall(r"(?:rate|increase)\([^[]*\[([^]]*)\]", target["expr"])
                said = {"1h": "last hour", "1d": "last day"}
                named_in = panel["description"].lower()
                assert all(each == "$__range" or said[each] in named_in for each in asked), panel["title"]


@each_board
def test_a_graph_of_billing_days_has_steps_of_a_day(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        for target in panel["targets"]:
            drawn = not target["instant"] and HISTORY.search(target["expr"])
            if drawn and "spend_hourly_usd" not in target["expr"]:
                assert target.get("interval", panel.get("interval")) == "1d", panel["title"]


@each_board
def test_every_metric_exists_and_every_label_exists_on_it(uid: str) -> None:
    known = labels_by_metric()
    queries = list(expressions(BOARDS[uid]))
    assert queries
    for place, expr in queries:
        found = named(expr)
        assert found.metrics, (place, expr)
        present: set[str] = set()
        for metric, selected in found.metrics:
            assert metric in known, f"{place}: {metric}"
            assert selected <= known[metric], f"{place}: {metric} has no {selected - known[metric]}"
            present |= known[metric]
        assert found.groups <= present, f"{place}: none of its metrics has {found.groups - present}"


@each_board
def test_every_legend_uses_labels_that_its_query_returns(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        for target in panel["targets"]:
            legend = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            found = named(target["expr"])
            by_metric = labels_by_metric()
            left = found.groups.union(*(by_metric[metric] for metric, _ in found.metrics))
            assert legend <= (found.groups if " by (" in target["expr"] else left), panel["title"]


@each_board
def test_every_link_leads_to_a_board_with_the_variables_that_it_sets(uid: str) -> None:
    found = list(links_of(BOARDS[uid]))
    assert found
    for title, url in found:
        address = urlsplit(url)
        path = address.path.removeprefix("/d/")
        by_provider = path.startswith("$")
        targets = {links.OVERVIEW, *links.BOARDS_OF_PROVIDERS.values()} if by_provider else {path}
        assert targets <= set(BOARDS), f"{title}: {url}"
        assert "${__url_time_range}" in address.query
        carried = set(re.findall(r"\$\{(\w+):queryparam\}", address.query))
        assert "datasource" in carried
        assert carried <= variables_of(uid), f"{title}: not a variable of this board"
        set_by_click = {
            name.removeprefix("var-") for name, _ in parse_qsl(address.query) if name.startswith("var-")
        }
        each_has = [variables_of(target) & set_by_click for target in targets]
        assert all(each_has) or not set_by_click, f"{title}: a board takes nothing from the click"
        assert set.union(*each_has) == set_by_click, f"{title}: not a variable of {targets}"
        assert all(carried <= variables_of(target) for target in targets), f"{title}: {targets}"


@each_board
def test_every_board_has_links_in_its_panels(uid: str) -> None:
    leads_to = {urlsplit(url).path for _, url in links_of(BOARDS[uid])}
    assert leads_to


def test_the_overview_links_to_the_detail_boards() -> None:
    leads_to = {urlsplit(url).path.removeprefix("/d/") for _, url in links_of(BOARDS[links.OVERVIEW])}
    if any(path.startswith("$") for path in leads_to):
        leads_to |= set(links.BOARDS_OF_PROVIDERS.values())
    assert {links.GOOGLE_CLOUD, links.LANGUAGE_MODELS, links.BUDGETS, links.EXPORTER} <= leads_to


@each_board
def test_panels_have_unique_ids_and_fit_the_grid_without_overlap(uid: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in BOARDS[uid]["panels"]]
    assert len(ids) == len(set(ids))
    for panel in BOARDS[uid]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@each_board
def test_every_panel_is_wide_enough_for_its_title_at_1280_pixels(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        # The longest value that the demo has stands for the variable's own name.
        title = panel["title"].replace("$label", "environment")
        assert title_pixels(title) <= room_for_title(panel["gridPos"]["w"]), title


@each_board
def test_variables_list_the_values_of_a_label(uid: str) -> None:
    variables = BOARDS[uid]["templating"]["list"]
    assert variables
    for variable in variables:
        if variable["type"] == "query":
            assert re.fullmatch(r"label_values\([a-z_]+(?:\{.*\})?, [a-z_]+\)", variable["query"]["query"])
            assert variable["multi"] == variable["includeAll"]
            assert not variable["multi"] or variable["allValue"] == ".*"


@each_board
def test_no_name_is_red_and_a_name_has_the_same_colour_on_every_panel(uid: str) -> None:
    given: dict[str, str] = {}
    for panel in panels(BOARDS[uid]):
        for override in panel["fieldConfig"]["overrides"]:
            for each in override["properties"]:
                if each["id"] == "color":
                    name, colour = override["matcher"]["options"], each["value"]["fixedColor"]
                    assert colour in (*PALETTE, "blue", "orange", "#8E8E8E"), name
                    assert given.setdefault(name, colour) == colour


def test_the_most_expensive_services_have_different_colours_and_grafana_colours_unknown_names() -> None:
    services = colours_of("{{service_name}}")
    first = list(services)[: len(PALETTE)]
    assert len({services[name] for name in first}) == len(first) == len(PALETTE)
    assert colours_of("{{project_id}}") == {}
    assert colours_of("Plan") == {"Plan": "#8E8E8E"}


@pytest.mark.parametrize(
    ("expr", "metrics", "groups"),
    [
        ('sum by (a) (m{b=~"x|y"})', [("m", {"b"})], {"a"}),
        ('m{q="}"} * on (a, b) group_left (c) n', [("m", {"q"}), ("n", set())], {"a", "b", "c"}),
        ("1e6 * rate(m[5m] offset -1d) > 0", [("m", set())], set()),
        ("topk(3, l:m:sum) or vector(0)", [("l:m:sum", set())], set()),
    ],
)
def test_an_expression_is_parsed_into_metrics_and_groups(
    expr: str, metrics: list[tuple[str, set[str]]], groups: set[str]
) -> None:
    found = named(expr)
    assert (found.metrics, found.groups) == (metrics, groups)
