"""LLM spend of other clouds' bills: complete, each model under one name, and no dollar counted twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.llm_cases import outcome, outcome_of_folder

pytestmark = pytest.mark.slow

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


BILL = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,"
    "ProviderName,ServiceName\n"
    '10.00,1,USD,2026-11-01T00:00:00Z,Usage,2026-11-24T00:00:00Z,"{provider}","{service}"\n'
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_the_bill", "service", "in_the_log", "label"),
    [
        ("AWS", "Amazon Bedrock", "aws.bedrock", "aws"),
        ("AWS", "Amazon Bedrock", "amazon_bedrock", "aws"),
        ("Amazon Web Services", "Amazon Bedrock", "bedrock", "aws"),
        ("Microsoft", "Foundry Models", "azure_ai", "azure"),
        ("Microsoft", "Azure OpenAI", "azure.ai.openai", "azure"),
        ("Google Cloud", "Vertex AI", "vertex_ai_beta", "gcp"),
        ("Google Cloud", "Gemini API", "gcp.gemini", "gcp"),
        ("Oracle", "Generative AI", "oci", "oci"),
        ("IBM", "watsonx.ai Runtime", "watsonx", "ibm"),
        ("xAI", "API", "x_ai", "xai"),
        ("Moonshot AI", "API", "moonshot", "moonshot"),
        ("Perplexity AI, Inc.", "API", "perplexity", "perplexity"),
        ("Together AI", "API", "together_ai", "together"),
        ("Fireworks AI", "API", "fireworks_ai", "fireworks"),
        ("Mistral AI", "API", "mistral_ai", "mistral"),
        ("OpenAI", "API", "openai", "openai"),
        ("Acme Models, Inc.", "API", "acme_models", "acme-models"),
    ],
)
def test_a_bill_and_a_log_of_one_company_have_one_provider_and_its_money_counts_once(
    tmp_path: Path, on_the_bill: str, service: str, in_the_log: str, label: str
) -> None:
    (tmp_path / "bill.csv").write_text(BILL.format(provider=on_the_bill, service=service))
    line = {
        "timestamp": "2026-11-25T09:15:02Z",
        "gen_ai.provider.name": in_the_log,
        "gen_ai.request.model": "some-model",
        "cost_usd": 4.0,
    }
    (tmp_path / "calls.jsonl").write_text(f"{json.dumps(line)}\n")
    (tmp_path / "config.yml").write_text('focus: {files: [bill.csv]}\nllm: {usage_logs: ["calls.jsonl"]}\n')
    found = outcome_of_folder(tmp_path)
    assert found.sums("spend_llm_estimated_usd_total", "provider") == {(label,): 4.0}
    assert found.sums("spend_month_to_date_usd", "provider") == {(label,): 10.0}
    nowcast = found.sums("spend_nowcast_month_to_date_usd", "provider", "service_name")
    assert set(nowcast) <= {(label, service)}
