"""What fuzzing has found, each by itself: one damaged answer or row, and what is around it still counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.config.problems import ConfigError
from exporter.ledger.usage.store import UsageLedger
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.sources.files.source import FilesSource
from exporter.sources.google.monitoring.plan import Reach, Timing, timing_of
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from exporter.web.web_config import load_web_config
from tests.fakes.bigquery_export import DAILY_TABLE
from tests.fakes.bigquery_rest import Request
from tests.fakes.litellm_proxy import ADMIN_KEY, LiteLLMProxy
from tests.fuzz.reading import reading
from tests.fuzz.test_configurations import HASH
from tests.fuzz.test_google_apis import TABLE, LyingBigQuery, LyingMonitoring, big_query_source, export
from tests.fuzz.test_llm_apis import KEYS, PAGE, good_tokens, proxy_source, rows
from tests.support import live_world
from tests.support.export_rows import export_row, write_json_lines

HUGE = "9" * 400
"""A whole number that no float can hold."""


def test_a_hash_without_the_name_of_a_user_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {HASH}\n")
    with pytest.raises(ConfigError, match=r"basic_auth_users .*expected") as raised:
        load_web_config(path)
    assert HASH[7:30] not in str(raised.value)


@pytest.mark.slow
def test_a_row_of_a_hundred_billion_dollars_does_not_end_the_estimates(tmp_path: Path) -> None:
    rows = [export_row(cost=1.0), export_row(cost=999_999_999_999.0, sku={"id": "odd", "description": "odd"})]
    path = write_json_lines(tmp_path / "a.jsonl", rows)
    with reading(FilesSource([str(path)])) as program:
        # It looks for figures that failed.
        program.refresh()
        assert program.usd() == {"CF4E-A0C7-E3BF": Decimal(1), "odd": Decimal(999_999_999_999)}


@pytest.mark.slow
def test_a_counter_of_a_proxy_with_four_hundred_digits_is_set_aside() -> None:
    with (
        LiteLLMProxy(database=False, metrics=PAGE) as proxy,
        reading(proxy_source(proxy.url), ADMIN_KEY) as program,
    ):
        program.refresh()
        proxy.metrics = PAGE.replace(" 100\n", f" {HUGE}\n").replace("2.5", "3.5")
        status = program.refresh()
        assert [(each.reason, each.count) for each in status.rejected] == [("bad_amount", 1)]
        with UsageLedger(program.ledger).view() as view:
            found = view.totals(live_world.NOW - timedelta(days=99))
            assert {each.total for each in found if each.meter == "llm_proxy_usd"} == {1.0}


@pytest.mark.slow
@pytest.mark.parametrize("spend", [2e15, 1e300])
def test_a_key_of_a_proxy_that_spent_more_than_there_is_in_the_world_is_set_aside(spend: float) -> None:
    odd = rows()
    odd[1].spend = spend
    with LiteLLMProxy(rows=odd, keys=KEYS) as proxy, reading(proxy_source(proxy.url), ADMIN_KEY) as program:
        status = program.refresh()
        assert good_tokens(program) == 110
        assert {each.reason for each in status.rejected} == {"bad_amount"}


def shorter_rows(_request: Request, body: dict[str, Any]) -> dict[str, Any]:
    for row in body.get("rows", []):
        del row["f"][-1]
    return body


def other_values(_request: Request, body: dict[str, Any]) -> dict[str, Any]:
    for row in body.get("rows", []):
        for cell in row["f"]:
            cell["v"] = {"v": "INFINITY"}
    return body


def odd_job(_request: Request, body: dict[str, Any]) -> dict[str, Any]:
    return body | {"configuration": "none"} if "configuration" in body else body


def other_schema(_request: Request, body: dict[str, Any]) -> dict[str, Any]:
    return body | {"schema": {"fields": [{"name": "x", "type": "STRING"}]}} if "rows" in body else body


@pytest.mark.slow
@pytest.mark.parametrize("change", [shorter_rows, other_values, odd_job, other_schema])
def test_an_answer_that_bigquery_does_not_give_is_named_as_such(
    change: Callable[[Request, dict[str, Any]], dict[str, Any]],
) -> None:
    with LyingBigQuery(
        export(), tables={TABLE: dict(DAILY_TABLE)}, locations={"pay.billing": "EU"}
    ) as server:
        server.change = change
        with reading(big_query_source(server)) as program:
            status = program.refresh()
            assert status.failed_with == "bad_response"
            assert "BigQuery's API documents" in status.last_error


@pytest.mark.slow
def test_points_that_are_no_amounts_are_set_aside_and_counted() -> None:
    clock = live_world.Clock()
    service = LyingMonitoring(SimulatedUsage(live_world.world()), clock)
    added = 0

    def otherwise(page: Any) -> None:
        nonlocal added
        for series in page.time_series if hasattr(page, "time_series") else ():
            for value in (float("nan"), float("inf"), -1.0, "twelve"):
                point = series.points.add()
                point.CopyFrom(series.points[0])
                if isinstance(value, str):
                    point.value.string_value = value
                else:
                    point.value.double_value = value
                added += 1
            later = series.points.add()
            later.CopyFrom(series.points[0])
            later.interval.end_time.seconds = 2**62

    def requests(change: Callable[[Any], None]) -> tuple[dict[tuple[str, str], float], int]:
        service.change = change
        with live_world.serving(service) as endpoint:
            source = CloudMonitoringSource(
                project_ids=["northwind-prod"],
                meters=live_world.REQUESTS,
                reach=Reach(backfill=timedelta(hours=2)),
                endpoint=endpoint,
                plaintext=True,
            )
            with reading(source, now=live_world.NOW) as program:
                status = program.refresh()
                assert status.up
                with UsageLedger(program.ledger).view() as view:
                    totals = view.totals(live_world.NOW - timedelta(days=9))
                found = {(each.resource, each.dimension): each.total for each in totals}
                return found, sum(each.count for each in status.rejected if each.reason == "bad_usage")

    expected, refused = requests(lambda _page: None)
    assert expected
    assert refused == 0
    assert requests(otherwise) == (expected, added)


@pytest.mark.parametrize("seconds", [-(2**63), -1, 2**63 - 1])
def test_a_sampling_that_cannot_be_is_taken_for_the_usual_one(seconds: int) -> None:
    assert timing_of(seconds, seconds) == Timing()
    assert timing_of(3600, 0) == Timing(3600.0, 0.0)
