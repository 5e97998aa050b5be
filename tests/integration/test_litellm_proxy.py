"""A real LiteLLM proxy says what calls cost, and we read the same from it, whatever is restarted."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.core.errors import SourceError
from tests.fakes.litellm_proxy import LiteLLMProxy, Row
from tests.integration.litellm_env import (
    ADMIN_KEY,
    LOOSE_KEY,
    SEARCH_KEY,
    SHOP_KEY,
    running_over_tables,
    running_proxy,
)
from tests.sources.litellm.litellm_reading import Reading, Total, reading
from tests.support.exposed import DEADLINE_SECONDS, until
from tests.support.ports import free_port

pytestmark = pytest.mark.integration

CALLERS = {SHOP_KEY: ("shop", "checkout"), SEARCH_KEY: ("team-2", "search/prod"), LOOSE_KEY: ("", "")}
MODELS = {
    "gpt-4o": ("openai", "gpt-4o"),
    "sonnet": ("anthropic", "claude-sonnet-4-5"),
    "gemini": ("gcp", "gemini-2.5-pro"),
}
METERS = (
    ("llm_proxy_usd", ""),
    ("llm_proxy_tokens", "input"),
    ("llm_proxy_tokens", "output"),
    ("llm_proxy_requests", ""),
)


class Calls:
    """Calls made through the proxy, and what its responses said of them."""

    def __init__(self) -> None:
        self.said: dict[tuple[str, str], Total] = {meter: defaultdict(float) for meter in METERS}

    def make(self, address: str, key: str, model: str, words: int) -> None:
        response = requests.post(
            f"{address}/v1/chat/completions",
            headers={"Authorization": f"Bearer {key}"},
            json={"model": model, "messages": [{"role": "user", "content": "word " * words}]},
            timeout=DEADLINE_SECONDS,
        )
        assert response.status_code == 200, response.text
        usage, (team, alias), (provider, name) = response.json()["usage"], CALLERS[key], MODELS[model]
        amounts = (
            float(response.headers["x-litellm-response-cost"]),
            usage["prompt_tokens"],
            usage["completion_tokens"],
            1,
        )
        for meter, amount in zip(METERS, amounts, strict=True):
            self.said[meter][provider, team, alias, name] += amount

    def add(self, others: Calls) -> None:
        for meter, said in others.said.items():
            for caller, amount in said.items():
                self.said[meter][caller] += amount

    def make_some(self, address: str, times: int) -> None:
        for key in CALLERS:
            for number, model in enumerate(MODELS):
                for _ in range(times + number):
                    self.make(address, key, model, words=5 * (number + 1))


def read_until_all_calls_are_there(reader: Reading, calls: Calls) -> None:
    """The proxy counts a call some moments after it answered it: its requests, tokens and dollars apart."""

    def all_there() -> bool:
        reader.now = datetime.now(UTC)
        reader.refresh()
        return all(
            sum(reader.used(*meter).values()) >= sum(said.values()) * (1 - 1e-9)
            for meter, said in calls.said.items()
        )

    until(all_there, "every call's requests, tokens and dollars", pause_seconds=0.2)
    for meter in METERS:
        assert reader.used(*meter) == pytest.approx(calls.said[meter], rel=1e-9), meter


def test_counters_tell_what_the_responses_said_over_restarts_of_both(tmp_path: Path) -> None:
    port, calls = free_port(), Calls()
    with reading(tmp_path, f"http://127.0.0.1:{port}", ADMIN_KEY) as reader:
        with running_proxy(tmp_path, port) as address:
            before_us = Calls()
            before_us.make_some(address, times=1)
            until(lambda: shows_all(address, before_us), "what was before us, counted", pause_seconds=0.2)
            reader.now = datetime.now(UTC)
            reader.refresh()
            assert reader.used("llm_proxy_requests") == {}

            calls.make_some(address, times=1)
            reader.restart()
            read_until_all_calls_are_there(reader, calls)
        with running_proxy(tmp_path, port) as address:
            # More than before, so that no counter is below what it was.
            later = Calls()
            later.make_some(address, times=4)
            # The first reading after a restart has whole counters to compare with.
            until(lambda: shows_all(address, later), "the later calls, counted", pause_seconds=0.2)
            calls.add(later)
            read_until_all_calls_are_there(reader, calls)
            reader.restart()
            read_until_all_calls_are_there(reader, calls)
            found = reader.check()
    assert [each.ok for each in found] == [True, True, True]
    assert "it has no database" in found[0].detail
    assert "teams: (none), shop, team-2" in found[2].detail


SHOWN_AS = {
    ("llm_proxy_usd", ""): "litellm_spend_metric_total",
    ("llm_proxy_tokens", "input"): "litellm_input_tokens_metric_total",
    ("llm_proxy_tokens", "output"): "litellm_output_tokens_metric_total",
    ("llm_proxy_requests", ""): "litellm_requests_metric_total",
}


def shows_all(address: str, calls: Calls) -> bool:
    """Whether the proxy shows the requests, tokens and dollars of all calls."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    page = requests.get(f"{address}/metrics/", headers=headers, timeout=DEADLINE_SECONDS)
    shown: dict[str, float] = {}
    for name in SHOWN_AS.values():
        lines = [line for line in page.text.split("\n") if line.startswith(f"{name}{{")]
        shown[name] = sum(float(line.rpartition(" ")[2]) for line in lines)
    return all(
        shown[SHOWN_AS[meter]] >= sum(said.values()) * (1 - 1e-9) for meter, said in calls.said.items()
    )


TODAY = datetime.now(UTC).date()
KEYS: dict[str, dict[str, Any]] = {
    "hash-1": {"key_alias": "checkout", "team_id": "team-1", "user_id": "ana"},
    "hash-2": {"key_alias": "search/prod", "team_id": "team-2", "user_id": None},
    "hash-3": {"key_alias": None, "team_id": None, "user_id": None},
}
ROWS = [
    Row(
        date=(TODAY - timedelta(days=back)).isoformat(),
        api_key=key,
        model=model,
        custom_llm_provider=provider,
        spend=(1 + number) / 128,
        prompt_tokens=100 + number,
        completion_tokens=number,
        cache_read_input_tokens=number % 3,
        successful_requests=1 + number % 2,
        failed_requests=number % 2,
    )
    for back in (0, 1, 40)
    for key in KEYS
    for model, provider in (
        ("gpt-4o", "openai"),
        ("gpt-4o", "azure"),
        ("claude-sonnet-4-5", "bedrock"),
        ("", ""),
    )
    # Enough for a second page.
    for number in range(100 if back else 120)
]
TABLES = {
    "litellm_dailyuserspend": [
        {
            "id": f"{number:06}",
            "user_id": f"user-{number}",
            "model_group": row.model,
            "mcp_namespaced_tool_name": "" if row.model else "calculator",
            "endpoint": "/chat/completions",
            "api_requests": row.successful_requests + row.failed_requests,
            **dict.fromkeys(
                (
                    "compression_saved_tokens",
                    "compression_savings_spend",
                    "prompt_caching_savings_spend",
                    "gateway_injected_caching_savings_spend",
                    "autorouter_savings_spend",
                    "total_response_time_ms",
                    "timed_requests",
                ),
                0,
            ),
            **asdict(row),
        }
        for number, row in enumerate(ROWS)
    ],
    "litellm_verificationtoken": [{"token": key, "metadata": {}, **told} for key, told in KEYS.items()],
    "litellm_teamtable": [
        {"team_id": team, "team_alias": alias, "created_at": "2026-01-01T00:00:00Z"}
        for team, alias in (("team-1", "shop"), ("team-2", None))
    ],
}
PROVIDERS = {"openai": "openai", "azure": "azure", "bedrock": "aws", "": "unknown"}


def expected(name: str) -> Total:
    sums: Total = defaultdict(float)
    for row in ROWS:
        told = KEYS[row.api_key]
        team = {"team-1": "shop"}.get(told["team_id"], told["team_id"] or "")
        caller = (PROVIDERS[row.custom_llm_provider], team, told["key_alias"] or "", row.model)
        sums[caller] += getattr(row, name)
    return dict(sums)


def test_daily_activity_of_the_proxys_own_code_is_read_to_the_cent(tmp_path: Path) -> None:
    tables, port = tmp_path / "tables.json", free_port()
    tables.write_text(json.dumps(TABLES), "utf-8")
    with (
        running_over_tables(tables, port) as address,
        LiteLLMProxy(list(ROWS), KEYS) as fake,
        reading(tmp_path, address, ADMIN_KEY) as reader,
    ):
        reader.now = datetime.now(UTC)
        reader.refresh()
        assert reader.used("llm_proxy_usd") == pytest.approx(expected("spend"))
        assert reader.used("llm_proxy_requests") == expected("successful_requests")
        assert reader.used("llm_proxy_tokens", "cache_read") == expected("cache_read_input_tokens")
        reader.restart()
        reader.refresh(timedelta(minutes=5))
        assert reader.counted("llm_proxy_usd") == pytest.approx(sum(expected("spend").values()))

        asked = {"start_date": TODAY.isoformat(), "end_date": TODAY.isoformat(), "page_size": "1000"}
        for more in ({"page": "1"}, {"page": "2"}, {"page": "1", "model": "gpt-4o"}):
            answer = requests.get(
                f"{address}/user/daily/activity",
                headers={"Authorization": f"Bearer {ADMIN_KEY}"},
                params={**asked, **more},
                timeout=DEADLINE_SECONDS,
            )
            assert_within(fake.activity({**asked, **more}), answer.json())

        reader.restart(key=lambda: LOOSE_KEY)
        with pytest.raises(SourceError, match="only one user"):
            reader.refresh()


def assert_within(small: Any, large: Any, place: str = "") -> None:
    """Everything that our fake says, the real one says too."""
    if isinstance(small, dict):
        for name, value in small.items():
            assert name in large, f"{place}/{name}"
            assert_within(value, large[name], f"{place}/{name}")
    elif isinstance(small, list):
        assert len(small) == len(large), place
        for number, (one, other) in enumerate(zip(small, large, strict=True)):
            assert_within(one, other, f"{place}/{number}")
    elif isinstance(small, float):
        assert small == pytest.approx(large), place
    else:
        assert small == large, place
