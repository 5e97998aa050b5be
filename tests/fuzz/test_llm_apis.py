"""OpenAI, Anthropic and LiteLLM: whatever their APIs answer, it is refused whole or set aside and counted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ledger.usage.store import UsageLedger
from exporter.sources.litellm.source import LiteLLMSource
from exporter.sources.llm.anthropic import AnthropicSource
from exporter.sources.llm.openai import OpenAISource
from tests.fakes.litellm_proxy import ADMIN_KEY, LiteLLMProxy, Row
from tests.fakes.llm_admin import (
    ANTHROPIC_KEY,
    COST_REPORT,
    COSTS,
    DAY,
    HOUR,
    MESSAGES,
    OPENAI_KEY,
    USAGE,
    FakeAdminApi,
)
from tests.fakes.web_api import Asked, Reply, WebApi
from tests.fuzz.hostile import CHANCES, ODD_VALUES, broken_by, changed_by, fuzzing
from tests.fuzz.reading import NOW, Reading, reading
from tests.sources.llm.test_anthropic import cost, messages
from tests.sources.llm.test_openai import completions, money
from tests.support.llm_sources import quick

pytestmark = pytest.mark.slow

TODAY = NOW.replace(hour=0)
GOOD_USD = Decimal(3)
COMPLETIONS = f"{USAGE}completions"
ODD_COST = {
    COSTS: {"project_id": "odd", "line_item": "gpt-4o, input", "amount": money(1), "quantity": 5},
    COST_REPORT: cost("100", workspace_id="odd"),
}
ODD_USAGE = {COMPLETIONS: completions(project_id="odd"), MESSAGES: messages(workspace_id="odd")}


class Lying(FakeAdminApi):
    """The admin API, some of whose answers come out otherwise."""

    change: Callable[[Asked, bytes], bytes] = staticmethod(lambda _asked, body: body)

    def serve(self) -> WebApi:
        def answer(asked: Asked) -> Reply:
            reply = self._answer(asked)
            return Reply(reply.status, self.change(asked, json.dumps(reply.body).encode()), reply.headers)

        return WebApi(answer)


def world(openai: bool) -> Lying:
    """Three dollars and three thousand tokens of a good project."""
    made = Lying(openai=openai)
    for days in (1, 2, 3):
        if openai:
            made.add(COSTS, TODAY - days * DAY, project_id="good", line_item="o3, input", amount=money(1))
        else:
            made.add(COST_REPORT, TODAY - days * DAY, **cost("100", workspace_id="good"))
    for hours in (1, 2, 3):
        row = completions(project_id="good") if openai else messages(workspace_id="good")
        made.add(COMPLETIONS if openai else MESSAGES, TODAY + 12 * HOUR - hours * HOUR, **row)
    return made


def source_of(openai: bool, server: WebApi) -> OpenAISource | AnthropicSource:
    kind, key = (OpenAISource, OPENAI_KEY) if openai else (AnthropicSource, ANTHROPIC_KEY)
    made: OpenAISource | AnthropicSource = quick(kind, key, server.address, history_days=4, usage_days=1)
    return made


def good_tokens(program: Reading) -> float:
    with UsageLedger(program.ledger).view() as view:
        found = view.hourly(TODAY - 2 * DAY, NOW + HOUR, ["llm_tokens", "llm_proxy_tokens"])
        return sum(each.amount for each in found if each.project_id == "good")


@pytest.mark.parametrize("openai", [True, False], ids=["openai", "anthropic"])
@fuzzing(0.7)
@given(chance=CHANCES)
def test_no_result_changes_what_the_others_sum_to(openai: bool, chance: random.Random) -> None:
    made = world(openai)
    with made.serve() as server, reading(source_of(openai, server), made.key) as program:
        assert program.refresh().up
        tokens = good_tokens(program)
        assert program.usd("project_id") == {"good": GOOD_USD}
        assert tokens > 0
        costs, usage = (COSTS, COMPLETIONS) if openai else (COST_REPORT, MESSAGES)
        odd = {
            costs: [changed_by(chance, ODD_COST[costs]) for _ in range(2)],
            usage: [changed_by(chance, ODD_USAGE[usage]) for _ in range(2)],
        }

        def with_odd(asked: Asked, body: bytes) -> bytes:
            page = json.loads(body)
            for bucket in page.get("data", []):
                bucket["results"] += odd.get(asked.path, [])
            return json.dumps(page).encode()

        made.change = with_odd
        program.refresh()
        assert program.usd("project_id")["good"] == GOOD_USD
        assert good_tokens(program) == tokens


@pytest.mark.parametrize("openai", [True, False], ids=["openai", "anthropic"])
@fuzzing(0.7)
@given(chance=CHANCES, whole=st.booleans())
def test_any_answer_is_read_or_refused_with_a_declared_error(
    openai: bool, chance: random.Random, whole: bool
) -> None:
    made = world(openai)
    first = True

    def otherwise(_asked: Asked, body: bytes) -> bytes:
        nonlocal first
        if not first and chance.random() < 0.5:
            return body
        first = False
        if whole:
            return broken_by(chance, body)
        return json.dumps(changed_by(chance, json.loads(body))).encode()

    made.change = otherwise
    with made.serve() as server, reading(source_of(openai, server), made.key) as program:
        assert program.refresh().up is not None


class LyingProxy(LiteLLMProxy):
    """The proxy, some of whose answers come out otherwise."""

    change: Callable[[str, str], str] = staticmethod(lambda _path, body: body)

    def answer(self, path: str, authorization: str) -> tuple[int, str, str, dict[str, str]]:
        status, kind, body, headers = super().answer(path, authorization)
        return status, kind, self.change(path, body), headers


KEYS: dict[str, dict[str, Any]] = {
    "good": {"key_alias": "a", "team_id": "good"},
    "odd": {"key_alias": "b", "team_id": "odd"},
}
PAGE = """# TYPE litellm_spend_metric_total counter
litellm_spend_metric_total{team="good",api_key_alias="a",model="gpt-4o",custom_llm_provider="openai"} 2.5
litellm_spend_metric_total{team="odd",api_key_alias="b",model="o3",custom_llm_provider="openai"} 1.5
litellm_input_tokens_metric_total{team="odd",api_key_alias="b",model="o3"} 100
litellm_proxy_total_requests_metric_total{team="odd",api_key_alias="b",model="o3"} 2
"""


def proxy_source(url: str) -> LiteLLMSource:
    return LiteLLMSource(
        url,
        key=lambda: ADMIN_KEY,
        backfill=timedelta(days=3),
        sleep=lambda _seconds: None,
        jitter=lambda: 0.0,
    )


def rows() -> list[Row]:
    day = NOW.date().isoformat()
    good = Row(day, "good", "gpt-4o", "openai", spend=0.5, prompt_tokens=100, completion_tokens=10)
    return [good, Row(day, "odd", "o3", "openai", spend=1.5, prompt_tokens=7, cache_read_input_tokens=3)]


@fuzzing()
@given(chance=CHANCES)
def test_no_key_of_a_proxy_changes_what_the_others_sum_to(chance: random.Random) -> None:
    with LyingProxy(rows=rows(), keys=KEYS) as proxy, reading(proxy_source(proxy.url), ADMIN_KEY) as program:

        def odd_metrics(path: str, body: str) -> str:
            answer = json.loads(body)
            for day in answer.get("results", []) if "activity" in path else []:
                for kind in ("models", "providers"):
                    for entry in day["breakdown"][kind].values():
                        keys = entry["api_key_breakdown"]
                        if "odd" in keys:
                            keys["odd"]["metrics"] = changed_by(chance, keys["odd"]["metrics"])
            return json.dumps(answer)

        proxy.change = odd_metrics
        status = program.refresh()
        assert good_tokens(program) == (110 if status.up else 0)


@fuzzing()
@given(chance=CHANCES, whole=st.booleans())
def test_any_answer_of_a_proxy_is_read_or_refused_with_a_declared_error(
    chance: random.Random, whole: bool
) -> None:
    def otherwise(path: str, body: str) -> str:
        if "activity" not in path or chance.random() < 0.25:
            return body
        if whole:
            return broken_by(chance, body.encode()).decode("utf-8", "replace")
        return json.dumps(changed_by(chance, json.loads(body)))

    teams = {"good": "good", "odd": None}
    with (
        LyingProxy(rows=rows(), keys=KEYS, teams=teams) as proxy,
        reading(proxy_source(proxy.url), ADMIN_KEY) as program,
    ):
        proxy.change = otherwise
        assert program.refresh().up is not None


@fuzzing()
@given(chance=CHANCES, value=st.sampled_from(ODD_VALUES))
def test_any_page_of_counters_is_read_or_refused_with_a_declared_error(
    chance: random.Random, value: Any
) -> None:
    odd = str(value).replace("\n", " ")
    second = PAGE.replace(chance.choice(["1.5", "100", "b", "o3", "litellm_input"]), odd)
    pages = [PAGE, second, broken_by(chance, PAGE.encode()).decode("utf-8", "replace"), PAGE]
    with (
        LiteLLMProxy(database=False, metrics=PAGE) as proxy,
        reading(proxy_source(proxy.url), ADMIN_KEY) as program,
    ):
        for page in pages:
            proxy.metrics = page.encode("utf-8", "replace").decode()
            status = program.refresh()
        # The last page is a good one again.
        assert status.up


def test_the_keys_are_those_that_the_tests_look_for(tmp_path: Path) -> None:
    made = world(openai=True)
    made.change = lambda _asked, _body: json.dumps({"error": {"message": OPENAI_KEY}}).encode()
    with made.serve() as server, reading(source_of(True, server), OPENAI_KEY) as program:
        assert program.refresh().failed_with == "bad_response"
