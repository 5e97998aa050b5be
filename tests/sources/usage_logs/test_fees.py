"""What costs a fee beside tokens is counted as unpriced and reported, never taken for free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.core import llm_meters
from exporter.sources.usage_logs.fees import fee_meter
from tests.sources.usage_logs.log_world import call
from tests.support.llm_cases import outcome_of_log

FEES = "spend_llm_unpriced_fees_total"


@pytest.mark.parametrize(
    ("key", "meter"),
    [
        ("usage.server_tool_use.web_search_requests", "llm_web_searches"),
        ("gen_ai.usage.web_search_requests", "llm_web_searches"),
        ("usage.num_search_queries", "llm_web_searches"),
        ("usage.num_sources_used", "llm_web_searches"),
        ("webSearchRequests", "llm_web_searches"),
        ("gen_ai.usage.web_search_calls", "llm_web_searches"),
        ("gen_ai.usage.file_search_calls", "llm_file_searches"),
        ("gen_ai.usage.image_count", "llm_images"),
        ("usage.generated_images", "llm_images"),
        ("num_images", "llm_images"),
        ("usage.code_execution_requests", "llm_sessions"),
        ("usage.server_tool_use.web_fetch_requests", None),
        ("usage.prompt_tokens_details.image_count", None),
        ("gen_ai.usage.input_tokens", None),
        ("search_context_size", None),
        ("gen_ai.usage.image_tokens", None),
    ],
)
def test_a_fee_is_known_by_the_name_of_its_key(key: str, meter: str | None) -> None:
    assert fee_meter(key) == meter
    assert meter is None or meter in llm_meters.FEES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "fee", "count"),
    [
        ({"usage": {"server_tool_use": {"web_search_requests": 3}}}, "web_searches", 3),
        ({"server_tool_use": {"web_search_requests": 3}}, "web_searches", 3),
        # The same count under two names.
        ({"usage": {"num_search_queries": 2}, "web_search_requests": "2"}, "web_searches", 2),
        ({"gen_ai.usage.image_count": 2}, "images", 2),
    ],
)
def test_a_fee_is_counted_as_unpriced_and_reported(
    tmp_path: Path, more: dict[str, Any], fee: str, count: int
) -> None:
    found = outcome_of_log(tmp_path, call(**more))
    assert found.sums(FEES, "fee") == {(fee,): count}
    assert found.total("spend_llm_estimated_usd_total") == pytest.approx(0.0075)
    assert f"fees without a price: {count} x {fee.replace('_', ' ')}" in found.report
    assert found.reasons == {}


@pytest.mark.slow
def test_a_call_that_only_drew_images_is_a_call(tmp_path: Path) -> None:
    line = call(gen_ai__usage__input_tokens=..., gen_ai__usage__output_tokens=..., num_images=4)
    found = outcome_of_log(tmp_path, line)
    assert found.sums(FEES, "fee") == {("images",): 4}
    assert found.total("spend_llm_requests_total") == 1


@pytest.mark.slow
def test_a_cost_in_the_line_has_its_fees_in_it(tmp_path: Path) -> None:
    found = outcome_of_log(tmp_path, call(web_search_requests=3, cost_usd=0.5))
    assert found.total(FEES) == 0
    assert found.report == ""


@pytest.mark.slow
def test_a_fee_that_is_no_number_is_refused(tmp_path: Path) -> None:
    found = outcome_of_log(tmp_path, call(web_search_requests="many"))
    assert found.reasons == {"bad_tokens": 1.0}
