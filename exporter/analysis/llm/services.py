"""Which services of a bill are language models: by id, and for clouds that name one service for each model.

Services of FOCUS files have their name in lower case with hyphens as id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

LlmService = Literal["all", "models"]
"""Which SKUs of a service are LLM spend: `all`, or only those of `models` and not machines and storage."""

LLM_SERVICES: Final[Mapping[str, LlmService]] = {
    # Vertex AI and the Gemini API, by the ids of Google's billing export and by name.
    "C7E2-9256-1C43": "models",
    "AEFD-7695-64FA": "all",
    "vertex-ai": "models",
    "gemini-api": "all",
    "generative-language-api": "all",
    "amazon-bedrock": "all",
    "amazonbedrock": "all",
    "amazon-bedrock-service": "all",
    "amazon-bedrock-foundation-models": "all",
    "amazon-bedrock-agentcore": "models",
    "azure-openai": "all",
    "azure-openai-service": "all",
    "foundry-models": "all",
    "microsoft-foundry-models": "all",
    "azure-foundry-models": "all",
    "azure-ai-foundry-models": "all",
    "azure-ai-model-inference": "all",
    # These sell speech, vision and search as well.
    "azure-ai-foundry": "models",
    "azure-ai-studio": "models",
    "microsoft-foundry": "models",
    "azure-ai-services": "models",
    "cognitive-services": "models",
    "azure-cognitive-services": "models",
    "foundry-tools": "models",
    "azure-machine-learning": "models",
    "generative-ai": "all",
    "oci-generative-ai": "all",
    "oracle-cloud-infrastructure-generative-ai": "all",
    "watsonx-ai": "models",
    "watsonx-ai-runtime": "models",
}
"""By service id."""

LLM_PROVIDERS: Final = frozenset(
    {"openai", "anthropic", "mistral", "cohere", "deepseek", "groq", "openrouter"}
    | {"ai21", "cerebras", "deepinfra", "fireworks", "inception", "jina", "minimax", "moonshot", "novita"}
    | {"perplexity", "reka", "sambanova", "together", "voyage", "xai", "zai", "zhipuai"}
)
"""Providers that sell nothing but LLMs."""

_EDITION: Final = re.compile(r"(.+?)(?:-(?:amazon|aws))?-bedrock-edition")
_VERSION: Final = re.compile(r"(?<=-)(\d)-(\d)(?=-|$)")


def service_kind(provider: str, service_id: str, services: Mapping[str, LlmService]) -> LlmService | None:
    """Return which SKUs of a service are LLM spend; None where none is."""
    if service_id in services:
        return services[service_id]
    return "all" if provider == "aws" and _EDITION.fullmatch(service_id) else None


def edition_model(provider: str, service_id: str) -> str:
    """Return the model that a service is named after: `Claude Sonnet 4.5 (Amazon Bedrock Edition)`."""
    found = _EDITION.fullmatch(service_id) if provider == "aws" else None
    if found is None:
        return ""
    name = found.group(1)
    # The id of a service has hyphens for the dots of its name; names of Claude have them anyway.
    return name if name.startswith("claude") else _VERSION.sub(r"\1.\2", name)
