"""OpenAI's bill and usage: exact to the last digit, each hour and day once, and no key in anything told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.errors import SourceError
from exporter.ledger.charges.store import Ledger
from exporter.refresh.intake import Intake
from exporter.sources.base import Batch, RefreshTally
from exporter.sources.llm.openai import OpenAISource
from exporter.sources.llm.openai_reports import sku_id
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.llm.tokens import Tokens
from tests.fakes.llm_admin import COSTS, DAY, HOUR, OPENAI_KEY, USAGE, FakeAdminApi, edited
from tests.fakes.web_api import Fault, Reply, WebApi
from tests.support import places
from tests.support.llm_sources import NOW, TODAY, Told, fresh_context, ledger_state, quick, stored, told_by

DATA = places.DATA
COMPLETIONS = f"{USAGE}completions"
THIS_HOUR = TODAY + 14 * HOUR


def money(value: object, currency: str = "usd") -> dict[str, object]:
    return {"value": value, "currency": currency}


def refresh(
    server: WebApi, spool: Path, now: datetime = NOW, told: Told | None = None, **changes: Any
) -> Told:
    key = changes.pop("key", OPENAI_KEY)
    return told_by(quick(OpenAISource, key, server.address), fresh_context(spool, now, **changes), told)


@pytest.fixture
def world() -> FakeAdminApi:
    return FakeAdminApi(openai=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "spend.duckdb")
    yield opened
    opened.close()


def completions(**changes: Any) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "project_id": "proj_shop",
        "model": "gpt-4o-2024-08-06",
        "batch": False,
        "service_tier": "default",
        "input_tokens": 1000,
        "input_cached_tokens": 400,
        "input_cache_write_tokens": 100,
        "output_tokens": 500,
        "num_model_requests": 5,
        "a_field_of_next_year": {"deep": [1]},
        **changes,
    }


def test_the_bill_becomes_one_charge_for_each_line_of_a_day(world: FakeAdminApi, tmp_path: Path) -> None:
    day = TODAY - DAY
    line = {"project_id": "proj_shop", "line_item": "gpt-4o-2024-08-06, cached input", "amount": money(1.25)}
    world.add(
        COSTS, day, **line, quantity=2000, quantity_unit="1000_tokens", object="organization.costs.result"
    )
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert len(told.charges) == 10
    (charge,) = told.charges["cost/2026-11-19"]
    expected = {
        "provider": "openai",
        "billing_account_id": "",
        "project_id": "proj_shop",
        "service_id": "openai-api",
        "service_name": "OpenAI API",
        "sku_id": "gpt-4o-2024-08-06/cached_input",
        "sku": "gpt-4o-2024-08-06, cached input",
        "region_id": "",
        "charge_category": "usage",
        "charge_period_start": datetime(2026, 11, 19),
        "export_hour": datetime(2026, 11, 20, 14),
        "exported_at": datetime(2026, 11, 20, 14, 25),
        "invoice_month": "",
        "billing_currency": "USD",
        "billed_cost": Decimal("1.25"),
        "billed_cost_usd": Decimal("1.25"),
        "consumed_quantity": 2_000_000.0,
        "consumed_unit": "tokens",
        "tags": "",
    }
    assert {name: charge[name] for name in expected} == expected
    # Columns that only other bills fill.
    assert {charge[name] for name in charge.keys() - expected.keys()} == {None}
    assert told.usd == Decimal("1.25")


@pytest.mark.parametrize(
    ("written", "usd"),
    [
        (b"0.1", "0.1"),
        (b'"0.1"', "0.1"),
        (b"0.100000000000000005", "0.100000000000000005"),
        (b"7", "7"),
        (b'"-3.50"', "-3.5"),
        (b"1e-7", "0.0000001"),
        (b"0.0000000000000000004", "0"),
        (b"1e-99999999", "0"),
        (b"123456789012.123456789012345678", "123456789012.123456789012345678"),
    ],
)
def test_an_amount_is_exact_however_it_is_written(
    world: FakeAdminApi, tmp_path: Path, written: bytes, usd: str
) -> None:
    world.add(COSTS, TODAY, project_id="p", line_item="x", amount=money("THE AMOUNT"))
    with WebApi(
        lambda asked: Reply(
            body=json.dumps(world._answer(asked).body).encode().replace(b'"THE AMOUNT"', written)
        )
    ) as server:
        told = refresh(server, tmp_path / "spool")
    (charge,) = told.charges["cost/2026-11-20"]
    assert charge["billed_cost_usd"] == Decimal(usd)
    assert charge["charge_category"] == ("credit" if "-" in usd else "usage")


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (money("much"), "bad_cost"),
        (money(None), "bad_cost"),
        (money(True), "bad_cost"),
        (money("NaN"), "bad_cost"),
        (money("1e12"), "bad_cost"),
        (money("1e9999999"), "bad_cost"),
        (money("1e99999999999999999999"), "bad_cost"),
        (money([1]), "bad_cost"),
        (None, "bad_cost"),
        ("7", "bad_cost"),
        (money(7, "eur"), "foreign_currency"),
        ({"value": 7}, "foreign_currency"),
    ],
)
def test_a_line_that_cannot_be_used_is_set_aside_and_counted(
    world: FakeAdminApi, tmp_path: Path, amount: object, reason: str
) -> None:
    world.add(COSTS, TODAY, project_id="p", line_item="good", amount=money("2.50"))
    world.add(COSTS, TODAY, project_id="p", line_item="bad", amount=amount)
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
        assert (told.usd, told.set_aside) == (Decimal("2.5"), [(reason, 1)])
        again = refresh(server, tmp_path / "spool", known=told.known)
    assert (again.batches, again.set_aside) == ([], [])


def test_equal_lines_of_a_day_are_one_charge_and_credits_stay_apart(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    for value in ("1.10", 2.2, -0.3, "-0.2"):
        world.add(COSTS, TODAY, project_id=None, line_item="web search tool calls", amount=money(value))
    with world.serve() as server:
        charges = refresh(server, tmp_path / "spool").charges["cost/2026-11-20"]
    assert {(each["charge_category"], each["billed_cost"]) for each in charges} == {
        ("usage", Decimal("3.3")),
        ("credit", Decimal("-0.5")),
    }
    assert {each["project_id"] for each in charges} == {""}


@pytest.mark.parametrize(
    ("line_item", "expected"),
    [
        ("gpt-4o-2024-08-06, input", "gpt-4o-2024-08-06/input"),
        ("gpt-5.5-2026-04-23, cached input", "gpt-5.5-2026-04-23/cached_input"),
        ("gpt-image-1 text, cached input", "gpt-image-1/text_cached_input"),
        ("priority | gpt-5.6, output, long context", "gpt-5.6/priority_output_long_context"),
        ("web search tool calls", "/web_search_tool_calls"),
        ("Vector storage", "/vector_storage"),
        ("gpt-4o", "gpt-4o/"),
        ("moderation", "/moderation"),
        ("", ""),
    ],
)
def test_the_model_is_told_from_the_rest_of_a_line_item(line_item: str, expected: str) -> None:
    assert sku_id(line_item) == expected


def test_later_only_the_last_days_are_read_and_only_a_day_that_changed_is_stored(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    world.add(COSTS, TODAY - 3 * DAY, project_id="p", line_item="x", amount=money(1))
    world.add(COSTS, TODAY - DAY, project_id="p", line_item="x", amount=money(2))
    with world.serve() as server:
        first = refresh(server, tmp_path / "spool")
        server.requests.clear()
        world.add(COSTS, TODAY - 3 * DAY, project_id="p", line_item="late", amount=money(5))
        world.add(COSTS, TODAY - 4 * DAY, project_id="p", line_item="too late", amount=money(7))
        second = refresh(server, tmp_path / "spool", known=first.known)
        (asked,) = server.asked("/costs")
    assert asked.one("start_time") == str(int((TODAY - 3 * DAY).timestamp()))
    assert list(second.charges) == ["cost/2026-11-17"]
    assert second.usd == 6


@pytest.mark.slow
def test_after_a_pause_all_that_is_missing_is_read(world: FakeAdminApi, tmp_path: Path) -> None:
    with world.serve() as server:
        known = refresh(server, tmp_path / "spool").known
        world.add(COSTS, TODAY + 2 * DAY, project_id="p", line_item="x", amount=money(1))
        world.add(COMPLETIONS, TODAY + 2 * DAY, **completions())
        told = refresh(server, tmp_path / "spool", NOW + 7 * DAY, known=known)
    assert told.usd == 1
    assert told.sums("meter")["llm_requests",] == 5
    assert told.usage[0].reads[0].since == THIS_HOUR - 2 * HOUR
    assert told.usage[-1].reads[0].through == NOW + 7 * DAY


def test_a_day_that_the_report_leaves_out_stays_as_it_is(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COSTS, TODAY - DAY, project_id="p", line_item="x", amount=money(1))
    with world.serve() as server:
        known = refresh(server, tmp_path / "spool").known
    with edited("/costs", lambda page: page.update(data=[]), world) as server:
        assert refresh(server, tmp_path / "spool", known=known).batches == []


@pytest.mark.parametrize(
    "damage",
    [
        {"results": None},
        {"results": "none"},
        {"start_time": None},
        {"start_time": "2026"},
        {"start_time": True},
        {"start_time": 10**30},
        {"end_time": 0},
        {"end_time": 2**40},
    ],
)
def test_a_damaged_bucket_is_counted_and_its_day_not_taken_for_empty(
    world: FakeAdminApi, tmp_path: Path, damage: dict[str, Any]
) -> None:
    def change(page: dict[str, Any]) -> None:
        page["data"][-1].update(damage)

    world.add(COSTS, TODAY - DAY, project_id="p", line_item="x", amount=money(1))
    with edited("/costs", change, world) as server:
        told = refresh(server, tmp_path / "spool")
    assert told.set_aside == [("bad_bucket", 1)]
    assert "cost/2026-11-20" not in told.charges
    assert told.usd == 1


def test_tokens_are_disjoint_and_priced_call_by_call(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions())
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.sums("meter", "dimension", "unit") == {
        ("llm_tokens", "input", "tokens"): 500,
        ("llm_tokens", "cache_read", "tokens"): 400,
        ("llm_tokens", "cache_write", "tokens"): 100,
        ("llm_tokens", "output", "tokens"): 500,
        ("llm_requests", "", "requests"): 5,
        ("llm_list_usd", "input", "usd"): 0.00125,
        ("llm_list_usd", "cache_read", "usd"): 0.0005,
        ("llm_list_usd", "cache_write", "usd"): 0.00025,
        ("llm_list_usd", "output", "usd"): 0.005,
    }
    point = told.points[0]
    assert (point["provider"], point["project_id"], point["resource"]) == (
        "openai",
        "proj_shop",
        "gpt-4o-2024-08-06",
    )
    assert (point["start"], point["end"]) == (datetime(2026, 11, 20, 14), datetime(2026, 11, 20, 15))
    assert (point["region_id"], point["service_id"], point["revision"]) == ("", "", "")


def test_many_short_calls_in_one_hour_do_not_cost_as_one_long_call(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    short = {
        "input_tokens": 3_000_000,
        "input_cached_tokens": 0,
        "input_cache_write_tokens": 0,
        "output_tokens": 0,
    }
    world.add(COMPLETIONS, THIS_HOUR, **completions(model="gpt-5.4", num_model_requests=300, **short))
    with world.serve() as server:
        usd = refresh(server, tmp_path / "spool").sums("meter")["llm_list_usd",]
    price = TokenPrices().price
    one_by_one = price("openai", "gpt-5.4", Tokens(10_000), NOW)
    as_one_call = price("openai", "gpt-5.4", Tokens(3_000_000), NOW)
    assert one_by_one is not None
    assert as_one_call is not None
    assert usd == pytest.approx(float(300 * one_by_one.usd))
    assert usd < float(as_one_call.usd)


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        # 500 plain, 400 cached and 100 written in, 500 out.
        ({"batch": None}, 0.007),
        ({"service_tier": None}, 0.007),
        # Cached tokens are no cheaper in a batch than other input.
        ({"batch": True}, 0.00375),
        ({"batch": True, "service_tier": "flex"}, 0.00375),
        # The model has no flex price of its own: half, as with every model.
        ({"service_tier": "flex"}, 0.0035),
        ({"service_tier": "priority"}, 0.0119),
        ({"service_tier": "scale"}, None),
        ({"service_tier": "tier of next year"}, None),
    ],
)
def test_a_service_tier_costs_its_own_price_or_is_unpriced(
    world: FakeAdminApi, tmp_path: Path, changes: dict[str, Any], usd: float | None
) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions(**changes))
    with world.serve() as server:
        sums = refresh(server, tmp_path / "spool").sums("meter")
    assert sums["llm_tokens",] == 1500
    if usd is None:
        assert sums["llm_unpriced_tokens",] == 1500
        assert ("llm_list_usd",) not in sums
    else:
        assert sums["llm_list_usd",] == pytest.approx(usd)
        assert ("llm_unpriced_tokens",) not in sums


def test_sound_without_a_known_price_is_unpriced_and_the_text_around_it_is_priced(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    spoken = completions(model="gpt-4o", input_audio_tokens=200, input_image_tokens=100)
    world.add(COMPLETIONS, THIS_HOUR, **spoken)
    with world.serve() as server:
        sums = refresh(server, tmp_path / "spool").sums("meter", "dimension")
    assert sums["llm_unpriced_tokens", "input"] == 200
    assert sums["llm_list_usd", "input"] == pytest.approx(300 * 2.5e-6)
    assert sums["llm_tokens", "input"] == 500


def test_a_count_that_is_not_known_and_may_have_its_own_price_is_reported(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions(input_video_tokens=9, output_reasoning_tokens=0))
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.set_aside == [("unknown_token_key", 1)]
    assert told.sums("meter")["llm_tokens",] == 1500


def test_more_sound_than_there_are_tokens_is_set_aside(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions(output_audio_tokens=501))
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.set_aside == [("bad_usage", 1)]


def test_an_unknown_model_is_counted_unpriced_and_never_free(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions(model="model-of-next-year"))
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.sums("meter", "dimension") == {
        **{("llm_tokens", kind): n for kind, n in TOKENS.items()},
        **{("llm_unpriced_tokens", kind): n for kind, n in TOKENS.items()},
        ("llm_requests", ""): 5,
    }


TOKENS = {"input": 500, "cache_read": 400, "cache_write": 100, "output": 500}


def test_tokens_are_never_negative(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions(input_tokens=100))
    world.add(COMPLETIONS, THIS_HOUR, **completions(output_tokens=-5))
    world.add(COMPLETIONS, THIS_HOUR, **completions(output_tokens=1.5))
    world.add(COMPLETIONS, THIS_HOUR, **completions(output_tokens="5"))
    world.add(COMPLETIONS, THIS_HOUR, **completions(output_tokens=10**16))
    world.add(COMPLETIONS, THIS_HOUR, **completions(model=7))
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.sums("meter", "dimension")["llm_tokens", "cache_read"] == 400
    assert ("llm_tokens", "input") not in told.sums("meter", "dimension")
    assert told.set_aside == [("bad_usage", 1), ("bad_usage", 4)]


def test_every_kind_of_usage_is_reported(world: FakeAdminApi, tmp_path: Path) -> None:
    named = {"project_id": "p", "model": "m", "num_model_requests": 2}
    world.add(
        f"{USAGE}embeddings", THIS_HOUR, **{**named, "model": "text-embedding-3-small"}, input_tokens=1000
    )
    world.add(f"{USAGE}moderations", THIS_HOUR, **named, input_tokens=16)
    world.add(f"{USAGE}images", THIS_HOUR, **named, images=3)
    world.add(f"{USAGE}audio_speeches", THIS_HOUR, **named, characters=45)
    world.add(f"{USAGE}audio_transcriptions", THIS_HOUR, **named, seconds=20)
    world.add(f"{USAGE}vector_stores", THIS_HOUR, project_id="p", usage_bytes=1024)
    world.add(f"{USAGE}code_interpreter_sessions", THIS_HOUR, project_id="p", num_sessions=1)
    world.add(f"{USAGE}file_search_calls", THIS_HOUR, project_id="p", num_requests=4)
    world.add(f"{USAGE}web_search_calls", THIS_HOUR, **named, num_requests=6)
    with world.serve() as server:
        told = refresh(server, tmp_path / "spool")
    assert told.sums("meter") == {
        ("llm_tokens",): 1016,
        ("llm_requests",): 10,
        ("llm_list_usd",): 0.00002,
        ("llm_images",): 3,
        ("llm_characters",): 45,
        ("llm_audio_seconds",): 20,
        ("llm_vector_store_byte_seconds",): 1024 * 3600,
        ("llm_sessions",): 1,
        ("llm_file_searches",): 4,
        ("llm_web_searches",): 6,
    }


def test_the_documented_examples_give_the_documented_totals(tmp_path: Path) -> None:
    examples = json.loads((DATA / "openai_admin_examples.json").read_text(encoding="utf-8"))
    # The examples show a whole day, and a cursor that leads nowhere.
    for name, page in examples.items():
        if "/usage/" in name:
            page["data"][0]["end_time"] = page["data"][0]["start_time"] + 3600
            page.update(has_more=False, next_page=None)
    with WebApi(lambda asked: Reply(body=examples[asked.path.removeprefix("/v1")])) as server:
        source = quick(OpenAISource, OPENAI_KEY, server.address)
        told = told_by(
            source, fresh_context(tmp_path / "spool", datetime(2024, 11, 1, 5, tzinfo=UTC), known={})
        )
    assert told.usd == Decimal("0.06")
    by_type = {
        kind: value
        for (meter, kind), value in told.sums("meter", "dimension").items()
        if meter == "llm_tokens"
    }
    assert by_type == {"input": 500 + 16 + 16, "cache_read": 400, "cache_write": 100, "output": 500}
    assert told.sums("meter")["llm_requests",] == 5 + 2 + 2 + 2 + 1 + 1
    assert source.spend_limit_usd == 100


@pytest.mark.slow
def test_usage_of_the_last_hours_is_read_again_and_replaced(
    world: FakeAdminApi, tmp_path: Path, ledger: Ledger
) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions(num_model_requests=1))
    world.add(COMPLETIONS, THIS_HOUR - HOUR, **completions(num_model_requests=10, project_id="proj_other"))
    with world.serve() as server:
        source = quick(OpenAISource, OPENAI_KEY, server.address)
        stored(ledger, source, tmp_path / "spool", lambda: NOW)
        # The hour goes on, and what was reported of another project turns out to be wrong.
        world.rows[COMPLETIONS] = [(THIS_HOUR, completions(num_model_requests=3))]
        server.requests.clear()
        stored(ledger, source, tmp_path / "spool", lambda: NOW + timedelta(minutes=10))
        assert server.asked("completions")[0].one("start_time") == str(
            int((THIS_HOUR - 2 * HOUR).timestamp())
        )
    requests = [row for row in ledger_state(ledger)["hours"] if row[2] == "llm_requests"]
    assert [(row[0], row[5]) for row in requests] == [("proj_shop", 3.0)]


@pytest.mark.slow
def test_a_failure_between_pages_leaves_every_day_and_hour_as_it_was(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    with world.serve() as server:
        known = refresh(server, tmp_path / "spool", NOW - 12 * DAY).known
    world.add(COSTS, TODAY - DAY, project_id="p", line_item="x", amount=money(1))
    world.add(COMPLETIONS, THIS_HOUR - 11 * DAY, **completions())
    world.faults.append(Fault("audio_speeches", Reply(500), times=10**6))
    told = Told()
    with (
        world.serve() as server,
        pytest.raises(SourceError, match="audio_speeches failed: HTTP 500") as raised,
    ):
        refresh(server, tmp_path / "spool", known=known, told=told)
    assert raised.value.reason == "unavailable"
    assert told.usd == 1
    assert told.usage == []
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_cost_page_that_fails_in_the_middle_replaces_no_day(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COSTS, TODAY, project_id="p", line_item="x", amount=money(1))
    pages = count()

    def halved(page: dict[str, Any]) -> None:
        page.update(has_more=True, next_page=f"page_{next(pages) + 1}")

    world.faults.append(Fault("/costs", Reply(500), times=10**6, after=1))
    told = Told()
    with edited("/costs", halved, world) as server, pytest.raises(SourceError):
        refresh(server, tmp_path / "spool", told=told)
    assert told.batches == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"has_more": True, "next_page": "page_0"}, "form a loop"),
        ({"has_more": True, "next_page": None}, "there is more, but not where"),
        ({"has_more": True, "next_page": 7}, "there is more, but not where"),
        ({"data": None}, "no list `data`"),
        ({"data": {}}, "no list `data`"),
    ],
)
def test_pages_that_make_no_sense_are_refused(
    world: FakeAdminApi, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    told = Told()
    with edited("/costs", lambda page: page.update(change), world) as server:
        with pytest.raises(SourceError, match=message) as raised:
            refresh(server, tmp_path / "spool", told=told)
        assert len(server.asked("/costs")) <= 3
    assert raised.value.reason == "bad_response"
    assert told.batches == []
    assert len(told.usage) == 2, "usage is read all the same"


@pytest.mark.slow
def test_a_report_without_an_end_is_given_up(world: FakeAdminApi, tmp_path: Path) -> None:
    pages = count(1000)
    with (
        edited(
            "/costs", lambda page: page.update(data=[], has_more=True, next_page=f"page_{next(pages)}"), world
        ) as server,
        pytest.raises(SourceError, match="more than 60 pages"),
    ):
        refresh(server, tmp_path / "spool")


def test_a_bucket_that_comes_twice_is_not_counted_twice(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COSTS, TODAY, project_id="p", line_item="x", amount=money(1))
    twice = edited("/costs", lambda page: page["data"].append(page["data"][-1]), world)
    with twice as server, pytest.raises(SourceError, match="has 2026-11-20 00:00 twice"):
        refresh(server, tmp_path / "spool")


def test_a_project_key_in_place_of_an_admin_key_is_said_so(world: FakeAdminApi, tmp_path: Path) -> None:
    with world.serve() as server, pytest.raises(SourceError) as raised:
        refresh(server, tmp_path / "spool", key="sk-proj-8sYt2bXq4LmZr1Kv7Hd0pWcNq")
    assert raised.value.reason == "permission_denied"
    assert "this is a project key, an admin key (sk-admin-...) is needed" in str(raised.value)
    assert "https://platform.openai.com/settings/organization/admin-keys" in str(raised.value)


def test_a_revoked_key_ends_the_refresh_at_once_and_is_not_shown(
    world: FakeAdminApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "sk-admin-Revoked9XbN4mZr1Lk7HsYd0"
    with world.serve() as server:
        source = quick(OpenAISource, key, server.address)
        with pytest.raises(SourceError) as raised:
            told_by(source, fresh_context(tmp_path / "spool"))
        assert len(server.requests) == 1
        findings = list(source.check(fresh_context(tmp_path / "spool")))
    assert raised.value.reason == "unauthorized"
    assert "the admin key is not accepted" in str(raised.value)
    assert [finding.ok for finding in findings] == [False]
    for text in (str(raised.value), repr(raised.value), repr(source), repr(findings), caplog.text):
        assert key not in text
        assert "Revoked9XbN4" not in text


@pytest.mark.parametrize("key", ["", " \n"])
def test_an_empty_key_is_said_so(world: FakeAdminApi, tmp_path: Path, key: str) -> None:
    with world.serve() as server, pytest.raises(SourceError, match=r"llm\.openai\.admin_key_file") as raised:
        refresh(server, tmp_path / "spool", key=key)
    assert raised.value.reason == "no_credentials"


@pytest.mark.slow
def test_a_key_file_that_is_gone_is_said_so_and_a_new_key_is_taken_up(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    with world.serve() as server:
        source = OpenAISource(lambda: path.read_text(encoding="utf-8"), base_url=server.address)
        with pytest.raises(SourceError, match="cannot be read"):
            told_by(source, fresh_context(tmp_path / "spool"))
        path.write_text(f"{OPENAI_KEY}\n", encoding="utf-8")
        assert len(told_by(source, fresh_context(tmp_path / "spool")).batches) == 91


@pytest.mark.slow
def test_it_waits_as_asked_and_goes_on(world: FakeAdminApi, tmp_path: Path) -> None:
    waits: list[float] = []
    world.faults += [
        Fault("/costs", Reply(429, headers={"Retry-After": "7"})),
        Fault("completions", Reply(429)),
        Fault("images", Reply(body=b'{"data"', breaks_off=True)),
    ]
    with world.serve() as server:
        source = OpenAISource(
            lambda: OPENAI_KEY, base_url=server.address, sleep=waits.append, jitter=lambda: 1.0
        )
        told = told_by(source, fresh_context(tmp_path / "spool"))
    assert waits == [7.0, 1.0, 1.0]
    assert len(told.usage) == 2


def test_html_in_place_of_json_is_said_so(world: FakeAdminApi, tmp_path: Path) -> None:
    world.faults.append(Fault("", Reply(body=b"<html><body>Sign in</body></html>"), times=10**6))
    with world.serve() as server, pytest.raises(SourceError, match="not JSON but a web page") as raised:
        refresh(server, tmp_path / "spool")
    assert raised.value.reason == "bad_response"


def test_a_report_that_does_not_exist_holds_no_usage_but_not_all_may_be_missing(
    world: FakeAdminApi, tmp_path: Path
) -> None:
    world.add(COMPLETIONS, THIS_HOUR, **completions())
    world.faults.append(Fault("file_search_calls", Reply(404), times=10**6))
    with world.serve() as server:
        assert refresh(server, tmp_path / "spool").sums("meter")["llm_requests",] == 5
    world.faults.append(Fault("/usage/", Reply(404), times=10**6))
    told = Told()
    with world.serve() as server, pytest.raises(SourceError, match="completions failed: HTTP 404"):
        refresh(server, tmp_path / "spool", told=told)
    assert told.usage == []


@pytest.mark.slow
def test_the_spend_limit_is_dollars_a_month_or_none(world: FakeAdminApi, tmp_path: Path) -> None:
    limit = {"threshold_amount": 123_456, "currency": "USD", "interval": "month"}
    with world.serve() as server:
        source = quick(OpenAISource, OPENAI_KEY, server.address)
        for told, usd in (
            (None, None),
            (limit, Decimal("1234.56")),
            ({**limit, "currency": "EUR"}, None),
            ({**limit, "interval": "year"}, None),
            ({**limit, "threshold_amount": "a lot"}, None),
            ({**limit, "threshold_amount": 0}, None),
        ):
            world.spend_limit = told
            told_by(source, fresh_context(tmp_path / "spool"))
            assert source.spend_limit_usd == usd
        world.spend_limit = limit
        told_by(source, fresh_context(tmp_path / "spool"))
        world.faults.append(Fault("spend_limit", Reply(500), times=10**6))
        assert told_by(source, fresh_context(tmp_path / "spool")).set_aside == [("unavailable", 1)]
        assert source.spend_limit_usd == Decimal("1234.56")


def test_check_says_what_is_read_and_that_it_costs_nothing(world: FakeAdminApi, tmp_path: Path) -> None:
    world.add(COSTS, TODAY, project_id="p", line_item="x", amount=money(1))
    world.spend_limit = {"threshold_amount": 10_000, "currency": "USD", "interval": "month"}
    with world.serve() as server:
        findings = list(
            quick(OpenAISource, OPENAI_KEY, server.address).check(fresh_context(tmp_path / "spool"))
        )
    assert all(finding.ok and not finding.warning for finding in findings)
    assert findings[0].detail == "/v1/organization/costs answers: 1 line since 19 Nov 00:00 UTC"
    assert [finding.detail for finding in findings[-2:]] == ["$100.00 a month", "these requests cost nothing"]
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.slow
def test_odd_names_pass_through_a_ledger(world: FakeAdminApi, tmp_path: Path, ledger: Ledger) -> None:
    odd = 'a "quoted",\nname\x00 \ud800 of \\0 ' + "x" * 5000
    world.add(COSTS, TODAY, project_id=odd, line_item=odd, amount=money(1))
    world.add(COMPLETIONS, THIS_HOUR, **completions(project_id=odd, model=odd))
    with world.serve() as server:
        stored(ledger, quick(OpenAISource, OPENAI_KEY, server.address), tmp_path / "spool", lambda: NOW)
    state = ledger_state(ledger)
    assert state["charges"][0][1].startswith('a "quoted",name  of \\0 xxx')
    assert state["hours"][0][1] == state["charges"][0][1]


@pytest.mark.slow
@pytest.mark.parametrize("jump", [-30 * DAY, -3 * HOUR, 30 * DAY])
def test_a_clock_that_jumps_makes_no_hour_count_twice(
    world: FakeAdminApi, tmp_path: Path, ledger: Ledger, jump: timedelta
) -> None:
    for hours in (0, 1, 5, 30):
        world.add(COMPLETIONS, THIS_HOUR - hours * HOUR, **completions())
    with world.serve() as server:
        source = quick(OpenAISource, OPENAI_KEY, server.address, history_days=1, usage_days=2)
        for now in (NOW, NOW + jump, NOW):
            stored(ledger, source, tmp_path / "spool", lambda now=now: now)  # type: ignore[misc]
    counters = {row[2:4]: row[4] for row in ledger_state(ledger)["counters"]}
    assert counters["llm_requests", ""] == 20.0


@pytest.mark.slow
def test_a_restart_in_the_middle_of_a_first_run_resumes(
    world: FakeAdminApi, tmp_path: Path, ledger: Ledger
) -> None:
    for days in range(0, 70, 7):
        world.add(COSTS, TODAY - days * DAY, project_id="p", line_item="x", amount=money("0.1"))
    with world.serve() as server:
        source = quick(OpenAISource, OPENAI_KEY, server.address, history_days=70)
        assert stored(ledger, source, tmp_path / "spool", lambda: NOW, at_most=40) == 40
        server.requests.clear()
        assert stored(ledger, source, tmp_path / "spool", lambda: NOW) == 71 - 40 + 2
        first = min(int(asked.one("start_time")) for asked in server.asked("/costs"))
    assert first == int((TODAY - 30 * DAY).timestamp())
    assert sum(row[6] for row in ledger_state(ledger)["charges"]) == Decimal("1.0")


@pytest.mark.slow
def test_the_days_of_one_answer_are_stored_together(
    world: FakeAdminApi, tmp_path: Path, ledger: Ledger
) -> None:
    for days in range(0, 70, 7):
        world.add(COSTS, TODAY - days * DAY, project_id="p", line_item="x", amount=money("0.1"))
    (tmp_path / "spool").mkdir()
    intake = Intake(ledger, tmp_path / "spool", timedelta(days=400), lambda: NOW)
    with world.serve() as server:
        source = quick(OpenAISource, OPENAI_KEY, server.address, history_days=70)
        context = intake.context(source, RefreshTally(), lambda: False)
        before = ledger.file.commits
        with intake.receiving(source, context) as receiver:
            for change in source.refresh(context):
                if isinstance(change, Batch):
                    receiver.take(change)
    assert ledger.file.commits - before == 3
    days_stored = {f"cost/{(TODAY - days * DAY).date()}" for days in range(71)}
    assert ledger.cursors(source.name).keys() == days_stored
    assert sum(row[6] for row in ledger_state(ledger)["charges"]) == Decimal("1.0")


_amounts = st.decimals(-1000, 1000, places=6, allow_nan=False)
_lines = st.tuples(
    st.integers(0, 2), st.sampled_from(["p", "q", None]), st.sampled_from(["a, input", "b"]), _amounts
)
_used = st.tuples(
    st.integers(0, 20),
    st.sampled_from(["p", None]),
    st.sampled_from(["gpt-4o", "nobody"]),
    st.integers(0, 10**6),
)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_lines, max_size=12), used=st.lists(_used, max_size=12))
def test_reading_twice_changes_nothing_and_every_cent_is_there_once(
    tmp_path: Path, lines: list[tuple[int, str, str, Decimal]], used: list[tuple[int, str, str, int]]
) -> None:
    world = FakeAdminApi(openai=True)
    for days, project, item, usd in lines:
        world.add(COSTS, TODAY - days * DAY, project_id=project, line_item=item, amount=money(str(usd)))
    for hours, project, model, tokens in used:
        fields = {
            "input_tokens": tokens,
            "input_cached_tokens": 0,
            "input_cache_write_tokens": 0,
            "output_tokens": 0,
        }
        world.add(
            COMPLETIONS, THIS_HOUR - hours * HOUR, **completions(project_id=project, model=model, **fields)
        )
    ledger = Ledger(None)
    try:
        with world.serve() as server:
            source = quick(OpenAISource, OPENAI_KEY, server.address, history_days=2, usage_days=1)
            stored(ledger, source, tmp_path / "spool", lambda: NOW)
            before = ledger_state(ledger)
            stored(ledger, source, tmp_path / "spool", lambda: NOW + timedelta(minutes=20))
            # As after a restart from an older copy of the cursors.
            restarted = quick(OpenAISource, OPENAI_KEY, server.address, history_days=2, usage_days=1)
            stored(ledger, restarted, tmp_path / "spool", lambda: NOW)
            assert ledger_state(ledger) == before
    finally:
        ledger.close()
    assert sum((row[6] for row in before["charges"]), Decimal(0)) == sum(
        (usd for *_, usd in lines), Decimal(0)
    )
    by_meter = {meter: sum(row[5] for row in before["hours"] if row[2] == meter) for meter in ("llm_tokens",)}
    assert by_meter["llm_tokens"] == sum(tokens for *_, tokens in used)
