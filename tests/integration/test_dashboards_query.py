"""Runs every board's queries on a real Prometheus that scrapes the demo and has its history."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from grafana.source.jobs import HISTORY
from tests.grafana.asking import AskingError, Prometheus, Span, ask, chosen, events, variables
from tests.grafana.board_files import boards, panels
from tests.integration.test_prometheus_scrapes import prometheus
from tests.prometheus.rule_files import RULE_FILES
from tests.support.exposed import ESTIMATION_SECONDS, until
from tests.support.places import REPOSITORY
from tests.support.running import running

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

BOARDS = boards()

NO_BUDGETS = "the demo has no budgets"
NO_REMOTE_WRITE = "this demo sends nothing"
NO_CONFIGURATION = "the demo has no configuration file"
NO_PROXY = "the demo has no LiteLLM proxy"
NO_PARTS = "the history here has the bill's hours and days alone; test_board_ranges has their parts too"
A_QUIET_MOMENT = "whether tokens were counted within the few minutes of this demo depends on the hour"
EMPTY = {
    ("spend-overview", "Budget forecast"): NO_BUDGETS,
    ("spend-overview", "Firing alerts"): "whether one fires depends on the hour",
    ("spend-gcp", "Idle VMs"): "idle instances are known after days of live usage",
    ("spend-gcp", "Label $label by day"): NO_PARTS,
    ("spend-gcp", "Categories by day"): NO_PARTS,
    ("spend-llm", "Cost by day"): NO_PARTS,
    ("spend-llm", "Today, USD"): "within some hours after midnight UTC nothing of the day is billed yet",
    ("spend-llm", "Token cost"): A_QUIET_MOMENT,
    ("spend-llm", "Cache share by model"): A_QUIET_MOMENT,
    ("spend-llm", "Unpriced"): "every model of the demo has a price",
    ("spend-llm", "Proxy cost by key"): NO_PROXY,
    ("spend-llm", "Proxy coverage"): NO_PROXY,
    ("spend-budgets", "Forecast of limit"): NO_BUDGETS,
    ("spend-budgets", "Budget status"): NO_BUDGETS,
    ("spend-budgets", "Used and planned"): NO_BUDGETS,
    ("spend-budgets", "Period-end forecast"): NO_BUDGETS,
    ("spend-budgets", "Billed and estimated"): NO_BUDGETS,
    ("spend-budgets", "Budget exhausted"): NO_BUDGETS,
    ("spend-budgets", "variable budget"): NO_BUDGETS,
    ("spend-budgets", "variable period"): NO_BUDGETS,
    ("spend-exporter", "Errors by source"): "the demo has no errors",
    ("spend-exporter", "Remote write"): NO_REMOTE_WRITE,
    ("spend-exporter", "Own cost"): "it is known after an hour of reads",
    ("spend-exporter", "BigQuery"): "the demo reads files",
    ("spend-exporter", "Reports"): "the demo sends no reports",
    ("spend-exporter", "Configuration"): NO_CONFIGURATION,
}
"""What may be empty on the demo, and why."""


PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs" / "runbooks").glob("*.md"))]

AN_HOUR = "it compares with an hour ago or more, and the exporter is younger"
EMPTY_QUERIES = {
    'budget:spend_budget_burn:ratio1d{budget=~".+"}': AN_HOUR,
    'budget:spend_budget_burn:ratio1h{budget=~".+"}': AN_HOUR,
    'budget:spend_budget_steady_burn:ratio3d{budget=~".+"}': AN_HOUR,
    'budget:spend_budget_steady_burn:ratio6h{budget=~".+"}': AN_HOUR,
    'provider_model:spend_llm_estimated_usd_per_hour:max6d{model=~".+"}': AN_HOUR,
    "topk(5, key:spend_llm_proxy_usd_per_hour:rate1h)": NO_PROXY,
    'sum by (model) (rate(spend_llm_proxy_usd_total{key_alias=~".+"}[1h])) * 3600': NO_PROXY,
    "absent(spend_exporter_build_info)": "it is there",
    "spend_figure_success == 0": "every figure of the demo can be computed",
    "increase(spend_source_errors_total[1h]) > 0": "the demo has no errors",
    "increase(spend_bigquery_billed_bytes_total[1d])": "the demo reads files",
    "spend_exporter_cost_usd_per_month": "it is known after an hour of reads",
    "sum by (provider, model) (increase(spend_llm_unpriced_tokens_total[6h])) > 0": (
        "every model of the demo has a price"
    ),
    "spend_remote_write_refused_samples": NO_REMOTE_WRITE,
    "time() - spend_remote_write_sent_through_timestamp_seconds": NO_REMOTE_WRITE,
    "spend_remote_write_difference_usd": NO_REMOTE_WRITE,
    "increase(spend_remote_write_failures_total[1d]) > 0": NO_REMOTE_WRITE,
    "spend_disk_full == 1": "there is room on the disk",
    'increase(spend_source_errors_total{reason="disk_full"}[1h]) > 0': "there is room on the disk",
    "spend_ledger_damaged_timestamp_seconds": "the ledger is whole",
    "spend_report_success == 0": "the demo sends no reports",
    "spend_withheld_retraction_usd > 0": "nothing is withheld",
    "spend_source_unreadable_files > 0": "every file of the demo can be read",
    "spend_config_last_reload_successful == 0": NO_CONFIGURATION,
    "spend_source_up == 0": "every source of the demo can be read",
    "spend_idle_instances > 0": "idle instances are known after days of live usage",
    'spend_budget_exhausted_timestamp_seconds{budget=~".+"} - time()': "no budget need be at risk",
}
"""What may have no rows on a demo of a few minutes, and why."""


def page_queries(page: Path) -> list[str]:
    """The queries of the README and of a runbook; where the reader writes a NAME, any name will do."""
    text = page.read_text(encoding="utf-8")
    if page.name == "README.md":
        blocks = re.findall(r"^```promql\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    else:
        lines = re.findall(r"^    (\S.*)$", text.partition("## How to look")[2], flags=re.MULTILINE)
    return [line.replace('="NAME"', '=~".+"') for line in lines]


@dataclass(frozen=True)
class Asked:
    prometheus: Prometheus
    span: Span

    def span_of(self, panel: Mapping[str, Any]) -> Span:
        """The range to ask for: thirty days of history, and of scrapes the minutes of the demo.

        The latter up to the next whole step; the last whole step may be before the start of the demo.
        """
        if any(HISTORY.search(target["expr"]) for target in panel["targets"]):
            return Span(self.span.end - 30 * 86400, self.span.end, 1000)
        if all(target["instant"] for target in panel["targets"]):
            return self.span
        step = self.span.step(panel.get("interval"))
        return replace(self.span, end=math.ceil(self.span.end / step) * step)


def load_history(export: Path, folder: Path) -> None:
    """Write blocks with the cost of each hour and UTC day of the simulated bill, as history stamps them."""
    for unit, name, stamp in (("hour", "spend_hourly_usd", 3599), ("day", "spend_daily_usd", 43200)):
        _load_costs(export, folder, unit, name, stamp)


def _load_costs(export: Path, folder: Path, unit: str, name: str, seconds: int) -> None:
    rows = (
        duckdb.connect()
        .execute(
            "select coalesce(project.id, ''), service.description,"
            f" {seconds} + epoch(hour)::bigint, usd from ("
            f" select project, service, date_trunc('{unit}', usage_start_time) as hour,"
            " sum(cost / currency_conversion_rate) as usd"
            f" from read_parquet('{export}/*.parquet') where cost_type = 'regular' group by all)"
            f" where hour < date_trunc('{unit}', now()) - interval 3 hours order by all"
        )
        .fetchall()
    )
    lines = [
        f'{name}{{provider="gcp",project_id="{project}",service_name="{service}",'
        f'charge_category="usage"}} {usd} {stamp}\n'
        for project, service, stamp, usd in rows
    ]
    (folder / "history.om").write_text(f"# TYPE {name} gauge\n{''.join(lines)}# EOF\n", encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h"]
    subprocess.run([*command, "history.om", "tsdb"], cwd=folder, check=True, capture_output=True)


def young_company(world: Path) -> None:
    """Give the demo a company with a bill of two weeks, which is quickly read and graded."""
    now = datetime.now(UTC)
    written_until = (now - timedelta(days=14)).isoformat()
    (world / "export").mkdir(parents=True)
    (world / "export" / "older").touch()
    known = {"seed": 7, "began": now.isoformat(), "written_until": written_until}
    (world / "world.json").write_text(json.dumps(known), encoding="utf-8")


def scraping(target: str, folder: Path) -> str:
    """Configuration of the scrapes and of the rules that boards and runbooks use, all every second."""
    for path in RULE_FILES:
        often = path.read_text(encoding="utf-8").replace("interval: 1m", "interval: 1s")
        (folder / f"rules-{path.name}").write_text(often, encoding="utf-8")
    return (
        "  - job_name: spend-exporter\n    scrape_interval: 1s\n"
        f"    static_configs: [{{targets: ['{target}']}}]\n"
        "rule_files: [rules-*.yml]\n"
    )


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("boards")
    world = folder / "world"
    young_company(world)
    with running(folder, "demo", "--listen", "127.0.0.1:0", "--directory", str(world)) as demo:
        target = demo.address().removeprefix("http://")
        load_history(world / "export", folder)
        with prometheus(folder, scraping(target, folder)) as url:
            asking = Prometheus(url)
            started = time.time()

            def is_there(query: str) -> bool:
                try:
                    return bool(asking.at(query, time.time()))
                except (OSError, AskingError):  # not up yet, or not ready
                    return False

            for query in (
                "spend_nowcast_absolute_error_ratio",
                "spend_forecast_month_end_usd",
                "sum(increase(spend_cloud_run_requests_total[1h])) > 0",
                "spend_llm_tokens_total",
                "provider_project:spend_month_to_date_usd:sum",
            ):
                until(partial(is_there, query), query, ESTIMATION_SECONDS, 0.2)
            now = time.time()
            yield Asked(asking, Span(min(started, now - 300), now, 100))


@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_every_variable_and_every_panel_has_data_or_a_reason_for_none(asked: Asked, uid: str) -> None:
    board = BOARDS[uid]
    offered = variables(board, asked.prometheus, asked.span)
    values = chosen(board, offered)
    empty = {f"variable {name}" for name, found in offered.items() if not found}
    empty |= {
        panel["title"]
        for panel in panels(board)
        if not ask(panel, values, asked.prometheus, asked.span_of(panel))
    }
    assert empty <= {title for board_uid, title in EMPTY if board_uid == uid}


@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_annotation_queries_run_and_a_start_is_not_a_deploy(asked: Asked, uid: str) -> None:
    assert events(BOARDS[uid], asked.prometheus, asked.span) == []


def test_a_day_of_history_is_the_sum_of_its_hours(asked: Asked) -> None:
    midnight = asked.span.end // 86400 * 86400 - 2 * 86400
    [day] = asked.prometheus.at("sum(sum_over_time(spend_hourly_usd[1d] offset -1d))", midnight)
    hours = [
        asked.prometheus.at("sum(sum_over_time(spend_hourly_usd[10m]))", midnight + 3600 * hour)
        for hour in range(1, 25)
    ]
    assert float(day["value"][1]) == pytest.approx(sum(float(hour[0]["value"][1]) for hour in hours))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_query_of_a_page_answers_or_has_a_reason_not_to(asked: Asked, page: Path) -> None:
    found = page_queries(page)
    assert found
    answers = {query: asked.prometheus.at(query, asked.span.end) for query in found}
    assert {query for query, rows in answers.items() if not rows} <= EMPTY_QUERIES.keys()


def test_every_query_that_may_be_empty_is_on_a_page() -> None:
    assert {query for page in PAGES for query in page_queries(page)} >= EMPTY_QUERIES.keys()


def test_everything_that_may_be_empty_is_an_existing_panel_or_variable() -> None:
    known = {(uid, panel["title"]) for uid, board in BOARDS.items() for panel in panels(board)}
    known |= {
        (uid, f"variable {each['name']}")
        for uid, board in BOARDS.items()
        for each in board["templating"]["list"]
    }
    assert set(EMPTY) <= known
