"""A model that a cloud resells has one label, in the cloud's bill and in logs of calls."""

from __future__ import annotations

import pytest

from exporter.analysis.llm.models import llm_model
from exporter.core.model_labels import model_label


@pytest.mark.parametrize(
    ("provider", "model", "label"),
    [
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("aws", "global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("aws", "anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet"),
        ("aws", "bedrock/converse/amazon.nova-lite-v1:0", "nova-lite"),
        ("aws", "us.amazon.nova-2-lite-v1:0", "nova-2.0-lite"),
        ("aws", "meta.llama3-3-70b-instruct-v1:0", "llama-3.3-70b-instruct"),
        ("aws", "arn:aws:bedrock:us-east-1:1:inference-profile/us.deepseek.r1-v1:0", "deepseek-r1"),
        ("aws", "openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("aws", "qwen.qwen3-32b-v1:0", "qwen-3-32b"),
        ("gcp", "publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gcp", "gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("gcp", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("azure", "gpt-4o-2024-08-06", "gpt-4o-0806"),
        ("azure", "o4-mini-2025-04-16", "o4-mini-0416"),
        ("azure", "gpt4-turbo-128k", "gpt-4-turbo-128k"),
        # Providers of their own models bill and report them with their dates.
        ("openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        ("openrouter", "openai/gpt-4o", "openai/gpt-4o"),
        ("aws", "", ""),
    ],
)
def test_a_label_is_what_the_bill_can_say(provider: str, model: str, label: str) -> None:
    assert model_label(provider, model) == label
    assert model_label(provider, label) == label


@pytest.mark.parametrize(
    ("provider", "service", "sku", "called"),
    [
        (
            "aws",
            "amazon-bedrock",
            "$0.003 per 1K tokens for USE1-Claude4.5Sonnet-input-tokens",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "aws",
            "claude-sonnet-4-5-amazon-bedrock-edition",
            "",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "aws",
            "claude-3-5-haiku-amazon-bedrock-edition",
            "",
            "anthropic.claude-3-5-haiku-20241022-v1:0",
        ),
        (
            "aws",
            "amazon-bedrock",
            "$0.00033 per 1K tokens for USE1-Nova2.0Lite-input-tokens",
            "amazon.nova-2-lite-v1:0",
        ),
        ("aws", "amazon-bedrock", "USE1-NovaPro-output-tokens", "eu.amazon.nova-pro-v1:0"),
        (
            "aws",
            "amazon-bedrock",
            "USE1-Llama3.1-70B-Instruct-input-tokens",
            "meta.llama3-1-70b-instruct-v1:0",
        ),
        ("azure", "azure-openai", "gpt-4o-0806-Output-glbl Tokens", "gpt-4o-2024-08-06"),
        ("azure", "azure-openai", "gpt-4o-2024-08-06 Input", "gpt-4o-2024-08-06"),
        ("azure", "foundry-models", "5.4 opt Gl", "gpt-5.4"),
        ("azure", "foundry-models", "o4-mini 0416 Outp glbl", "o4-mini-2025-04-16"),
        ("gcp", "vertex-ai", "Gemini 2.0 Flash Text Input - Predictions", "gemini-2.0-flash-001"),
        ("gcp", "vertex-ai", "Claude Sonnet 4.5 Input Tokens", "claude-sonnet-4-5@20250929"),
    ],
)
def test_a_bill_and_a_log_name_a_model_alike(provider: str, service: str, sku: str, called: str) -> None:
    of_the_bill = llm_model(provider, service, "S1", sku)
    assert of_the_bill
    assert model_label(provider, of_the_bill) == model_label(provider, called)
