"""Anthropic's bill and usage: cents become dollars exactly, cache writes by kind, and no key is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.core.errors import SourceError
from exporter.ledger.charges.store import Ledger
from exporter.sources.llm.anthropic import AnthropicSource
from tests.fakes.llm_admin import ANTHROPIC_KEY, COST_REPORT, DAY, HOUR, MESSAGES, FakeAdminApi
from tests.fakes.web_api import Asked, Fault, Reply, WebApi
from tests.support import places
from tests.support.llm_sources import NOW, TODAY, Told, fresh_context, ledger_state, quick, stored, told_by

EXAMPLE = places.DATA / "anthropic_usage_messages_example.json"
THIS_HOUR = TODAY + 14 * HOUR


def refresh(
    server: WebApi, spool: Path, now: datetime = NOW, told: Told | None = None, **changes: Any
) -> Told:
    key = changes.pop("key", ANTHROPIC_KEY)
    return told_by(quick(AnthropicSource, key, server.address), fresh_context(spool, now, **changes), told)


@pytest.fixture
def world() -> FakeAdminApi:
    return FakeAdminApi(openai=False)


def cost(amount: object, **changes: Any) -> dict[str, Any]:
    return {
        "amount": amount,
        "currency": "USD",
        "workspace_id": "wrkspc_shop",
        "description": "Claude Opus 5 Usage - Input Tokens",
        "cost_type": "tokens",
        "model": "claude-opus-5",
        "token_type": "uncached_input_tokens",
        "service_tier": "standard",
        "context_window": "0-200k",
        "list_amount": "999",
        **changes,
    }


def messages(**changes: Any) -> dict[str, Any]:
    return {
        "workspace_id": None,
        "model": "claude-opus-5",
        "service_tier": "standard",
        "context_window": "0-200k",
        "uncached_input_tokens": 1000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "output_tokens": 0,
        "server_tool_use": None,
        **changes,
    }


@pytest.mark.parametrize(
    ("amount", "usd"),
    [("123.78912", "1.2378912"), ("0.0001", "0.000001"), (250, "2.5"), (0.5, "0.005"), ("-100", "-1")],
)
def test_amounts_are_in_cents(world: FakeAdminApi, tmp_path: Path, amount: object, usd: str) -> None:
    world.add(COST_REPORT, TODAY - DAY, **cost(amount))
    with world.serve() as server:
        (charge,) = refresh(server, tmp_path / "spool").charges["cost/2026-11-19"]
    assert charge["billed_cost_usd"] == Decimal(usd)
    assert charge["charge_category"] == ("credit" if "-" in usd else "usage")
    assert charge["sku_id"] == "claude-opus-5/input"
    assert charge["sku"] == "Claude Opus 5 Usage - Input Tokens"
    assert (charge["provider"], charge["service_id"]) == ("anthropic", "claude-api")
    assert (charge["project_id"], charge["service_name"]) == ("wrkspc_shop", "Claude API")


@pytest.mark.parametrize(
    ("changes", "sku_id"),
    [
        ({"token_type": "cache_creation.ephemeral_1h_input_tokens"}, "claude-opus-5/cache_write_1h"),
        ({"context_window": "200k-1M", "service_tier": "batch"}, "claude-opus-5/input_long_context_batch"),
        ({"token_type": "a_new_kind"}, "claude-opus-5/a_new_kind"),
        ({"token_type": None, "model": None, "cost_type": "web_search", "service_tier": None}, "/web_search"),
        ({"token_type": None, "model": None, "cost_type": None, "service_tier": None}, ""),
    ],
)
def test_the_sku_says_model_and_kind(
    world: FakeAdminApi, tmp_path: Path, changes: dict[str, Any], sku_id: str
) -> None:
    world.add(COST_REPORT, TODAY, **cost("1", **changes))
    with world.serve() as server:
        (charge,) = refresh(server, tmp_path / "spool").charges["cost/2026-11-20"]
    assert charge["sku_id"] == sku_id


def test_what_cannot_be_used_is_set_aside(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COST_REPORT, TODAY, **cost("100", workspace_id=None))
    for bad in (cost("ten"), cost("Infinity"), cost("1", currency="EUR"), cost("1", currency=None)):
        world.add(COST_REPORT, TODAY, **bad)
    world.add(MESSAGES, THIS_HOUR, **messages(cache_creation=7))
    world.add(MESSAGES, THIS_HOUR, **messages(output_tokens=-1))
    world.add(MESSAGES, THIS_HOUR, **messages(model={}))
    world.add(MESSAGES, THIS_HOUR, **messages())
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.usd == 1
    assert told.charges["cost/2026-11-20"][0]["project_id"] == ""
    reasons = {reason: sum(n for each, n in told.set_aside if each == reason) for reason, _ in told.set_aside}
    assert reasons == {"bad_cost": 2, "foreign_currency": 2, "bad_usage": 3}
    assert told.sums("meter")["llm_tokens",] == 1000


def test_the_documented_example_gives_the_documented_totals(tmp_path: Path) -> None:
    page = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    # The example shows a whole day; its next page is the last one.
    page["data"][0]["ending_at"] = "2025-08-01T01:00:00Z"
    last = {"data": [], "has_more": False, "next_page": None}

    def answer(asked: Asked) -> Reply:
        return Reply(body=page if "messages" in asked.path and "page" not in asked.query else last)

    with WebApi(answer) as server:
        source = quick(AnthropicSource, ANTHROPIC_KEY, server.address, usage_days=1)
        told = told_by(source, fresh_context(tmp_path / "spool", datetime(2025, 8, 1, 5, tzinfo=UTC)))
        assert server.requests[-1].one("page") == page["next_page"]
    expected = {
        ("llm_tokens", "input"): 1500,
        ("llm_tokens", "cache_read"): 200,
        ("llm_tokens", "cache_write"): 1500,
        ("llm_tokens", "output"): 500,
        ("llm_web_searches", ""): 10,
        ("llm_list_usd", "input"): 0.0075,
        ("llm_list_usd", "cache_read"): 0.0001,
        # 500 for five minutes at 6.25 dollars a million, 1000 for an hour at 10.
        ("llm_list_usd", "cache_write"): 0.013125,
        ("llm_list_usd", "output"): 0.0125,
    }
    assert told.sums("meter", "dimension") == pytest.approx(expected)
    assert {(point["project_id"], point["resource"]) for point in told.points} == {
        ("wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ", "claude-opus-5")
    }


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({}, 0.9),
        ({"service_tier": "batch"}, 0.45),
        ({"context_window": "200k-1M"}, 1.8),
        ({"context_window": None}, 0.9),
        ({"service_tier": "priority"}, None),
        ({"model": "claude-of-next-year"}, None),
        # Its long context begins within the window, so that it is unknown which calls cost more.
        ({"model": "claude-haiku-5-5"}, None),
    ],
)
def test_list_prices_follow_tier_and_context(
    world: FakeAdminApi, tmp_path: Path, changes: dict[str, Any], usd: float | None
) -> None:
    model = {"model": "claude-sonnet-4-5", "uncached_input_tokens": 300_000}
    world.add(MESSAGES, THIS_HOUR, **messages(**{**model, **changes}))
    with world.serve() as server:
        sums = refresh(server, tmp_path / "spool").sums("meter")
    assert sums.get(("llm_list_usd",)) == (None if usd is None else pytest.approx(usd))
    assert sums.get(("llm_unpriced_tokens",)) == (300_000 if usd is None else None)
    assert ("llm_requests",) not in sums


def test_an_api_key_in_place_of_an_admin_key_is_reported(world: FakeAdminApi, tmp_path: Path) -> None:
    key = "sk-ant-api03-Xy7Lm2Qp9Rt4Vb6Nc1Zd8Kf3"
    with world.serve() as server, pytest.raises(SourceError) as raised:
        refresh(server, tmp_path / "spool", key=key)
    assert raised.value.reason == "unauthorized"
    assert "an API key of a workspace, an admin key (sk-ant-admin...) is needed" in str(raised.value)
    assert key not in str(raised.value)
    assert key not in repr(quick(AnthropicSource, key, server.address))


def test_a_reading_that_fails_in_the_middle_is_taken_up_where_it_was(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    with world.serve() as server:
        known = refresh(server, tmp_path / "spool", NOW - 9 * DAY).known
    world.add(MESSAGES, THIS_HOUR - HOUR, **messages())
    # Nine days of hours are two readings: the second fails.
    world.faults.append(Fault("messages", Reply(503), times=10**6, after=1))
    told = Told()
    with world.serve() as server, pytest.raises(SourceError, match="HTTP 503"):
        refresh(server, tmp_path / "spool", known=known, told=told)
    assert len(told.usage) == 1
    world.faults.clear()
    with world.serve() as server:
        rest = refresh(server, tmp_path / "spool", known=known | told.known)
    assert rest.sums("meter")["llm_tokens",] == 1000
    assert rest.usage[0].reads[0].since == told.usage[0].reads[0].until - 2 * HOUR


@pytest.mark.slow
def test_reading_twice_changes_nothing_in_a_ledger(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COST_REPORT, TODAY - DAY, **cost("12.5"))
    world.add(MESSAGES, THIS_HOUR, **messages(server_tool_use={"web_search_requests": 3}))
    ledger = Ledger(None)
    try:
        with world.serve() as server:
            source = quick(AnthropicSource, ANTHROPIC_KEY, server.address, history_days=2, usage_days=1)
            stored(ledger, source, tmp_path / "spool", lambda: NOW)
            before = ledger_state(ledger)
            stored(ledger, source, tmp_path / "spool", lambda: NOW + timedelta(minutes=30))
            assert ledger_state(ledger) == before
    finally:
        ledger.close()
    assert sum(row[6] for row in before["charges"]) == Decimal("0.125")
    assert {row[2]: row[4] for row in before["counters"]} == {
        "llm_tokens": 1000,
        "llm_list_usd": 0.005,
        "llm_web_searches": 3,
    }


def test_check_reports_on_both_reports(world: FakeAdminApi, tmp_path: Path) -> None:
    with world.serve() as server:
        source = quick(AnthropicSource, ANTHROPIC_KEY, server.address)
        findings = list(source.check(fresh_context(tmp_path / "spool")))
    assert [(finding.ok, finding.what) for finding in findings] == [
        (True, "costs"),
        (True, "usage"),
        (True, "a month"),
    ]


@pytest.mark.parametrize(
    ("refused", "reasons"),
    [
        (set(), []),
        ({"speed"}, [("no_breakdown", 1)]),
        ({"speed", "inference_geo"}, [("no_breakdown", 1), ("no_breakdown", 1)]),
    ],
)
def test_a_report_that_refuses_a_group_is_read_without_it_and_that_is_reported(
    world: FakeAdminApi, tmp_path: Path, refused: set[str], reasons: list[tuple[str, int]]
) -> None:
    world.refused_groups = frozenset(refused)
    world.add(MESSAGES, THIS_HOUR, **messages())
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    # Eight days of hours are two readings.
    assert told.set_aside == sorted(reasons * 2)
    assert told.sums("meter")["llm_tokens",] == 1000


def test_a_count_that_is_not_known_and_may_have_its_own_price_is_reported(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    strange = {"ephemeral_24h_input_tokens": 5, "ephemeral_1h_input_tokens": 0}
    world.add(
        MESSAGES, THIS_HOUR, **messages(cache_creation=strange, input_image_tokens=7, reasoning_mode=None)
    )
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.set_aside == [("unknown_token_key", 1), ("unknown_token_key", 1)]
    assert "`cache_creation.ephemeral_24h_input_tokens` is not known" in told.unread[0].rejected.detail
