"""The demo world's OpenAI and Anthropic admin APIs, asked over a real socket."""

from __future__ import annotations

import http.client
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.llm.admin_apis import (
    ANTHROPIC_ADMIN_KEY,
    OPENAI_ADMIN_KEY,
    Answer,
    LlmAdminApis,
    LlmTemper,
    serving_llm,
)
from exporter.simulator.llm.company import Provider
from exporter.simulator.llm.openai import ENDPOINTS
from exporter.simulator.llm.prices import billed_usd
from exporter.simulator.llm.usage import LlmUsage
from tests.support import places

DATA = places.DATA
NOW = datetime(2026, 11, 20, 16, 37, 20, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
WIDTHS = {"1m": (60, 1440), "1h": (3600, 168), "1d": (86_400, 31)}

OPENAI = {"Authorization": f"Bearer {OPENAI_ADMIN_KEY}"}
ANTHROPIC = {"x-api-key": ANTHROPIC_ADMIN_KEY, "anthropic-version": "2023-06-01"}
COSTS = "/v1/organization/costs"
COMPLETIONS = "/v1/organization/usage/completions"
COST_REPORT = "/v1/organizations/cost_report"
MESSAGES = "/v1/organizations/usage_report/messages"

Params = list[tuple[str, Any]]


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Client:
    """One connection, kept open."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)

    def ask(self, path: str, params: Params, headers: dict[str, str]) -> tuple[int, Any]:
        self.connection.request("GET", f"{path}?{urlencode(params)}", headers=headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read(), parse_float=Decimal)

    def get(self, path: str, *params: tuple[str, Any]) -> Any:
        headers = ANTHROPIC if path.startswith("/v1/organizations/") else OPENAI
        status, found = self.ask(path, list(params), headers)
        assert status == 200, found
        return found

    def every_page(self, path: str, *params: tuple[str, Any]) -> list[Any]:
        page = self.get(path, *params)
        buckets = page["data"]
        while page["has_more"]:
            page = self.get(path, *params, ("page", page["next_page"]))
            buckets.extend(page["data"])
        assert page["next_page"] is None
        return list(buckets)


@dataclass
class Served:
    client: Client
    clock: Clock
    usage: LlmUsage
    apis: LlmAdminApis


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    clock, usage = Clock(), LlmUsage.ending_at(NOW, seed=4)
    apis = LlmAdminApis(usage, clock)
    with serving_llm(apis) as address:
        client = Client(address)
        with closing(client.connection):
            yield Served(client, clock, usage, apis)


@pytest.fixture
def served(shared: Served) -> Served:
    shared.clock.now = NOW
    return shared


def rfc(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def true_usd(usage: LlmUsage, provider: Provider, day: datetime) -> dict[str, Decimal]:
    """What the hours of a day cost, by project."""
    usd: dict[str, Decimal] = defaultdict(Decimal)
    first = int(day.timestamp()) // 3600
    for hour in range(first, first + 24):
        for use in usage.uses(hour):
            workload = use.workload
            if workload.provider == provider:
                parts = billed_usd(provider, workload.model, use.amounts, batch=workload.batch)
                usd[workload.project.id] += sum(parts.values())
    return dict(usd)


@pytest.mark.parametrize(
    "group_by", [(), ("line_item",), ("project_id",), ("line_item", "project_id", "api_key_id")]
)
def test_openai_costs_of_a_past_day_are_the_priced_usage_of_its_hours(
    served: Served, group_by: tuple[str, ...]
) -> None:
    day = TODAY - 2 * DAY
    params: Params = [("start_time", int(day.timestamp())), ("end_time", int((day + DAY).timestamp()))]
    (bucket,) = served.client.get(COSTS, *params, *(("group_by", name) for name in group_by))["data"]
    reported: dict[str, Decimal] = defaultdict(Decimal)
    for result in bucket["results"]:
        assert result["amount"]["currency"] == "usd"
        assert ("line_item" in group_by) == (result["line_item"] is not None)
        reported[result["project_id"] or ""] += Decimal(result["amount"]["value"])
    true = true_usd(served.usage, "openai", day)
    if "project_id" not in group_by:
        true = {"": sum(true.values(), Decimal(0))}
    assert reported == true


@pytest.mark.parametrize("group_by", [(), ("workspace_id",), ("description", "workspace_id")])
def test_anthropic_costs_of_a_past_day_are_the_priced_usage_of_its_hours_in_cents(
    served: Served, group_by: tuple[str, ...]
) -> None:
    day = TODAY - 2 * DAY
    params: Params = [("starting_at", rfc(day)), ("ending_at", rfc(day + DAY))]
    (bucket,) = served.client.get(COST_REPORT, *params, *(("group_by[]", name) for name in group_by))["data"]
    reported: dict[str, Decimal] = defaultdict(Decimal)
    for result in bucket["results"]:
        assert isinstance(result["amount"], str)
        reported[result["workspace_id"] or ""] += Decimal(result["amount"]) / 100
    true = true_usd(served.usage, "anthropic", day)
    if "workspace_id" not in group_by:
        true = {"": sum(true.values(), Decimal(0))}
    assert reported == true


@pytest.mark.slow
def test_openai_reports_a_day_in_parts_and_of_the_early_day_nothing(served: Served) -> None:
    def reported(hours: float) -> Decimal:
        served.clock.now = TODAY - DAY + timedelta(hours=hours)
        params = (("start_time", int((TODAY - DAY).timestamp())), ("end_time", int(TODAY.timestamp())))
        (bucket,) = served.client.get(COSTS, *params)["data"]
        return sum((Decimal(result["amount"]["value"]) for result in bucket["results"]), Decimal(0))

    true = sum(true_usd(served.usage, "openai", TODAY - DAY).values())
    amounts = [reported(hours) for hours in (2, 12, 20, 25, 34)]
    assert amounts[0] == 0
    assert amounts == sorted(amounts)
    assert 0 < amounts[1] < amounts[3] < true
    assert amounts[-1] == true


def test_anthropic_reports_today_within_minutes(served: Served) -> None:
    served.clock.now = TODAY + timedelta(hours=15)
    (bucket,) = served.client.get(COST_REPORT, ("starting_at", rfc(TODAY)))["data"]
    before = sum(Decimal(result["amount"]) for result in bucket["results"])
    served.clock.now += timedelta(minutes=15)
    (bucket,) = served.client.get(COST_REPORT, ("starting_at", rfc(TODAY)))["data"]
    assert sum(Decimal(result["amount"]) for result in bucket["results"]) > before > 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    path=st.sampled_from([COMPLETIONS, MESSAGES, COSTS, COST_REPORT]),
    width=st.sampled_from(sorted(WIDTHS)),
    back=st.integers(0, 3 * 86_400),
    length=st.integers(1, 2 * 86_400),
    limit=st.integers(1, 31),
)
def test_pages_have_each_bucket_once_whatever_the_limit(
    shared: Served, path: str, width: str, back: int, length: int, limit: int
) -> None:
    shared.clock.now = NOW
    if path in (COSTS, COST_REPORT):
        width = "1d"
    seconds, most = WIDTHS[width]
    length = min(length, seconds * limit * 8)
    start, end = NOW_SECONDS - back, min(NOW_SECONDS - back + length, NOW_SECONDS)
    if end <= start:
        end = start + 1
    in_text = path.startswith("/v1/organizations/")
    spans: Params = [("start_time", start), ("end_time", end)]
    if in_text:
        times = (datetime.fromtimestamp(each, UTC) for each in (start, end))
        spans = list(zip(("starting_at", "ending_at"), map(rfc, times), strict=True))
    params = [*spans, ("bucket_width", width)]
    paged = shared.client.every_page(path, *params, ("limit", limit))
    begins = [bucket["starting_at" if in_text else "start_time"] for bucket in paged]
    first = start // seconds * seconds
    last = end // seconds * seconds if in_text else end
    expected = list(range(first, last, seconds))
    assert begins == [rfc(datetime.fromtimestamp(each, UTC)) if in_text else each for each in expected]
    assert paged == shared.client.every_page(path, *params, ("limit", most))


@pytest.mark.slow
@pytest.mark.parametrize("path", [COMPLETIONS, MESSAGES])
def test_groups_sum_to_the_whole_and_buckets_of_any_width_to_each_other(served: Served, path: str) -> None:
    begin, end = TODAY - DAY, TODAY
    span: Params = [("start_time", int(begin.timestamp())), ("end_time", int(end.timestamp()))]
    if path == MESSAGES:
        span = [("starting_at", rfc(begin)), ("ending_at", rfc(end))]
    served.clock.now = end + DAY

    def totals(*params: tuple[str, Any]) -> Counter[str]:
        found: Counter[str] = Counter()
        for bucket in served.client.every_page(path, *span, *params):
            for result in bucket["results"]:
                found.update({name: value for name, value in result.items() if type(value) is int})
        return found

    whole = totals()
    assert whole["output_tokens"] > 0
    assert whole == totals(("bucket_width", "1h"), ("group_by", "model"))
    assert whole == totals(("bucket_width", "1m"), ("limit", 1440), ("group_by[]", "service_tier"))


def test_openai_input_tokens_have_the_cached_ones_in_them(served: Served) -> None:
    page = served.client.get(
        COMPLETIONS, ("start_time", int((TODAY - DAY).timestamp())), ("group_by", "model")
    )
    results = page["data"][0]["results"]
    assert any(result["input_cached_tokens"] for result in results)
    for result in results:
        parts = ("input_cached_tokens", "input_cache_write_tokens", "input_uncached_tokens")
        assert result["input_tokens"] == sum(result[part] for part in parts)


def test_stored_bytes_are_a_level_whatever_the_width_of_the_bucket(served: Served) -> None:
    path, start = "/v1/organization/usage/vector_stores", ("start_time", int((TODAY - DAY).timestamp()))
    for width in WIDTHS:
        bucket = served.client.get(path, start, ("bucket_width", width))["data"][0]
        assert bucket["results"][0]["usage_bytes"] == pytest.approx(13e9, rel=0.1), width


def test_filters_leave_out_the_rest(served: Served) -> None:
    span = (("start_time", int((TODAY - DAY).timestamp())), ("end_time", int(TODAY.timestamp())))

    def models(*params: tuple[str, Any]) -> set[str]:
        page = served.client.get(COMPLETIONS, *span, ("group_by", "model"), *params)
        return {result["model"] for bucket in page["data"] for result in bucket["results"]}

    assert len(models()) == 4
    assert models(("batch", "true")) == {"gpt-5.1-2025-11-13"}
    assert models(("models", "gpt-4o-2024-08-06"), ("models[]", "none")) == {"gpt-4o-2024-08-06"}
    assert models(("project_ids", "proj_nobody")) == set()


def test_the_default_workspace_is_null(served: Served) -> None:
    page = served.client.get(MESSAGES, ("starting_at", rfc(TODAY - DAY)), ("group_by[]", "workspace_id"))
    workspaces = {result["workspace_id"] for result in page["data"][0]["results"]}
    assert None in workspaces
    assert len(workspaces) == 3


def test_anthropic_leaves_out_the_bucket_that_has_not_ended_by_the_end(served: Served) -> None:
    start = ("starting_at", "2026-11-20T14:00:00Z")
    hours = {
        end: len(served.client.get(MESSAGES, start, ("bucket_width", "1h"), *end)["data"])
        for end in ((), (("ending_at", rfc(NOW)),), (("ending_at", "2026-11-20T17:00:00Z"),))
    }
    assert list(hours.values()) == [3, 2, 3]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_openai_usage_has_the_fields_of_the_documented_example(served: Served, endpoint: str) -> None:
    path = f"/organization/usage/{endpoint}"
    example = json.loads((DATA / "openai_usage_costs_spec_examples.json").read_text())[path]
    page = served.client.get(f"/v1{path}", ("start_time", NOW_SECONDS - 3 * 86_400), ("limit", 2))
    same_shape(page, example)


def test_openai_costs_have_the_fields_of_the_documented_example_and_more(served: Served) -> None:
    example = json.loads((DATA / "openai_usage_costs_spec_examples.json").read_text())["/organization/costs"]
    page = served.client.get(COSTS, ("start_time", NOW_SECONDS - 3 * 86_400))
    same_shape(page, example)
    assert page["data"][0]["results"][0].keys() > example["data"][0]["results"][0].keys()


def test_the_spend_limit_is_reported_in_cents(served: Served) -> None:
    example = json.loads((DATA / "openai_usage_costs_spec_examples.json").read_text())[
        "/organization/spend_limit"
    ]
    limit = served.client.get("/v1/organization/spend_limit")
    assert limit == {**example, "threshold_amount": 400_000}


def test_anthropic_usage_has_the_fields_of_the_documented_example(served: Served) -> None:
    example = json.loads((DATA / "anthropic_usage_messages_docs_example.json").read_text())
    groups = [("group_by[]", name) for name in ("model", "workspace_id", "service_tier", "context_window")]
    page = served.client.get(MESSAGES, ("starting_at", rfc(NOW - 9 * DAY)), *groups)
    same_shape(page, example)


def test_anthropic_costs_say_what_they_are_for_when_grouped_by_description(served: Served) -> None:
    page = served.client.get(
        COST_REPORT, ("starting_at", rfc(TODAY - 3 * DAY)), ("group_by[]", "description")
    )
    results = [result for bucket in page["data"] for result in bucket["results"]]
    assert {result["cost_type"] for result in results} == {"tokens", "web_search"}
    for result in results:
        of_tokens = result["cost_type"] == "tokens"
        named = [
            result[name] is not None for name in ("model", "token_type", "service_tier", "context_window")
        ]
        assert named == [of_tokens] * 4
        assert result["description"]
        assert result["currency"] == "USD"
    assert {result["service_tier"] for result in results} == {"standard", "batch", None}


def same_shape(found: Any, example: Any) -> None:
    """`found` has every field of the example, of the same kind where neither is null."""
    if isinstance(example, dict):
        assert found.keys() >= example.keys()
        for name, value in example.items():
            same_shape(found[name], value)
    elif isinstance(example, list):
        assert found
        for each in found:
            same_shape(each, example[0])
    elif example is not None and found is not None:
        number = (int, float, Decimal)
        assert isinstance(found, number if isinstance(example, number) else type(example))


@pytest.mark.parametrize(
    ("path", "headers", "status", "word"),
    [
        (COSTS, {}, 401, "Missing"),
        (COSTS, {"Authorization": "Bearer sk-wrong"}, 401, "Incorrect API key"),
        (COSTS, {"Authorization": "Bearer sk-proj-mine"}, 403, "insufficient permissions"),
        (COSTS, ANTHROPIC, 401, "Missing"),
        (COST_REPORT, {}, 401, "x-api-key"),
        (COST_REPORT, {**ANTHROPIC, "x-api-key": "sk-ant-api03-mine"}, 401, "invalid x-api-key"),
        (COST_REPORT, {"x-api-key": ANTHROPIC_ADMIN_KEY}, 400, "anthropic-version"),
        ("/v1/organization/nothing", OPENAI, 404, "Invalid URL"),
        ("/v1/organizations/nothing", ANTHROPIC, 404, "Invalid URL"),
    ],
)
def test_who_may_not_ask_is_refused_in_the_words_of_the_api(
    served: Served, path: str, headers: dict[str, str], status: int, word: str
) -> None:
    found, body = served.client.ask(path, [("start_time", 0), ("starting_at", rfc(TODAY))], headers)
    assert found == status
    assert word in body["error"]["message"]
    if path.startswith("/v1/organizations/"):
        assert body["type"] == "error"
        assert body["error"].keys() == {"type", "message"}
    else:
        assert body["error"].keys() == {"message", "type", "param", "code"}
    assert not any(key in json.dumps(body) for key in ("sk-wrong", "sk-proj-mine", "sk-ant-api03-mine"))


@pytest.mark.parametrize(
    ("path", "params", "blamed"),
    [
        (COSTS, [], "start_time"),
        (COSTS, [("start_time", "yesterday")], "start_time"),
        (COSTS, [("start_time", 10), ("end_time", 10)], "end_time"),
        (COSTS, [("start_time", 10), ("bucket_width", "1h")], "bucket_width"),
        (COSTS, [("start_time", 10), ("limit", 181)], "limit"),
        (COSTS, [("start_time", 10), ("group_by", "model")], "group_by"),
        (COSTS, [("start_time", 10), ("start_time", 11)], "start_time"),
        (COSTS, [("start_time", 10), ("page", "page_nonsense")], "page"),
        (COMPLETIONS, [("start_time", 10), ("limit", 32)], "limit"),
        (COMPLETIONS, [("start_time", 10), ("limit", 169), ("bucket_width", "1h")], "limit"),
        (COMPLETIONS, [("start_time", 10), ("limit", 0)], "limit"),
        (COST_REPORT, [], "starting_at"),
        (COST_REPORT, [("starting_at", "soon")], "starting_at"),
        (COST_REPORT, [("starting_at", rfc(TODAY)), ("ending_at", rfc(TODAY))], "ending_at"),
        (COST_REPORT, [("starting_at", rfc(TODAY)), ("limit", 32)], "limit"),
        (MESSAGES, [("starting_at", rfc(TODAY)), ("group_by[]", "description")], "group_by"),
        (MESSAGES, [("starting_at", rfc(TODAY)), ("page", "page_AAAA")], "page"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    served: Served, path: str, params: Params, blamed: str
) -> None:
    status, body = served.client.ask(path, params, {**OPENAI, **ANTHROPIC})
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert blamed in body["error"]["message"]


def test_a_start_in_the_future_has_no_buckets(served: Served) -> None:
    assert served.client.get(COMPLETIONS, ("start_time", NOW_SECONDS + 86_400))["data"] == []
    assert served.client.get(MESSAGES, ("starting_at", rfc(NOW + DAY)))["data"] == []


@pytest.mark.slow
def test_it_misbehaves_as_configured() -> None:
    def answer_with(path: str, number: int) -> Answer | None:
        if number == 2:
            return Answer(429, b'{"error": {}}', {"Retry-After": "7"})
        return Answer(500, b"<html>") if path == COST_REPORT else None

    apis = LlmAdminApis(
        LlmUsage.ending_at(NOW), Clock(), LlmTemper(answer_with=answer_with, amounts_as_text=True)
    )
    with serving_llm(apis) as address:
        client = Client(address)
        with closing(client.connection):
            start = ("start_time", NOW_SECONDS - 3 * 86_400)
            first = client.get(COSTS, start)["data"][0]["results"][0]
            assert isinstance(first["amount"]["value"], str)
            client.connection.request("GET", COSTS, headers=OPENAI)
            second = client.connection.getresponse()
            assert (second.status, second.headers["Retry-After"]) == (429, "7")
            second.read()
            client.connection.request("GET", COST_REPORT, headers=ANTHROPIC)
            third = client.connection.getresponse()
            assert (third.status, third.read()) == (500, b"<html>")
            assert client.get(COSTS, start)["data"]
    assert apis.requests == 4


def test_it_stops_while_a_client_keeps_its_connection_open() -> None:
    apis = LlmAdminApis(LlmUsage.ending_at(NOW), Clock())
    with serving_llm(apis) as address:
        client = Client(address)
        client.get("/v1/organization/spend_limit")
        began = monotonic()
    assert monotonic() - began < 10
    with closing(client.connection), pytest.raises((http.client.HTTPException, OSError)):
        client.get("/v1/organization/spend_limit")
    with closing(Client(address).connection) as other, pytest.raises(ConnectionRefusedError):
        other.connect()
