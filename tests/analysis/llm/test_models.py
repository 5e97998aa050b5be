"""Charges are shown as LLM spend by the model that their SKU names, and others are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.llm.models import llm_model, token_type
from exporter.analysis.llm.services import LLM_SERVICES
from exporter.simulator.google.catalogue import SERVICES, SKUS, made_up_id
from exporter.simulator.google.live_metrics import MODELS

VERTEX_AI, GEMINI_API = "C7E2-9256-1C43", "AEFD-7695-64FA"


@pytest.mark.parametrize(
    ("sku", "model", "tokens"),
    [
        ("Gemini 2.5 Flash GA Text Input - Predictions", "gemini-2.5-flash", "input"),
        ("Gemini 2.5 Flash Text Input - Predictions", "gemini-2.5-flash", "input"),
        ("Gemini 2.5 Flash GA Thinking Text Output - Predictions", "gemini-2.5-flash", "output"),
        ("Gemini 2.5 Flash Text Output (Thinking On) - Predictions", "gemini-2.5-flash", "output"),
        ("Gemini 2.5 Flash Lite Text Output - Predictions", "gemini-2.5-flash-lite", "output"),
        ("Gemini 3.0 Pro Text Output (Long) - Predictions", "gemini-3.0-pro", "output"),
        ("Gemini 3.0 Pro Text Input Caching (Long)", "gemini-3.0-pro", "cache_read"),
        ("Gemini 3 Flash Text Input Caching Storage", "gemini-3-flash", ""),
        ("Gemini 3.5 Flash Global Text Input - Predictions", "gemini-3.5-flash", "input"),
        ("Gemini 3.1 Flash Image Text Input - Predictions", "gemini-3.1-flash-image", "input"),
        ("Gemini 2.5 Flash Image Input - Predictions", "gemini-2.5-flash", "input"),
        ("Gemini 1.5 Pro Text Output", "gemini-1.5-pro", "output"),
        ("Gemini 2.0 Flash Supervised Tuning", "gemini-2.0-flash", ""),
        ("Text Embedding 004 Input", "text-embedding-004", "input"),
        ("Imagen 4 fast Generation (output)", "imagen-4-fast", "output"),
        ("Veo Generation 720p with Audio", "veo", ""),
        ("Claude Sonnet 4 Input Tokens - us-east5", "claude-sonnet-4", "input"),
        ("Claude Sonnet 4 5m Cache Write Tokens - global", "claude-sonnet-4", "cache_write"),
        ("Claude Opus 4.1 Cache Hit Tokens", "claude-opus-4-1", "cache_read"),
        ("Claude 3.5 Sonnet v2 Batch Output Tokens", "claude-3-5-sonnet-v2", "output"),
        ("Llama 3.1 405B Input Tokens", "llama-3.1-405b", "input"),
        ("Mistral Large 2411 Output Tokens", "mistral-large-2411", "output"),
        ("gpt-oss-120b Output Tokens", "gpt-oss-120b", "output"),
        ("Zephyr 9 Large Input Tokens - europe-west4", "zephyr-9-large", "input"),
        ("Generative AI Provisioned Throughput", "", ""),
    ],
)
def test_vertex_ai_is_shown_by_model(sku: str, model: str, tokens: str) -> None:
    assert llm_model("gcp", VERTEX_AI, "0000-0000-0000", sku) == model
    assert token_type(sku) == tokens


@pytest.mark.parametrize(
    "sku",
    [
        "Custom Training n1-standard",
        "Custom Training: Nvidia L4 GPU running in Americas",
        "Online Prediction: N1 Instance Core running in Americas",
        "Vector Search Index Serving e2-standard-16 in us-central1",
        "Vertex AI Pipelines",
        "Agent Platform Compute",
        "Feature Store Online Storage",
        "Veolia Palmyra Workbench",
        "",
    ],
)
def test_machines_pipelines_and_storage_of_vertex_ai_are_no_llm_spend(sku: str) -> None:
    assert llm_model("gcp", VERTEX_AI, "0000-0000-0000", sku) is None


@pytest.mark.parametrize(
    ("sku", "model", "tokens"),
    [
        ("Generate content input token count gemini 2.5 flash short input text", "gemini-2.5-flash", "input"),
        (
            "Generate content output token count gemini 2.5 flash short input text",
            "gemini-2.5-flash",
            "output",
        ),
        ("Generate content output token count Gemini 2.5 Pro long output text", "gemini-2.5-pro", "output"),
        (
            "Generate content cached input token count gemini 2.5 flash input image",
            "gemini-2.5-flash",
            "cache_read",
        ),
        ("Generate_content image output token count for Gemini 3 Pro Image", "gemini-3-pro-image", "output"),
        (
            "Generate content input token count gemini 3.7 flash image flex caching",
            "gemini-3.7-flash-image",
            "cache_read",
        ),
        (
            "Generate content output token count gemini 3.1 flash lite preview text",
            "gemini-3.1-flash-lite",
            "output",
        ),
        ("EmbedContent input token count for gemini-embedding-001", "gemini-embedding-001", "input"),
        ("Grounding with Google Search", "", ""),
        ("Cached content storage token hours", "", ""),
        ("Number of videos generated", "", ""),
    ],
)
def test_all_of_the_gemini_api_is_llm_spend(sku: str, model: str, tokens: str) -> None:
    assert llm_model("gcp", GEMINI_API, "0000-0000-0000", sku) == model
    assert token_type(sku) == tokens


def test_partner_models_that_google_sells_as_services_of_their_own_are_found_by_their_sku() -> None:
    assert llm_model("gcp", "1234-5678-9ABC", "", "Claude Sonnet 4.5 Input Tokens") == "claude-sonnet-4-5"
    assert llm_model("aws", "1234-5678-9ABC", "", "Claude Sonnet 4.5 Input Tokens") is None
    assert llm_model("gcp", "1234-5678-9ABC", "", "Storage for Claude tokens") is None


@pytest.mark.parametrize(
    ("provider", "service_id", "sku_id", "sku", "model", "tokens"),
    [
        (
            "openai",
            "openai-api",
            "gpt-4o-2024-08-06/input",
            "gpt-4o-2024-08-06, input_tokens",
            "gpt-4o-2024-08-06",
            "input",
        ),
        ("openai", "openai-api", "/web search", "web search tool calls", "", ""),
        ("openai", "openai", "", "gpt-4o-2024-08-06, cached_input", "gpt-4o-2024-08-06", "cache_read"),
        (
            "anthropic",
            "claude-api",
            "claude-sonnet-4-20250514/cache_write",
            "Claude Sonnet 4 Usage - Input Tokens, Cache Write (5m)",
            "claude-sonnet-4-20250514",
            "cache_write",
        ),
        (
            "anthropic",
            "anthropic",
            "x1",
            "claude-sonnet-4-20250514 prompt tokens",
            "claude-sonnet-4-20250514",
            "input",
        ),
        (
            "aws",
            "amazon-bedrock",
            "K7",
            "$0.003 per 1K input tokens for Claude 3 Sonnet in US East (N. Virginia)",
            "claude-3-sonnet",
            "input",
        ),
        ("aws", "amazon-bedrock", "K8", "$1 per custom model unit", "", ""),
    ],
)
def test_the_model_of_other_providers_is_in_the_sku_id_or_in_its_text(
    provider: str, service_id: str, sku_id: str, sku: str, model: str, tokens: str
) -> None:
    assert llm_model(provider, service_id, sku_id, sku) == model
    assert token_type(sku) == tokens


@pytest.mark.parametrize(
    ("sku", "model", "tokens"),
    [
        (
            "$0.00033 per 1K tokens for USE1-Nova2.0Lite-input-tokens in US East (N. Virginia)",
            "nova-2.0-lite",
            "input",
        ),
        (
            "$0.00275 per 1K tokens for USE1-Nova2.0Lite-output-tokens in US East (N. Virginia)",
            "nova-2.0-lite",
            "output",
        ),
        ("$0.0008 per 1K input tokens for NovaPro in US East (N. Virginia)", "nova-pro", "input"),
        ("$0.003 per 1K input tokens Claude Sonnet 4.5", "claude-sonnet-4-5", "input"),
        ("$0.0005 per 1K tokens for EUC1-Claude3.5Haiku-input-tokens-batch", "claude-3-5-haiku", "input"),
        ("$7.2E-4 per 1K output tokens for Llama 3.3 70B in US East (Ohio)", "llama-3.3-70b", "output"),
        ("USE1-NovaLite-cache-read-input-token-count", "nova-lite", "cache_read"),
        ("USE1-NovaLite-cache-write-input-token-count", "nova-lite", "cache_write"),
        ("USE1-NovaMicro-output-tokens-cross-region-global", "nova-micro", "output"),
        ("USE1-NovaSonic-speech-input-tokens", "nova-sonic", "input"),
        ("USW2-Llama3-1-405B-Instruct-output-tokens", "llama-3.1-405b-instruct", "output"),
        ("USE1-MistralLarge2407-input-tokens", "mistral-large-2407", "input"),
        ("USE1-gpt-oss-120b-input-tokens", "gpt-oss-120b", "input"),
        ("USE1-DeepSeek-R1-output-tokens", "deepseek-r1", "output"),
        ("USE1-TitanEmbeddingV2-Text-input-tokens", "titan-embedding-v2", "input"),
        ("USE1-Zephyr9-input-tokens", "zephyr-9", "input"),
        ("$21.18 per hour for USE1-ModelUnits", "", ""),
    ],
)
def test_bedrock_is_shown_by_the_model_in_its_usage_types(sku: str, model: str, tokens: str) -> None:
    assert llm_model("aws", "amazon-bedrock", "", sku) == model
    assert token_type(sku) == tokens


@pytest.mark.parametrize(
    ("service_id", "model"),
    [
        ("claude-sonnet-4-5-amazon-bedrock-edition", "claude-sonnet-4-5"),
        ("claude-3-5-haiku-bedrock-edition", "claude-3-5-haiku"),
        ("llama-3-1-405b-amazon-bedrock-edition", "llama-3.1-405b"),
    ],
)
def test_a_service_of_one_model_is_shown_by_it(service_id: str, model: str) -> None:
    sku = "AWS Marketplace software usage|us-east-1|Million Input Tokens"
    assert llm_model("aws", service_id, "", sku) == model
    assert llm_model("azure", service_id, "", sku) is None


@pytest.mark.parametrize(
    ("service_id", "sku", "model", "tokens"),
    [
        ("azure-ai-services", "Azure OpenAI - gpt 4o 0806 Input global - US East 2", "gpt-4o-0806", "input"),
        ("foundry-models", "Azure OpenAI GPT5 - gpt 5 mini Inp glbl - US East 2", "gpt-5-mini", "input"),
        ("cognitive-services", "Azure OpenAI - GPT-4o-mini-0718-Inp-glbl", "gpt-4o-mini-0718", "input"),
        ("azure-openai-service", "gpt-4o-0806-Output-glbl Tokens", "gpt-4o-0806", "output"),
        ("azure-openai", "text-embedding-3-large-glbl Tokens", "text-embedding-3-large", ""),
        ("azure-openai", "Azure OpenAI Reasoning - o3 0416 Outp Data Zone - US West", "o3-0416", "output"),
        ("azure-openai", "gpt-image-1 txt inp glbl", "gpt-image-1", "input"),
        ("azure-ai-foundry-models", "Claude Sonnet 4.5 Input Tokens", "claude-sonnet-4-5", "input"),
        ("foundry-models", "Grok 3 mini Outp DZ", "grok-3-mini", "output"),
        ("foundry-models", "5.4 opt Gl", "gpt-5.4", "output"),
        ("foundry-models", "5.4 mini cchd Inp Gl", "gpt-5.4-mini", "cache_read"),
        ("azure-openai", "Provisioned Managed Global Unit", "", ""),
        ("azure-ai-services", "Provisioned Managed Global Unit", "", ""),
    ],
)
def test_models_of_azure_are_shown_by_their_meters(
    service_id: str, sku: str, model: str, tokens: str
) -> None:
    assert llm_model("azure", service_id, "", sku) == model
    assert token_type(sku) == tokens


@pytest.mark.parametrize(
    ("service_id", "sku"),
    [
        ("cognitive-services", "Speech To Text Hours"),
        ("cognitive-services", "S1 Text Translation Characters"),
        ("azure-ai-services", "Content Safety Text Records"),
        ("azure-ai-services", "Computer Vision S1 Transactions"),
        ("virtual-machines", "D2s v5"),
    ],
)
def test_speech_and_vision_of_azure_are_no_llm_spend(service_id: str, sku: str) -> None:
    assert llm_model("azure", service_id, "", sku) is None


def test_services_are_what_the_user_says() -> None:
    sku = "Answers and opinions"
    assert llm_model("gcp", "1111-2222-3333", "", sku) is None
    assert llm_model("gcp", "1111-2222-3333", "", sku, services={"1111-2222-3333": "all"}) == ""
    gemini = "Gemini 2.5 Flash Text Input - Predictions"
    assert llm_model("gcp", VERTEX_AI, "", gemini, services={}) is None
    assert llm_model("askme", "askme", "", sku, providers={"askme"}) == ""


def test_the_demo_worlds_llm_skus_are_all_found_and_nothing_else_is() -> None:
    found: dict[str, str | None] = {}
    for key, sku in SKUS.items():
        service = SERVICES[sku.service]
        service_id = service.id or made_up_id(service.name)
        found[key] = llm_model("gcp", service_id, sku.id, sku.description)
    assert {key: model for key, model in found.items() if model is not None} == {
        "flash-in": "gemini-2.5-flash",
        "flash-out": "gemini-2.5-flash",
        "flash-cached": "gemini-2.5-flash",
        "pro-in": "gemini-3.0-pro",
        "pro-out": "gemini-3.0-pro",
        "api-flash-in": "gemini-2.5-flash",
        "api-flash-out": "gemini-2.5-flash",
        "api-lite-in": "gemini-2.5-flash-lite",
        "api-embed": "gemini-embedding-001",
        "claude-in": "claude-sonnet-4-5",
        "claude-out": "claude-sonnet-4-5",
    }
    assert set(MODELS.values()) <= set(found.values())


words = st.sampled_from(
    [
        "Gemini",
        "2.5",
        "Flash",
        "Claude",
        "gpt-4o",
        "o1",
        "Text",
        "Input",
        "Image",
        "(Long)",
        "-",
        ":",
        "_",
        "for",
    ]
)


@pytest.mark.slow
@given(
    provider=st.sampled_from(["gcp", "openai", "aws", ""]) | st.text(),
    service_id=st.sampled_from(list(LLM_SERVICES)) | st.text(),
    sku_id=st.text(),
    sku=st.text() | st.lists(words).map(" ".join),
)
def test_no_text_breaks_it(provider: str, service_id: str, sku_id: str, sku: str) -> None:
    model = llm_model(provider, service_id, sku_id, sku)
    if model is None:
        assert provider not in {"openai", "anthropic"}
        assert service_id != GEMINI_API
    elif "/" not in sku_id:
        assert model == model.strip("-. ").lower()
        assert not any(character.isspace() for character in model)
    assert token_type(sku) in {"input", "cache_read", "cache_write", "output", ""}
