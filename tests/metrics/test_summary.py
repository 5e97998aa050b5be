"""The summary: exact sums, unknown is null, what is served is what its schema says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.bill.coverage import BillCoverage
from exporter.analysis.bill.windows import billing_windows
from exporter.analysis.unit_cost.unit_cost import CloudRunHour
from exporter.core.cost_cells import NANO
from exporter.metrics.snapshot import Snapshot
from exporter.metrics.summary import summary
from exporter.metrics.summary_schema import schema_json, summary_schema
from exporter.sources.status import SourceStatus
from exporter.web.server import Server
from tests.support import places
from tests.support.outlooks import DAY_BEGINS, HOURS, daily_limit, outlook, steady
from tests.support.outlooks import TIMEZONE as PACIFIC
from tests.support.served import request, snapshot

DOCS = places.DOCS
NOW = DAY_BEGINS + timedelta(hours=10, minutes=30)
TOTALS = (
    ("Today, billed so far", Decimal("41.5")),
    ("Yesterday", Decimal("240.123456789012345678")),
    ("Month to date", Decimal("5300.25")),
    ("Last month", None),
)
SOURCES = (
    SourceStatus("files", True, NOW - timedelta(minutes=4), "", 12, ()),
    SourceStatus("cloud_monitoring", None, None, "", 0, ()),
)
BEGINS = datetime(2026, 11, 21, 8, tzinfo=UTC)
LATE = {"partial": True, "covered_from": "2026-11-21T08:00:00.000Z"}
WHOLE = {"partial": False, "covered_from": None}
UNKNOWN = {"partial": None, "covered_from": None}
FIGURES = ("billed_usd", "estimated_usd", "total_usd", "whole_day_usd", "burn_rate_usd_per_hour")


def full_snapshot() -> Snapshot:
    outlooks = (
        outlook({"Cloud Run": steady(2.0), "BigQuery": steady(0.1, billed_hours=0)}),
        outlook({"API": steady(1.5)}, provider="other", month_usd=(90.0, 100.0, 120.0)),
    )
    return replace(
        snapshot(sources=SOURCES, totals=TOTALS),
        outlooks=outlooks,
        cloud_run=CloudRunHour(0.5, 1000.0),
        budgets=(daily_limit("42", outlooks[0]),),
        coverage=BillCoverage(
            {("gcp", "A"): BEGINS}, {"gcp": billing_windows(NOW, PACIFIC)}, {"gcp": PACIFIC}
        ),
    )


def exact(number: float) -> Decimal:
    """The decimal that a reader of the JSON sees."""
    return Decimal(repr(number))


def violations(value: Any, schema: Mapping[str, Any], path: str = "$") -> Iterator[str]:
    """Where a value breaks its schema, for the keywords in use, or has a member that is not described."""
    if "$ref" in schema:
        named_schema = summary_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        yield from violations(value, named_schema, path)
        return
    if "anyOf" in schema:
        found = [list(violations(value, each, path)) for each in schema["anyOf"]]
        yield from min(found, key=len)
        return
    kinds = {
        "object": Mapping,
        "array": list,
        "string": str,
        "boolean": bool,
        "null": type(None),
        "number": float | int,
    }
    named: str | Sequence[str] = schema.get("type", ())
    types = [named] if isinstance(named, str) else named
    fits = [
        kind for kind in types if isinstance(value, kinds[kind]) and (kind != "number" or value is not True)
    ]
    if types and not fits:
        yield f"{path}: {value!r} is no {types}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r}"
    if "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
        yield f"{path}: {value!r}"
    if schema.get("format") == "date-time" and value is not None:
        assert datetime.fromisoformat(value).tzinfo is not None
    if isinstance(value, Mapping):
        for name in set(schema["required"]) ^ set(value):
            yield f"{path}: {name} is missing, or not described"
        for name in set(schema["properties"]) & set(value):
            yield from violations(value[name], schema["properties"][name], f"{path}.{name}")
    if isinstance(value, list):
        for each in value:
            yield from violations(each, schema["items"], f"{path}[]")


def test_every_figure_of_a_day_half_billed() -> None:
    shown = summary(full_snapshot(), NOW)
    assert shown["time"] == "2026-11-23T18:30:00.000Z"
    assert shown["as_of"] == "2026-11-23T08:00:00.000Z"
    assert shown["by_service"][:2] == [
        {
            "provider": "gcp",
            "service_name": "BigQuery",
            "billed_usd": 0.0,
            "estimated_usd": 1.05,
            "total_usd": 1.05,
            "whole_day_usd": 2.4,
            "burn_rate_usd_per_hour": 0.1,
        },
        {
            "provider": "gcp",
            "service_name": "Cloud Run",
            "billed_usd": 8.0,
            "estimated_usd": 13.0,
            "total_usd": 21.0,
            "whole_day_usd": 48.0,
            "burn_rate_usd_per_hour": 2.0,
        },
    ]
    assert [each["total_usd"] for each in shown["by_provider"]] == [22.05, 15.75]
    assert shown["today"] == {
        "billed_usd": 14.0,
        "estimated_usd": 23.8,
        "total_usd": 37.8,
        "whole_day_usd": 86.4,
        **WHOLE,
    }
    assert shown["burn_rate_usd_per_hour"] == 3.6
    assert shown["month"] == {
        "to_date_billed_usd": 5300.25,
        "forecast_end_usd": {"0.1": 990.0, "0.5": 1100.5, "0.9": 1320.25},
        **LATE,
    }
    assert shown["yesterday"] == {"billed_usd": 240.123456789, **WHOLE}
    assert shown["last_month"] == {"billed_usd": None, **LATE}
    assert shown["bills"] == [
        {"provider": "gcp", "billing_account_id": "A", "billed_since": "2026-11-21T08:00:00.000Z"}
    ]
    assert shown["cloud_run"]["cost_per_request_usd"] == 0.0005
    assert shown["cloud_run"]["requests_per_hour"] == 1000.0
    assert shown["sources"] == [
        {
            "name": "files",
            "up": True,
            "read_whole": True,
            "last_success": "2026-11-23T18:26:00.000Z",
            "last_error": None,
            "update_interval_seconds": None,
        },
        {
            "name": "cloud_monitoring",
            "up": None,
            "read_whole": False,
            "last_success": None,
            "last_error": None,
            "update_interval_seconds": None,
        },
    ]


def test_each_budget_is_reported_with_what_is_used_and_forecast() -> None:
    [budget] = summary(full_snapshot(), NOW)["budgets"]
    assert budget.pop("forecast_usd") == pytest.approx(22.05 + 13.5 * 2.1)
    assert budget == {
        "budget": "gcp daily limit",
        "period": "day",
        "limit_usd": 42.0,
        "used_usd": 22.05,
        "used_ratio": 22.05 / 42.0,
        **WHOLE,
    }
    assert summary(replace(full_snapshot(), budgets=()), NOW)["budgets"] == []


def test_a_budget_whose_period_began_before_the_bill_says_from_when_on_it_is_known() -> None:
    outlook_of_it = replace(full_snapshot().budgets[0], covered_from=BEGINS)
    [budget] = summary(replace(full_snapshot(), budgets=(outlook_of_it,)), NOW)["budgets"]
    assert {name: budget[name] for name in LATE} == LATE
    assert budget["used_usd"] == 22.05
    without = replace(outlook_of_it, known=False)
    [budget] = summary(replace(full_snapshot(), budgets=(without,)), NOW)["budgets"]
    assert {name: budget[name] for name in LATE} == UNKNOWN


_HOUR_NANO = st.integers(-(10**11), 10**12)
_SERVICE = st.tuples(st.integers(0, 12), st.lists(_HOUR_NANO, min_size=1, max_size=24))


@pytest.mark.slow
@given(
    st.dictionaries(st.text(min_size=1, max_size=5), _SERVICE, min_size=1, max_size=8),
    st.dictionaries(st.text(min_size=1, max_size=5), _SERVICE, min_size=1, max_size=3),
    st.integers(0, 47 * 3600),
)
def test_every_total_is_the_exact_sum_of_its_parts(
    one: dict[str, tuple[int, list[int]]], other: dict[str, tuple[int, list[int]]], seconds: int
) -> None:
    outlooks = (outlook(one), outlook(other, provider="other"))
    shown = summary(replace(snapshot(), outlooks=outlooks), DAY_BEGINS + timedelta(seconds=seconds))
    top = {**shown["today"], "burn_rate_usd_per_hour": shown["burn_rate_usd_per_hour"]}
    for figure in FIGURES:
        for parts in (shown["by_service"], shown["by_provider"]):
            assert exact(top[figure]) == sum(exact(part[figure]) for part in parts)
    for each in (*shown["by_service"], *shown["by_provider"], top):
        assert exact(each["billed_usd"]) + exact(each["estimated_usd"]) == exact(each["total_usd"])


def test_without_an_estimate_today_is_what_the_bill_says_and_the_rest_is_unknown() -> None:
    shown = summary(replace(snapshot(totals=TOTALS), budgets=(daily_limit("10"),)), NOW)
    assert shown["today"] == {
        "billed_usd": 41.5,
        "estimated_usd": None,
        "total_usd": None,
        "whole_day_usd": None,
        **UNKNOWN,
    }
    assert shown["bills"] == []
    assert shown["burn_rate_usd_per_hour"] is None
    assert shown["month"]["forecast_end_usd"] is None
    assert set(shown["cloud_run"].values()) == {None}
    assert shown["by_part"] == shown["insights"] == []
    assert shown["by_service"] == shown["by_provider"] == []
    assert shown["budgets"][0]["used_usd"] is shown["budgets"][0]["used_ratio"] is None


def test_a_month_that_one_provider_cannot_forecast_is_unknown() -> None:
    outlooks = (
        outlook({"Cloud Run": steady(2.0)}),
        outlook({"API": steady(1.0)}, provider="other", month_usd=None),
    )
    assert summary(replace(snapshot(), outlooks=outlooks), NOW)["month"]["forecast_end_usd"] is None


def test_services_without_requests_have_a_count_and_no_cost_per_request() -> None:
    idle = replace(snapshot(), cloud_run=CloudRunHour(0.25, 0.0))
    shown = summary(idle, NOW)["cloud_run"]
    assert (shown["cost_per_request_usd"], shown["requests_per_hour"]) == (None, 0.0)
    assert (shown["usd_per_hour"], shown["cold_start_ratio"]) == (0.25, None)
    unpriced = replace(snapshot(), cloud_run=CloudRunHour(None, 7.0))
    shown = summary(unpriced, NOW)["cloud_run"]
    assert (shown["cost_per_request_usd"], shown["requests_per_hour"]) == (None, 7.0)
    assert (shown["usd_per_hour"], shown["cost_per_cpu_second_usd"]) == (None, None)


def test_cloud_run_has_its_unit_costs_over_the_hour() -> None:
    hour = replace(snapshot(), cloud_run=CloudRunHour(0.5, 1000.0, cpu_seconds=250.0, cold_starts=20.0))
    assert summary(hour, NOW)["cloud_run"] == {
        "cost_per_request_usd": 0.0005,
        "requests_per_hour": 1000.0,
        "usd_per_hour": 0.5,
        "cost_per_cpu_second_usd": 0.002,
        "cpu_seconds_per_request": 0.25,
        "cold_start_ratio": 0.02,
    }


@given(st.floats(0, 1), st.floats(0.001, 1e4), st.floats(0.001, 1e4))
def test_the_parts_add_up_to_the_day_whatever_the_shares(share: float, vertex: float, other: float) -> None:
    made = replace(
        snapshot(),
        outlooks=(
            outlook({"Vertex AI": steady(vertex), "Cloud Run": steady(2.0)}),
            outlook({"OpenAI API": steady(1.5)}, provider="openai"),
            outlook({"AmazonS3": steady(other)}, provider="aws"),
        ),
        llm_shares={("gcp", "Vertex AI"): share},
    )
    shown = summary(made, NOW)
    parts = {each["part"]: each for each in shown["by_part"]}
    assert list(parts) == ["llm", "google", "other"]
    for figure in ("billed_usd", "estimated_usd", "total_usd", "whole_day_usd"):
        total = sum(round(exact(each[figure]) * NANO) for each in parts.values())
        assert total == round(exact(shown["today"][figure]) * NANO)
    openai = next(each for each in shown["by_provider"] if each["provider"] == "openai")
    assert parts["llm"]["total_usd"] >= openai["total_usd"]
    assert parts["other"]["total_usd"] == pytest.approx(10.5 * other)


@pytest.mark.parametrize(
    ("moment", "stands_at"),
    [
        (DAY_BEGINS + timedelta(hours=HOURS), DAY_BEGINS + timedelta(hours=HOURS, milliseconds=-1)),
        (DAY_BEGINS + timedelta(days=30), DAY_BEGINS + timedelta(hours=HOURS, milliseconds=-1)),
        (DAY_BEGINS - timedelta(days=1), DAY_BEGINS),
    ],
)
def test_where_estimates_do_not_reach_they_stand_still(moment: datetime, stands_at: datetime) -> None:
    beyond, last = summary(full_snapshot(), moment), summary(full_snapshot(), stands_at)
    for figure in ("billed_usd", "estimated_usd", "total_usd", "whole_day_usd"):
        assert beyond["today"][figure] == pytest.approx(last["today"][figure], abs=1e-5)
    assert beyond["burn_rate_usd_per_hour"] == last["burn_rate_usd_per_hour"]
    assert beyond["time"] == moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


@pytest.mark.slow
def test_the_checker_of_these_tests_sees_what_breaks_a_schema() -> None:
    schema = summary_schema()
    right = summary(full_snapshot(), NOW)
    assert not list(violations(right, schema))
    for wrong in (
        {**right, "currency": "EUR"},
        {**right, "burn_rate_usd_per_hour": "3.6"},
        {**right, "more": 1},
        {name: value for name, value in right.items() if name != "today"},
        {**right, "sources": [{**right["sources"][0], "up": 1}]},
        {**right, "budgets": [{**right["budgets"][0], "period": "hour"}]},
    ):
        assert len(list(violations(wrong, schema))) == 1


@pytest.mark.parametrize(
    "shown",
    [full_snapshot(), replace(snapshot(ready=False), budgets=(daily_limit("5"),))],
    ids=["full", "before there is data"],
)
def test_what_is_served_is_what_the_schema_says(shown: Snapshot) -> None:
    with Server(("127.0.0.1", 0), lambda: shown, now=lambda: NOW) as server:
        answer = request(server, "/api/v1/summary")
        schema = request(server, "/api/v1/summary/schema")
        head = request(server, "/api/v1/summary", method="HEAD")
        refused = request(server, "/api/v1/summary", method="POST")
    assert answer.status == schema.status == head.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert schema.headers["Content-Type"].startswith("application/schema+json")
    assert head.body == b""
    assert refused.status == 405
    assert json.loads(answer.body) == summary(shown, NOW)
    assert not list(violations(json.loads(answer.body), json.loads(schema.body)))


def test_the_documented_example_is_what_the_schema_says() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    section = page.partition("\n## The summary\n")[2]
    example = json.loads(section.partition("```json\n")[2].partition("```")[0])
    assert not list(violations(example, summary_schema()))
    assert example["by_service"]


def test_the_published_schema_is_current() -> None:
    published = DOCS / "summary.schema.json"
    assert published.read_text(encoding="utf-8") == schema_json(), (
        "run: curl -s 127.0.0.1:9877/api/v1/summary/schema > docs/summary.schema.json"
    )
