"""One company has one label, whichever of its names a bill, a log, a proxy or a price list uses."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
from genai_prices.data_snapshot import get_snapshot

from exporter.core.providers import PROVIDERS, bill_label, price_name, provider_label, slug
from exporter.sources.focus.sql import _provider, _slug

OPENTELEMETRY = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gcp.gemini": "gcp",
    "gcp.gen_ai": "gcp",
    "gcp.vertex_ai": "gcp",
    "groq": "groq",
    "ibm.watsonx.ai": "ibm",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshot",
    "openai": "openai",
    "perplexity": "perplexity",
    "x_ai": "xai",
    # Of `gen_ai.system`, which came before `gen_ai.provider.name`.
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "gemini": "gcp",
    "vertex_ai": "gcp",
    "xai": "xai",
}
"""Well-known values of gen_ai.provider.name and gen_ai.system."""

LITELLM = {
    "ai21_chat": "ai21",
    "aiohttp_openai": "openai",
    "amazon_nova": "aws",
    "anthropic_text": "anthropic",
    "aws_polly": "aws",
    "azure": "azure",
    "azure_ai": "azure",
    "azure_speech": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock_mantle": "aws",
    "black_forest_labs": "black-forest-labs",
    "chatgpt": "openai",
    "codestral": "mistral",
    "cohere_chat": "cohere",
    "custom_openai": "openai-like",
    "dashscope": "alibaba-cloud",
    "databricks": "databricks",
    "deepseek": "deepseek",
    "fal_ai": "fal",
    "featherless_ai": "featherless",
    "fireworks_ai": "fireworks",
    "friendliai": "friendli",
    "gemini": "gcp",
    "github_copilot": "github",
    "gradient_ai": "digitalocean",
    "groq": "groq",
    "huggingface": "huggingface",
    "jina_ai": "jina",
    "lambda_ai": "lambda",
    "meta_llama": "meta",
    "mistral": "mistral",
    "moonshot": "moonshot",
    "nvidia_nim": "nvidia",
    "oci": "oci",
    "ollama_chat": "ollama",
    "openai": "openai",
    "openai_like": "openai-like",
    "openrouter": "openrouter",
    "palm": "gcp",
    "perplexity": "perplexity",
    "qwencloud": "alibaba-cloud",
    "runwayml": "runway",
    "sagemaker": "aws",
    "sagemaker_chat": "aws",
    "snowflake": "snowflake",
    "text-completion-codestral": "mistral",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "gcp",
    "vertex_ai-anthropic_models": "gcp",
    "vertex_ai_beta": "gcp",
    "volcengine": "volcengine",
    "voyage": "voyage",
    "watsonx": "ibm",
    "watsonx_text": "ibm",
    "xai": "xai",
    "zai": "zai",
}
"""Values of custom_llm_provider that people call, and so much as differs from the label of all others."""

LIBRARIES = {
    "amazon-bedrock": "aws",
    "amazon_bedrock": "aws",
    "anthropic.messages": "anthropic",
    "aws_bedrock": "aws",
    "azure-openai.chat": "azure",
    "azure_openai": "azure",
    "google": "gcp",
    "google-gla": "gcp",
    "google-vertex": "gcp",
    "google.generative-ai": "gcp",
    "google.vertex.chat": "gcp",
    "google_genai": "gcp",
    "google_vertexai": "gcp",
    "mistralai": "mistral",
    "OpenAI": "openai",
    "openai.responses": "openai",
    "togetherai.chat": "together",
    "xai.chat": "xai",
}
"""What instrumentation of pydantic-ai, LangChain, OpenInference and the Vercel AI SDK writes."""

FOCUS = {
    "AWS": "aws",
    "Amazon Web Services, Inc.": "aws",
    "Anthropic, PBC": "anthropic",
    "Azure": "azure",
    "Cohere Inc.": "cohere",
    "DeepSeek": "deepseek",
    "Fireworks AI, Inc.": "fireworks",
    "Google Cloud": "gcp",
    "Groq, Inc.": "groq",
    "Hugging Face": "huggingface",
    "IBM": "ibm",
    "IBM Cloud": "ibm",
    "Microsoft": "azure",
    "Mistral AI": "mistral",
    "Moonshot AI": "moonshot",
    "OCI": "oci",
    "OpenAI": "openai",
    "OpenAI, L.L.C.": "openai",
    "Oracle": "oci",
    "Perplexity AI, Inc.": "perplexity",
    "Together AI": "together",
    "X.AI Corp.": "xai",
    "xAI": "xai",
    # Another company than the one whose API has this name, and another bill of the same one.
    "Vertex, Inc.": "vertex",
    "Google Workspace": "google-workspace",
}
"""ServiceProviderName and ProviderName."""


@pytest.mark.parametrize(("name", "label"), [*OPENTELEMETRY.items(), *LITELLM.items(), *LIBRARIES.items()])
def test_names_in_logs_and_proxies_give_the_label_of_the_company(name: str, label: str) -> None:
    assert provider_label(name) == label
    assert provider_label(name.upper()) == label


def label_on_a_bill(name: str) -> str:
    ((label,),) = duckdb.execute(
        f"SELECT {_provider('slug')} FROM (SELECT {_slug('$name')} AS slug)", {"name": name}
    ).fetchall()
    return str(label)


@pytest.mark.parametrize(("name", "label"), FOCUS.items())
def test_names_on_bills_give_the_label_of_the_company(name: str, label: str) -> None:
    assert label_on_a_bill(name) == label
    # The configuration checks providers by the same rule.
    assert bill_label(name) == label


@pytest.mark.parametrize("name", sorted({name for each in PROVIDERS for name in (each.label, *each.bills)}))
def test_a_name_of_the_table_is_the_same_company_on_a_bill_and_in_a_log(name: str) -> None:
    assert label_on_a_bill(name) == provider_label(name)


@pytest.mark.parametrize("name", ["Acme Models", "acme_models", "acme-models", "ACME models, Inc."])
def test_a_company_that_the_table_lacks_has_one_label_as_well(name: str) -> None:
    assert provider_label(name) == label_on_a_bill(name) == "acme-models"


def test_every_provider_of_the_price_data_is_found_by_its_own_id() -> None:
    ids = [each.id for each in get_snapshot().providers]
    assert len(ids) > 30
    by_label = {each: price_name(provider_label(each)) for each in ids}
    # Prices of one company under several ids; each is found by its own name, see TokenPrices.
    several = {
        each
        for each in ids
        if each.startswith("huggingface_") or each in ("github-copilot", "quicksilverpro")
    }
    wrong = {each: found for each, found in by_label.items() if found != each and each not in several}
    assert wrong == {}


def test_every_price_name_of_the_table_is_in_the_price_data() -> None:
    ids = {each.id for each in get_snapshot().providers}
    named = {each.priced_as for each in PROVIDERS if each.priced_as}
    assert len(named) > 3
    assert named <= ids


def test_no_name_belongs_to_two_companies() -> None:
    names = Counter(name for each in PROVIDERS for name in (each.label, *each.bills, *each.calls))
    assert [name for name, count in names.items() if count > 1] == []
    assert all(name == slug(name) for name in names)


def test_without_a_name_there_is_no_label() -> None:
    assert provider_label("") == provider_label(" !? ") == ""
