"""LLM spend of other clouds' bills: complete, each model under one name, and no dollar counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.llm_cases import outcome

MONTH = "spend_llm_month_to_date_usd"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("11-bedrock-edition-marketplace", {("aws", "claude-sonnet-4-5"): 240.0, ("aws", "nova-pro"): 24.0}),
        (
            "12-azure-ai-services",
            {
                ("azure", "gpt-4o-0806"): 720.0,
                ("azure", "gpt-5-mini"): 240.0,
                ("azure", "gpt-4o-mini-0718"): 240.0,
                ("azure", "claude-sonnet-4-5"): 240.0,
            },
        ),
        ("15-aws-bedrock-model-name", {("aws", "nova-2.0-lite"): 3.08}),
        ("16-azure-foundry-minimal", {("azure", "gpt-5.4"): 9.0}),
    ],
)
def test_llm_spend_of_a_bill_is_complete_by_model(
    tmp_path: Path, case: str, expected: dict[tuple[str, str], float]
) -> None:
    found = outcome(case, tmp_path)
    assert found.sums(MONTH, "provider", "model") == pytest.approx(expected)


def test_calls_in_a_log_are_attribution_where_a_bill_has_them(tmp_path: Path) -> None:
    found = outcome("10b-aws-bill-and-log-litellm-name", tmp_path)
    assert found.sums("spend_nowcast_today_usd", "provider").keys() == {("aws",)}
    assert found.sums("spend_forecast_month_end_usd", "provider").keys() == {("aws",)}
    assert found.sums(MONTH, "provider", "model") == {("aws", "claude-sonnet-4-5"): 250.0}
    assert found.sums("spend_llm_requests_total", "provider") == {("aws",): 8.0}
